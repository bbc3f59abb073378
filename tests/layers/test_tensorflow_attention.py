"""TensorFlow's attention with dropout gives what its steps give, for all rows and row by row."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of TensorFlow's kernel", allow_module_level=True)

import tensorflow as tf
from support import count_calls
from tensorflow.python.framework import ops

from keras_bert_zoo.layers import SelfAttention, tensorflow_kernels

STATES = np.random.default_rng(0).normal(size=(3, 2, 6, 4)).astype("float32")
PADDING = np.arange(6) < np.array([[6], [2], [0]])  # (3, 6); the last row has no real token
MASKS = {
    "none": None,
    "one for all": np.array([[[[True] * 4 + [False] * 2]]]),
    "padding": PADDING[:, None, None],
    "blocks": (PADDING[:, None] & np.tril(np.ones((6, 6), bool)))[:, None],
}
SEED, STEPS = np.array([3, 4], "int32"), 20_000
AROUND = {
    "eager": lambda function: function,
    "graph": tf.function,
    "graph of any shape": lambda function: tf.function(
        function, input_signature=[tf.TensorSpec([None, 2, None, 4])] * 3
    ),
    "XLA": lambda function: tf.function(function, jit_compile=True),
    "computed again": tf.recompute_grad,
    "computed again in a graph": lambda function: tf.function(tf.recompute_grad(function)),
}


def keep_mask(by_row, queries):
    """What dropout leaves, for all rows by one seed, or for each by its own."""
    rows = [(3, 0)] if not by_row else [(1, number) for number in range(3)]
    masks = [
        tensorflow_kernels.random_mask((size, 2, queries, 6), STEPS, SEED + np.array([number, 0]))
        for size, number in rows
    ]
    return tf.concat(masks, axis=0)


def step_by_step(query, key, value, mask, keep):
    scores = tf.cast(tf.matmul(query, key, transpose_b=True) / 2, "float32")
    scores = scores if mask is None else tf.where(mask, scores, -1e9)
    kept = tf.cast(keep, "float32") * (2**16 / (2**16 - STEPS))
    return tf.matmul(tf.cast(tf.nn.softmax(scores) * kept, value.dtype), value)


def with_gradients(function, arrays):
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tensors)
        loss = tf.reduce_sum(tf.cast(output, "float32") * STATES[:, :, : output.shape[2]])
    return [output, *tape.gradient(loss, tensors)]


def compare(arrays, mask, around, by_row, tolerance=2e-6, **options):
    mask = None if mask is None else tf.constant(mask)

    def kernel(query, key, value):
        return tensorflow_kernels.dropped_attention(query, key, value, SEED, STEPS, mask, **options)

    keep = keep_mask(by_row, arrays[0].shape[2])
    wanted = with_gradients(lambda *each: step_by_step(*each, mask, keep), arrays)
    for one, other in zip(with_gradients(around(kernel), arrays), wanted, strict=True):
        assert one.dtype == other.dtype
        one, other = (tf.cast(each, "float32") for each in (one, other))
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=tolerance)


def arrays_of(queries=6, dtype="float32"):
    query, key, value = (tf.cast(STATES * factor, dtype).numpy() for factor in (1.0, -0.5, 2.0))
    return [query[:, :, :queries], key, value]


@pytest.mark.parametrize("most, by_row", [(3 * 2 * 36, False), (3 * 2 * 36 - 1, True)])
@pytest.mark.parametrize("mask", MASKS)
def test_equals_the_steps(monkeypatch, most, by_row, mask):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", most)
    compare(arrays_of(), MASKS[mask], AROUND["eager"], by_row)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("most, by_row", [(2**20, False), (1, True)])
@pytest.mark.parametrize("around", AROUND)
def test_within_graphs(monkeypatch, most, by_row, around, kept):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", most)
    compare(arrays_of(), MASKS["padding"], AROUND[around], by_row, kept=kept)


@pytest.mark.parametrize("most, by_row", [(2**20, False), (1, True)])
def test_a_single_query(monkeypatch, most, by_row):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", most)
    compare(arrays_of(queries=1), MASKS["padding"], AROUND["graph"], by_row)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.05), ("float16", 5e-3)])
@pytest.mark.parametrize("most, by_row", [(2**20, False), (1, True)])
def test_half_precision(monkeypatch, most, by_row, dtype, tolerance):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", most)
    compare(arrays_of(dtype=dtype), MASKS["padding"], AROUND["graph"], by_row, tolerance)


def test_accelerators_take_all_rows(monkeypatch):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", 1)
    monkeypatch.setattr(tensorflow_kernels, "is_cpu", lambda: False)
    compare(arrays_of(), MASKS["blocks"], AROUND["graph"], by_row=False)


# XLA does not compile the gradient of a loop's gradient.
@pytest.mark.parametrize(
    "around, most, by_row",
    [
        *((around, 2**20, False) for around in ("eager", "graph", "XLA")),
        *((around, 1, True) for around in ("eager", "graph")),
    ],
)
def test_second_derivatives(monkeypatch, around, most, by_row):
    monkeypatch.setattr(tensorflow_kernels, "MOST_NUMBERS", most)
    arrays, keep = [tf.constant(array) for array in arrays_of()], keep_mask(by_row, 6)
    mask = tf.constant(MASKS["padding"])

    def twice(attend):
        def second(*arrays):
            with tf.GradientTape() as outer:
                outer.watch(arrays)
                with tf.GradientTape() as tape:
                    tape.watch(arrays)
                    loss = tf.reduce_sum(attend(*arrays) * STATES)
                slopes = tape.gradient(loss, arrays)
                total = tf.add_n([tf.reduce_sum(slope**2) for slope in slopes])
            return outer.gradient(total, arrays)

        return AROUND[around](second)(*arrays)

    found = twice(lambda *qkv: tensorflow_kernels.dropped_attention(*qkv, SEED, STEPS, mask))
    wanted = twice(lambda *qkv: step_by_step(*qkv, mask, keep))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_no_rows():
    empty = [array[:0] for array in arrays_of()]
    found = tensorflow_kernels.dropped_attention(*empty, SEED, STEPS)
    assert found.shape == (0, 2, 6, 4)


def test_no_gradient_is_registered_for_each_layer(monkeypatch):
    registered = count_calls(monkeypatch, ops, "RegisterGradient")
    for _ in range(3):
        layer = SelfAttention(2, dropout=0.2)
        layer.build((None, None, 16))

        @tf.function
        def train(layer=layer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(layer(np.ones((2, 7, 16), "float32"), training=True))
            return tape.gradient(loss, layer.trainable_weights[0].value)

        train()
    assert len(registered) <= 1
