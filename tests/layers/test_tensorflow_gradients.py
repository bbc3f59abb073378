"""Functions with gradients of their own on TensorFlow give what automatic gradients give."""

import math

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of TensorFlow's gradients", allow_module_level=True)

import tensorflow as tf
from support import count_calls
from tensorflow.python.framework import ops

from keras_bert_zoo.layers import EncoderBlock, EncoderEmbeddings, MaskedLMHead
from keras_bert_zoo.layers import tensorflow_gradients as ours
from keras_bert_zoo.layers.activations import activation_function, for_training
from keras_bert_zoo.layers.normalization import LayerNormalization

EPSILON = 1e-3  # large enough to be seen
RANDOM = np.random.default_rng(0)
STATES = RANDOM.normal(size=(3, 5, 8)) * 2
GAMMA, BETA = RANDOM.normal(size=8) + 1, RANDOM.normal(size=8)
TARGET = RANDOM.normal(size=(3, 5, 8))


def by_the_definition(inputs, gamma, beta):
    mean, variance = tf.nn.moments(inputs, -1, keepdims=True)
    return (inputs - mean) / tf.sqrt(variance + EPSILON) * gamma + beta


def gelu_by_tanh(x):
    return 0.5 * x * (1 + tf.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)))


FUNCTIONS = {
    "gelu": (ours.gelu, lambda x: 0.5 * x * (1 + tf.math.erf(x / 2**0.5)), [STATES]),
    "gelu_approximate": (ours.gelu_approximate, gelu_by_tanh, [STATES]),
    "layer_normalization": (
        lambda *inputs: ours.layer_normalization(*inputs, EPSILON),
        by_the_definition,
        [STATES, GAMMA, BETA],
    ),
}
AROUND = {
    "eager": lambda function: function,
    "graph": tf.function,
    "graph of any shape": lambda function: tf.function(function, reduce_retracing=True),
    "XLA": lambda function: tf.function(function, jit_compile=True),
    "computed again": tf.recompute_grad,
    "computed again in a graph": lambda function: tf.function(tf.recompute_grad(function)),
}


def with_gradients(function, inputs):
    """What a function gives, and the gradients of its sum with weights."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = function(*inputs)
        loss = tf.reduce_sum(output * tf.cast(TARGET[: len(output)], output.dtype))
    return [output, *tape.gradient(loss, inputs)]


def second_derivatives(function, inputs):
    """Of the squares of the gradients."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        _, *slopes = with_gradients(function, inputs)
        total = tf.add_n([tf.reduce_sum(slope**2) for slope in slopes])
    return tape.gradient(total, inputs, unconnected_gradients="zero")


def compare(name, around, dtype="float64", tolerance=1e-10):
    function, definition, arrays = FUNCTIONS[name]
    inputs = [tf.constant(array, dtype) for array in arrays]
    exact = [tf.cast(each, "float64") for each in inputs]
    found = with_gradients(around(function), inputs)
    for one, other in zip(found, with_gradients(definition, exact), strict=True):
        assert one.dtype == dtype
        gap = np.abs(tf.cast(one, "float64") - other).max()
        assert gap <= tolerance * np.abs(other).max()


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name, around):
    compare(name, AROUND[around])


@pytest.mark.parametrize("around", ["eager", "graph", "XLA"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name, around):
    function, definition, arrays = FUNCTIONS[name]
    inputs = [tf.constant(array) for array in arrays]
    found = AROUND[around](lambda *inputs: second_derivatives(function, inputs))(*inputs)
    for one, other in zip(found, second_derivatives(definition, inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "dtype, tolerance", [("float32", 2e-6), ("bfloat16", 0.03), ("float16", 4e-3)]
)
@pytest.mark.parametrize("name", ["gelu", "gelu_approximate"])
def test_lower_precision(name, dtype, tolerance):
    compare(name, AROUND["graph"], dtype, tolerance)


def test_normalization_in_float32():
    compare("layer_normalization", AROUND["graph"], "float32", 2e-6)


def test_shapes_one_after_another():
    for rows in (1, 2, 3, 0):
        for function, definition, (states, *others) in FUNCTIONS.values():
            inputs = [tf.constant(states[:rows]), *map(tf.constant, others)]
            pairs = zip(
                with_gradients(function, inputs), with_gradients(definition, inputs), strict=True
            )
            for one, other in pairs:
                np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize(
    "policy", ["float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float64"]
)
def test_the_layer_trains_as_it_predicts(policy):
    layer = LayerNormalization(epsilon=EPSILON, dtype=policy)
    layer.build((None, None, 8))
    layer.set_weights([GAMMA, BETA])
    states = tf.constant(STATES, layer.compute_dtype)
    trained, predicted = layer(states, training=True), layer(states)
    assert trained.dtype == predicted.dtype == layer.compute_dtype
    gap = np.abs(tf.cast(trained, "float64") - tf.cast(predicted, "float64")).max()
    assert gap < (0.05 if "float16" in policy else 1e-5)


@pytest.mark.parametrize(
    "options",
    [{"axis": 1}, {"axis": [1, 2]}, {"scale": False}, {"center": False}, {"axis": 2}, {"axis": -1}],
    ids=str,
)
def test_the_layer_with_other_options_is_that_of_keras(options):
    states = tf.constant(STATES[:, :, :5], "float32")  # two axes of one size
    layers = [cls(**options) for cls in (LayerNormalization, keras.layers.LayerNormalization)]
    for layer in layers:
        layer.build(states.shape)
        for number, weight in enumerate(layer.weights):
            weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    one, other = layers[0](states, training=True), layers[1](states)
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 2**-8), ("float16", 3e-3)])
@pytest.mark.parametrize("name", ["gelu", "gelu_approximate"])
def test_half_precision_keeps_small_values(name, dtype, tolerance):
    x = tf.cast(tf.linspace(-3.5, 3.5, 57), dtype)
    found = for_training(activation_function(name))(x)
    wanted = FUNCTIONS[name][1](tf.cast(x, "float64"))
    np.testing.assert_allclose(tf.cast(found, "float64"), wanted, rtol=tolerance)


@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate"])
def test_training_takes_them(monkeypatch, activation):
    normalized = count_calls(monkeypatch, ours, "layer_normalization")
    activated = count_calls(monkeypatch, ours, activation)
    embeddings = EncoderEmbeddings(11, 8, 16)
    block = EncoderBlock(2, 12, activation=activation)
    head = MaskedLMHead(embeddings, activation=activation)
    for training in (False, True):
        states = embeddings(np.ones((2, 5), "int32"), training=training)
        head(block(states, training=training), training=training)
        assert (len(normalized), len(activated)) == ((4, 2) if training else (0, 0))


def test_an_activation_of_the_users_own_stays():
    def doubled(x):
        return 2 * x

    assert for_training(doubled) is doubled
    assert for_training(activation_function("relu")) is activation_function("relu")


def test_no_gradient_is_registered_for_each_call(monkeypatch):
    registered = count_calls(monkeypatch, ops, "RegisterGradient")

    def train(activate):
        @tf.function
        def step(states):
            with tf.GradientTape() as tape:
                tape.watch(states)
                outputs = ours.layer_normalization(activate(states), GAMMA, BETA, EPSILON)
            return tape.gradient(outputs, states)

        step(tf.constant(STATES))

    for _ in range(4):
        train(ours.gelu)
    assert len(registered) <= 2
    for _ in range(4):  # without a function of TensorFlow's around it
        train(unwrapped)
    assert len(registered) >= 4


def unwrapped(x):
    return ours._with_slope.python_function(x, False)
