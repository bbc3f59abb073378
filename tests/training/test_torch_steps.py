"""AdamW's one pass over its arrays, and kernels that lie turned in their file."""

import keras
import numpy as np
import pytest
import support
from keras import ops

import keras_bert_zoo as kbz

if keras.backend.backend() != "torch":
    pytest.skip("of PyTorch alone", allow_module_level=True)

import torch

from keras_bert_zoo.training import torch_steps

X = {"token_ids": np.arange(5, 25).reshape(2, 10)}
Y = np.array([0, 1])


@pytest.fixture
def folder(tmp_path):
    task = support.tiny_classifier()
    support.scramble(task)
    task.export_to_transformers(tmp_path)
    return tmp_path


def task_from(folder, in_order, **options):
    """A task whose kernels lie as in the file, or all in order."""
    task = kbz.TextClassifier.from_preset(folder, **options)
    for variable in task.variables if in_order else ():
        variable.value.data = variable.value.data.contiguous()
    return task


def turned(variables):
    return {variable.path for variable in variables if not variable.value.is_contiguous()}


def same_weights(one, other):
    for first, second in zip(one.weights, other.weights, strict=True):
        arrays = ops.convert_to_numpy(first), ops.convert_to_numpy(second)
        np.testing.assert_allclose(*arrays, rtol=1e-5, atol=1e-6, err_msg=first.path)


# With its own epsilon Adam would follow the signs of gradients that are 0 but for rounding.
OPTIMIZERS = {
    "ours": lambda: kbz.create_optimizer(1e-2, epsilon=1e-2),
    "Keras's": lambda: keras.optimizers.Adam(1e-2, epsilon=1e-2),
    "SGD": lambda: keras.optimizers.SGD(1e-2),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("way", ["fit", "train_on_batch"])
def test_a_training_lays_its_kernels_in_order(folder, way, optimizer):
    tasks = [task_from(folder, in_order, dropout=0.0) for in_order in (False, True)]
    kernels = {weight.path for weight in tasks[0].weights if weight.path.endswith("kernel")}
    assert turned(tasks[0].weights) == kernels != set()
    for task in tasks:
        task.compile(OPTIMIZERS[optimizer]())
        getattr(task, way)(X, Y)
    assert not turned(tasks[0].weights)
    same_weights(*tasks)


def test_frozen_kernels_stay_as_they_are(folder):
    task = task_from(folder, False, frozen="backbone")
    before = turned(task.backbone.weights)
    task.fit(X, Y, verbose=0)
    assert turned(task.weights) == before != set()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_move_turned_kernels(folder, optimizer):
    """In a training loop of one's own."""
    tasks = [task_from(folder, in_order, dropout=0.0) for in_order in (False, True)]
    for task in tasks:
        mover = OPTIMIZERS[optimizer]()
        for _ in range(2):
            ops.sum(task(X, training=True) ** 2).backward()
            gradients = [variable.value.grad for variable in task.trainable_weights]
            mover.apply(gradients, task.trainable_weights)
            task.zero_grad()
    assert turned(tasks[0].weights)
    same_weights(*tasks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [None, 1e-3])
@pytest.mark.parametrize("alpha", [2e-2, 0.0])
def test_one_pass_is_the_steps_one_by_one(monkeypatch, alpha, decay, dtype):
    random = torch.Generator().manual_seed(0)

    def drawn():
        return torch.rand((30, 70), generator=random, dtype=dtype) - 0.5

    arrays = [drawn(), drawn(), drawn() ** 2]
    gradients = [drawn(), drawn().T.contiguous().T]  # the second lies turned
    decay = None if decay is None or alpha == 0 else torch.tensor(decay)
    passes = support.count_calls(monkeypatch, torch_steps, "adamw")
    results = []
    for is_fused in (True, False):
        if not is_fused:
            monkeypatch.setattr(torch_steps, "_suits_fused", lambda tensors: False)
        moved = [array.clone() for array in arrays]
        for gradient in gradients:
            torch_steps.update(*moved, gradient, torch.tensor(alpha), decay, 0.9, 0.99, 1e-3)
        results.append(moved)
    assert len(passes) == 2
    for before, one, other in zip(arrays, *results, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-7)
        assert torch.equal(one, before) == (alpha == 0 and before is arrays[0])


@pytest.mark.parametrize("which", ["turned", "half precision", "another device"])
def test_what_one_pass_does_not_take(which):
    tensor = torch.ones(3, 5)
    change = {
        "turned": lambda: tensor.T,
        "half precision": tensor.bfloat16,
        "another device": lambda: tensor.to("meta"),
    }
    assert torch_steps._suits_fused([tensor, torch.nn.Parameter(tensor)])
    assert not torch_steps._suits_fused([tensor, change[which]()])
