"""AdamW's step by TensorFlow's own operator, wherever a training may run."""

import keras
import numpy as np
import pytest

import keras_bert_zoo as kbz

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow's", allow_module_level=True)
import tensorflow as tf

STEPS = 3
VALUES = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
GRADIENTS = np.random.default_rng(1).normal(size=(STEPS, 4, 3)).astype("float32")


def by_hand(rate, decay, limit):
    """Loshchilov & Hutter's algorithm 2, in float64."""
    value, momentum, velocity = VALUES.astype("float64"), 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS.astype("float64"), start=1):
        gradient = gradient * min(1, limit / np.linalg.norm(gradient))
        momentum = 0.9 * momentum + 0.1 * gradient
        velocity = 0.999 * velocity + 0.001 * gradient**2
        move = (momentum / (1 - 0.9**step)) / np.sqrt(velocity / (1 - 0.999**step))
        value = value - rate * (move + decay * value)
    return value


def moved(around, dtype="float32"):
    """What our AdamW makes of a weight, each step within a function of TensorFlow's."""
    variable = keras.Variable(VALUES, dtype=dtype, name="kernel")
    optimizer = kbz.AdamW(0.01, weight_decay=0.1, epsilon=1e-12, global_clipnorm=2.0)
    optimizer.build([variable])
    step = around(lambda gradient: optimizer.apply([gradient], [variable]))
    for gradient in GRADIENTS:
        step(tf.cast(gradient, dtype))
    return np.asarray(keras.ops.cast(variable, "float32"))


AROUND = {
    "eager": lambda step: step,
    "graph": tf.function,
    "XLA": lambda step: tf.function(step, jit_compile=True),
}


@pytest.mark.parametrize("around", AROUND)
def test_adamw_is_that_of_its_paper(around):
    np.testing.assert_allclose(moved(AROUND[around]), by_hand(0.01, 0.1, limit=2.0), atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_takes_keras_own_step(dtype):
    variables = [keras.Variable(VALUES, dtype=dtype, name=name) for name in ("ours", "keras")]
    optimizers = [make(0.01, epsilon=1e-3) for make in (kbz.AdamW, keras.optimizers.AdamW)]
    for optimizer, variable in zip(optimizers, variables, strict=True):
        for gradient in GRADIENTS:
            optimizer.apply([tf.cast(gradient, dtype)], [variable])
    for held in zip(*(optimizer.variables for optimizer in optimizers), strict=True):
        np.testing.assert_array_equal(*(np.asarray(variable) for variable in held))
    assert np.asarray(optimizers[0]._velocities[0]).any()
    np.testing.assert_allclose(*(np.asarray(keras.ops.cast(v, "float32")) for v in variables))


def test_gradients_of_several_types():
    variables = [keras.Variable(VALUES, dtype=dtype) for dtype in ("float32", "float16")]
    optimizer = kbz.AdamW(0.01, global_clipnorm=1.0)
    wide, narrow = optimizer._clip_gradients([tf.cast(VALUES, v.dtype) for v in variables])
    length = np.sqrt(2) * np.linalg.norm(VALUES)
    np.testing.assert_allclose(wide, VALUES / length, rtol=1e-3)
    assert narrow.dtype == "float16"
    np.testing.assert_allclose(narrow, VALUES / length, rtol=1e-2)


def test_replicas():
    """Within a strategy a weight stands for those of its devices."""
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope():
        found = moved(lambda step: lambda gradient: strategy.run(tf.function(step), (gradient,)))
    np.testing.assert_allclose(found, by_hand(0.01, 0.1, limit=2.0), atol=1e-6)
