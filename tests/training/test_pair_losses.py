"""Losses of pairs against numpy."""

import numpy as np
import pytest
from keras import ops

from keras_bert_zoo.training.pair_losses import SCALE, mean_pair_loss

VECTORS = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0], "float32")
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=-1, keepdims=True)
FIRSTS, SECONDS = UNIT[::2], UNIT[1::2]


def loss(scores, real=(True,) * 4):
    arrays = (np.repeat(each, 2) for each in (scores, WEIGHTS, np.array(real)))
    return float(
        mean_pair_loss(ops.convert_to_tensor(VECTORS), *map(ops.convert_to_tensor, arrays))
    )


def test_cosines():
    scores = np.array([1.0, 0.0, 0.3, -1.0], "float32")
    wanted = ((FIRSTS * SECONDS).sum(axis=-1) - scores) ** 2
    assert loss(scores) == pytest.approx(np.average(wanted, weights=WEIGHTS), abs=1e-5)


@pytest.mark.parametrize("count", [4, 3])
def test_the_other_seconds_of_the_batch(count):
    scores = SCALE * FIRSTS @ SECONDS[:count].T  # the last pair may only fill up the batch
    wanted = np.log(np.exp(scores).sum(axis=-1))[:3] - scores.diagonal()[:3]
    found = loss(np.zeros(4, "int32"), [True, True, True, count == 4])
    assert found == pytest.approx(np.average(wanted, weights=WEIGHTS[:3]), abs=1e-4)
