"""Computing again what gradients need changes neither the losses nor the random numbers."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz

IDS = np.random.default_rng(0).integers(5, 29, (12, 8)).astype("int32")
INPUTS = {"token_ids": IDS, "segment_ids": 0 * IDS, "padding_mask": (IDS > 10).astype("int32")}
LABELS = np.arange(12) % 2


@functools.cache
def losses(remat, dtype="float32", dropout=0.3, frozen="nothing"):
    keras.utils.set_random_seed(3)
    backbone = support.tiny_backbone(dtype=dtype, dropout=dropout, attention_dropout=dropout)
    backbone.remat = remat
    support.scramble(backbone)
    task = kbz.TextClassifier(backbone, labels=["no", "yes"], frozen=frozen)
    task.compile(kbz.create_optimizer(1e-2))
    keras.utils.set_random_seed(5)
    trained = task.fit(INPUTS, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return np.array(trained.history["loss"])


@pytest.mark.parametrize("frozen", ["nothing", 1])
def test_a_training_loses_nothing(frozen):
    one, two = (losses(remat, frozen=frozen) for remat in (False, True))
    np.testing.assert_allclose(two, one, atol=1e-6)
    assert abs(one[0] - one[1]) > 1e-4  # something was learned
    assert abs(losses(False, dropout=0.0)[0] - two[0]) > 1e-4  # and dropout drawn


def test_in_half_precision():
    one, two = (losses(remat, dtype="mixed_bfloat16") for remat in (False, True))
    np.testing.assert_allclose(two, one, atol=1e-3)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces the block once for both")
def test_the_block_is_computed_twice(monkeypatch):
    counts, finish = [0], kbz.layers.EncoderBlock._finish

    def counted(*args, **kwargs):
        counts[0] += 1
        return finish(*args, **kwargs)

    monkeypatch.setattr(kbz.layers.EncoderBlock, "_finish", counted)
    found = []
    for remat in (False, True):
        counts[0] = 0
        losses.__wrapped__(remat)
        found.append(counts[0])
    assert found[1] > 1.5 * found[0]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="XLA tells what a program will need")
def test_a_compiled_program_needs_less_memory():
    """XLA for CPUs would join the two passes again."""
    import jax

    def needed(remat):
        keras.utils.set_random_seed(3)
        backbone = support.tiny_backbone(num_layers=6, remat=remat)
        values = [variable.value for variable in backbone.trainable_variables]
        others = [variable.value for variable in backbone.non_trainable_variables]

        def loss(values):
            outputs, _ = backbone.stateless_call(values, others, inputs, training=True)
            return (outputs["sequence_output"] ** 2).sum()

        return jax.jit(jax.grad(loss)).lower(values).compile().memory_analysis().temp_size_in_bytes

    inputs = {name: np.tile(array, (16, 4)) for name, array in INPUTS.items()}  # (192, 32)
    assert needed(True) < 0.5 * needed(False)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow's steps")
def test_probabilities_of_all_rows_are_never_held():
    import tensorflow as tf

    def most_held(remat):
        block = kbz.layers.EncoderBlock(2, 8, attention_dropout=0.1, remat=remat)
        block.build(states.shape)

        @tf.function
        def train():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(block(states, training=True) ** 2)
            return tape.gradient(loss, [weight.value for weight in block.trainable_weights])

        train()
        before = tf.config.experimental.get_memory_info("CPU:0")["current"]
        tf.config.experimental.reset_memory_stats("CPU:0")
        train()
        return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before

    try:
        tf.config.experimental.get_memory_info("CPU:0")
    except ValueError:
        pytest.skip("TensorFlow counts its memory with oneDNN alone")
    states = tf.random.normal((16, 512, 4))
    probabilities = 16 * 2 * 512**2 * 4
    assert most_held(False) > probabilities
    assert most_held(True) < 0.8 * probabilities


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow",
    reason="`tf.recompute_grad` registers functions for good",
)
def test_a_trained_model_is_let_go():
    task = kbz.TextClassifier(support.tiny_backbone(remat=True), labels=["no", "yes"])
    task.compile(kbz.create_optimizer(1e-2))
    task.fit(INPUTS, LABELS, batch_size=12, verbose=0)
    block = weakref.ref(task.backbone.blocks[0])
    del task
    keras.backend.clear_session()
    gc.collect()
    assert block() is None


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch keeps tensors in frames")
def test_nothing_is_held_after_a_step():
    """An exception that ends the second pass would keep its frames, and attention's tensors."""
    import torch

    rows, length, heads = 4, 23, 2
    ids = np.ones((rows, length), "int32")
    task = kbz.TextClassifier(support.tiny_backbone(remat=True), labels=["no", "yes"])
    task.compile(kbz.create_optimizer(1e-2))
    gc.collect()
    gc.disable()
    try:
        task.train_on_batch(dict.fromkeys(INPUTS, ids), LABELS[:rows])
        held = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]
        assert not [tensor for tensor in held if tensor.shape == (rows, heads, length, length)]
    finally:
        gc.enable()


def test_a_saved_backbone_keeps_the_choice(backbone):
    assert not backbone.remat
    backbone.remat = True
    again = type(backbone).from_config(backbone.get_config())
    assert again.remat
    assert all(block.remat for block in again.blocks)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
def test_a_gradient_that_is_no_number_is_not_hidden():
    import jax

    from keras_bert_zoo.layers import jax_kernels

    def loss(x):
        return (jax_kernels.rematerialized(jax.numpy.sin, x) * x[0]).sum()

    for first, wanted in ((2.0, np.isfinite), (np.nan, np.isnan)):
        assert wanted(jax.grad(loss)(jax.numpy.array([first, 1.0]))).all()


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX has two ways")
def test_the_way_of_gpus(monkeypatch):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(losses.__wrapped__(True), losses.__wrapped__(False), atol=1e-6)
