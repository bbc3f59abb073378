"""Our dense layer is Keras's, whatever the backend makes of it."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo.layers.dense import Dense

X = np.random.default_rng(0).normal(size=(2, 3, 8)).astype("float32")


@pytest.mark.parametrize("settings", [{}, {"activation": "tanh"}, {"use_bias": False}])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_equals_keras(settings, dtype):
    ours, theirs = (
        made(5, bias_initializer="normal", dtype=dtype, **settings)
        for made in (Dense, keras.layers.Dense)
    )
    for layer in (ours, theirs):
        layer.build(X.shape)
    theirs.set_weights([weight + 0.1 for weight in ours.get_weights()])
    one, two = (ops.convert_to_numpy(ops.cast(f(X), "float32")) for f in (ours, theirs))
    assert np.abs(one - two).max() > 0.05
    theirs.set_weights(ours.get_weights())
    two = ops.convert_to_numpy(ops.cast(theirs(X), "float32"))
    # Half precision rounds once where the sum is part of the product, else twice.
    np.testing.assert_allclose(one, two, atol=1e-6 if dtype == "float32" else 0.02)
    assert keras.backend.standardize_dtype(ours(X).dtype) == ours.compute_dtype


def test_lora_and_int8_reach_it():
    layer = Dense(5)
    layer.build(X.shape)
    before = ops.convert_to_numpy(layer(X))
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones((2, 5)))
    assert np.abs(ops.convert_to_numpy(layer(X)) - before).max() > 1e-3

    layer = Dense(5)
    layer.build(X.shape)
    before = ops.convert_to_numpy(layer(X))
    layer.quantize("int8")
    after = ops.convert_to_numpy(layer(X))
    assert 0 < np.abs(after - before).max() < 0.05


def test_whole_numbers_are_taken_as_keras_takes_them():
    ours, theirs = (made(5, bias_initializer="normal") for made in (Dense, keras.layers.Dense))
    x = ops.convert_to_tensor(np.arange(16, dtype="int32").reshape(2, 8))
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights(ours.get_weights())
    one, two = (ops.convert_to_numpy(layer(x)) for layer in (ours, theirs))
    np.testing.assert_allclose(one, two, rtol=1e-5)
