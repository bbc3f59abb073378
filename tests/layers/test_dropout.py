"""Dropout keeps what Keras's keeps: the rate, the expectation, the gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo.layers.dropout import Dropout

SHAPE = (64, 40, 131)  # an odd width: the last number drawn serves one place


def drawn(rate, shape=SHAPE, **options):
    """What a layer makes of ones, and that once more."""
    layer, ones = Dropout(rate, **options), np.ones(shape, "float32")
    return [ops.convert_to_numpy(layer(ones, training=True)) for _ in range(2)]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.937])
def test_the_rate_and_the_mean(rate):
    for found in drawn(rate):
        error = (rate * (1 - rate) / found.size) ** 0.5
        assert abs((found == 0).mean() - rate) < 4 * error + 2**-17
        assert abs(found.mean() - 1) < 4 * error / (1 - rate)
        np.testing.assert_allclose(found[found != 0], 1 / (1 - rate), rtol=2e-4)


def test_places_are_independent():
    one, two = (found == 0 for found in drawn(0.3))
    pairs = [(one, two), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1])]
    # Places that may share a number: neighbours, and the halves of a row.
    pairs += [(one[..., step:], one[..., :-step]) for step in (1, 2, 3, 65, 66)]
    for first, second in pairs:
        both = (first & second).mean()
        assert abs(both - 0.09) < 4 * (0.09 * 0.91 / first.size) ** 0.5
    # Each place of a row, and so each part of a number, has the same rate.
    shares = (one.reshape(-1, SHAPE[-1]) | two.reshape(-1, SHAPE[-1])).mean(axis=0)
    assert np.abs(shares - 0.51).max() < 5 * (0.51 * 0.49 / (SHAPE[0] * SHAPE[1])) ** 0.5


def test_gradients_are_those_of_the_mask():
    # Rows of an identity bring the kernel itself, all ones, before the dropout.
    dense = keras.layers.Dense(50, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((9,)), dense, Dropout(0.4)])
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, output: ops.mean(output, axis=-1))
    loss = model.train_on_batch(np.eye(9), np.zeros((9, 50)))
    gradient = 1 - dense.get_weights()[0]
    np.testing.assert_allclose(gradient.sum(), loss, rtol=1e-4)
    kept = gradient != 0
    np.testing.assert_allclose(gradient[kept], 1 / 0.6 / gradient.size, rtol=1e-4)
    assert 0.5 < kept.mean() < 0.7


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays(dtype):
    found = Dropout(0.25, dtype=dtype)(ops.ones((40, 1000), dtype), training=True)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    np.testing.assert_allclose(found[found != 0], 4 / 3, rtol=4e-3)
    assert abs((found == 0).mean() - 0.25) < 4 * (0.25 * 0.75 / found.size) ** 0.5


@pytest.mark.parametrize("rate, wanted", [(0.0, 1.0), (1e-7, 1.0), (1.0, 0.0)])
def test_rates_at_the_ends(rate, wanted):
    for found in drawn(rate):
        np.testing.assert_array_equal(found, wanted)


def test_a_rate_next_to_one_drops_nearly_all():
    assert (drawn(1 - 1e-6)[0] == 0).mean() > 0.99


def test_no_rows():
    assert drawn(0.5, shape=(0, 7))[0].shape == (0, 7)


def test_prediction_draws_nothing():
    layer, ones = Dropout(0.5), np.ones((3, 7), "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(ones)), ones)


def test_a_seed_repeats():
    for one, two in zip(drawn(0.5, seed=4), drawn(0.5, seed=4), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_shared_mask_is_that_of_keras():
    found = drawn(0.5, shape=(6, 20, 9), noise_shape=(6, 1, 9))[0]
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))


def test_keras_reads_it_back():
    config = keras.saving.serialize_keras_object(Dropout(0.3, name="kept"))
    again = keras.saving.deserialize_keras_object(config)
    assert (type(again), again.rate, again.name) == (Dropout, 0.3, "kept")
