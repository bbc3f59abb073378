"""Pretrainer's losses and gradients are those of `transformers.BertForPreTraining`."""

import keras
import numpy as np
import pytest
import tiny_transformers as tiny
from tiny_transformers import torch

import keras_bert_zoo as kbz

ROWS, LENGTH, MASKS = 5, 12, 3
FIELDS = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def batch():
    """Ours as `(x, y, sample_weight)`, and theirs; some rows have fewer tokens and fewer masks."""
    random = np.random.default_rng(4)
    ids = random.integers(5, 40, (ROWS, LENGTH))
    lengths, counts = np.array([12, 9, 12, 7, 10]), np.array([3, 2, 3, 1, 2])
    x = {
        "token_ids": ids,
        "segment_ids": np.tile(np.arange(LENGTH) >= 5, (ROWS, 1)).astype("int32"),
        "padding_mask": (np.arange(LENGTH) < lengths[:, None]).astype("int32"),
        "mask_positions": np.stack([np.sort(random.permutation(6)[:MASKS]) for _ in range(ROWS)]),
    }
    y = {
        "masked_lm": random.integers(5, 40, (ROWS, MASKS)),
        "next_sentence": random.integers(0, 2, ROWS),
    }
    counting = np.arange(MASKS) < counts[:, None]
    weights = {"masked_lm": counting.astype("float32"), "next_sentence": np.ones(ROWS, "float32")}
    labels = np.full((ROWS, LENGTH), -100)
    rows = np.repeat(np.arange(ROWS), counts)
    labels[rows, x["mask_positions"][counting]] = y["masked_lm"][counting]
    theirs = {
        **{theirs: torch.tensor(x[ours]) for ours, theirs in tiny.OURS.items()},
        "labels": torch.tensor(labels),
        "next_sentence_label": torch.tensor(y["next_sentence"]),
    }
    return (x, y, weights), theirs


@pytest.fixture
def models(tmp_path):
    """The same weights on both sides."""
    theirs = tiny.make("BertForPreTraining", **FIELDS)
    tiny.save(theirs, tmp_path / "theirs")
    return kbz.Pretrainer.from_preset(tmp_path / "theirs"), theirs


@pytest.mark.parametrize("rows_a_batch", [5, 8])
def test_the_loss_is_theirs(models, rows_a_batch):
    ours, theirs = models
    (x, y, weights), inputs = batch()
    found = ours.evaluate(
        x, y, sample_weight=weights, batch_size=rows_a_batch, verbose=0, return_dict=True
    )
    with torch.no_grad():
        expected = float(theirs(**inputs).loss)
    assert found["loss"] == pytest.approx(expected, abs=1e-5)
    assert found["loss"] == pytest.approx(
        found["masked_lm_loss"] + found["next_sentence_loss"], abs=1e-5
    )


@pytest.mark.parametrize("wrong", [False, True], ids=["as theirs", "with every place counted"])
def test_the_gradients_are_theirs(models, tmp_path, wrong):
    """Seen by a step of plain descent at a rate of 1, which takes each off its weight."""
    ours, theirs = models
    (x, y, weights), inputs = batch()
    if wrong:
        weights["masked_lm"] = np.ones_like(weights["masked_lm"])
    ours.compile(keras.optimizers.SGD(1.0))
    ours.fit(x, y, sample_weight=weights, batch_size=ROWS, verbose=0)
    ours.export_to_transformers(tmp_path / "ours")
    theirs(**inputs).loss.backward()
    stepped = tiny.transformers.BertForPreTraining.from_pretrained(tmp_path / "ours").state_dict()
    worst, moved = 0.0, 0.0
    for name, weight in theirs.named_parameters():
        after = (weight - weight.grad).detach()
        worst = max(worst, float((stepped[name] - after).abs().max()))
        moved = max(moved, float(weight.grad.abs().max()))
    assert moved > 0.05
    assert worst > 1e-3 if wrong else worst <= 1e-4
