"""The same weights, batches and optimizer give the same losses as transformers on PyTorch."""

import keras
import numpy as np
import pytest
import tiny_transformers as tiny
from tiny_transformers import torch

import keras_bert_zoo as kbz

STEPS, ROWS, LENGTH, CLASSES = 50, 8, 12, 3
# A new model's initialisation, as in practice; without dropout, which no two packages draw alike.
FIELDS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
OPTIMIZER = {"learning_rate": 5e-4, "weight_decay": 0.01}
# Next to nothing: Keras adds epsilon before the bias correction, PyTorch after it.
EPSILON = 1e-11


def classes_of_texts(ids, mask, random):
    """A class by the first token of a text."""
    labels = ids[:, 1] % CLASSES
    return labels, {"labels": labels}


def classes_of_tokens(ids, mask, random):
    """A class by each token; every third does not count."""
    labels = np.where((ids % 3 > 0) & (mask > 0), ids % CLASSES, -100)
    return labels, {"labels": labels}


def spans(ids, mask, random):
    """From the greatest token on, two of them."""
    start = ids[:, :-1].argmax(axis=1)
    return {"start": start, "end": start + 1}, {
        "start_positions": start,
        "end_positions": start + 1,
    }


TASKS = {
    "BertForSequenceClassification": (kbz.TextClassifier, classes_of_texts),
    "BertForTokenClassification": (kbz.TokenClassifier, classes_of_tokens),
    "BertForQuestionAnswering": (kbz.QuestionAnswerer, spans),
}


def batches(class_name):
    """Inputs of our names, our labels and theirs."""
    label = TASKS[class_name][1]
    for step in range(STEPS):
        random = np.random.default_rng(step % 5)  # few enough to be learned
        ids = random.integers(5, 40, (ROWS, LENGTH))
        lengths = random.integers(4, LENGTH + 1, ROWS)
        if class_name == "BertForQuestionAnswering":
            lengths[:] = LENGTH  # transformers lets an answer begin in the padding
        mask = (np.arange(LENGTH) < lengths[:, None]).astype("int64")
        segments = (np.arange(LENGTH) >= LENGTH // 2).astype("int64") * mask
        arrays = {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}
        yield arrays, *label(ids, mask, random)


def their_losses(model, class_name):
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=OPTIMIZER["learning_rate"], weight_decay=0.01, eps=EPSILON
    )
    model.train()
    losses = []
    for arrays, _, labels in batches(class_name):
        inputs = {tiny.OURS[name]: torch.tensor(array) for name, array in arrays.items()}
        loss = model(**inputs, **{name: torch.tensor(y) for name, y in labels.items()}).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def our_losses(model, class_name, **changes):
    settings = {**OPTIMIZER, "epsilon": EPSILON, "no_decay": (), **changes}
    model.compile(optimizer=kbz.AdamW(**settings))
    losses = []
    for arrays, y, _ in batches(class_name):
        history = model.fit(arrays, y, batch_size=ROWS, shuffle=False, verbose=0)
        losses.append(history.history["loss"][0])
    return losses


@pytest.mark.parametrize("class_name", TASKS)
def test_fifty_losses(tmp_path, class_name):
    keras.utils.set_random_seed(0)
    torch.manual_seed(0)
    count = 2 if class_name == "BertForQuestionAnswering" else CLASSES
    config = tiny.transformers.BertConfig(**{**tiny.SIZES, **FIELDS, "num_labels": count})
    theirs = tiny.build(class_name, config)
    tiny.save(theirs, tmp_path)
    task = TASKS[class_name][0]
    expected = their_losses(theirs, class_name)
    found = our_losses(task.from_preset(tmp_path), class_name)
    assert np.abs(np.subtract(found, expected)).max() <= 1e-4
    assert expected[-1] < 0.9 * expected[0], "the comparison means little where nothing is learned"
    # A negative control: a slightly other rate is seen.
    other = our_losses(task.from_preset(tmp_path), class_name, learning_rate=5.5e-4)
    assert np.abs(np.subtract(other, expected)).max() > 1e-3
