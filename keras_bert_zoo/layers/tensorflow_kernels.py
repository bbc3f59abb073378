"""What TensorFlow does in fewer steps than Keras asks of it."""

import math

import tensorflow as tf

from keras_bert_zoo.layers.devices import MOST_NUMBERS, is_cpu
from keras_bert_zoo.layers.dropout_steps import scale_of


def random_mask(shape, steps, seed):
    """A bool mask, False at `steps` in 65,536 of its places: two from each number drawn.

    Args:
        shape: tuple of ints and scalar tensors.
        steps: int, above 0 and below 65,536.
        seed: int, `(2,)`.
    """
    *rows, width = shape
    half = (width + 1) // 2
    seed = tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)  # all that XLA takes
    words = tf.random.stateless_uniform([*rows, half], seed, None, None, tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.int16), [*rows, 2 * half])
    return (halves >= tf.constant(steps - 2**15, tf.int16))[..., :width]


def add_bias(rows, bias):
    """`rows + bias`, `(N, U)` and `(U,)`, as graphs join it to the product that `rows` are."""
    return tf.nn.bias_add(rows, bias)


def empty(shape, dtype):
    """A tensor of whatever lies in memory: zeros would be written to every page of it."""
    return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)


def is_eager(_):
    """Whether tensors are computed at once, on one device, and not traced."""
    return tf.executing_eagerly() and not tf.distribute.has_strategy()


def compiled(function):
    """A function of tensors as a graph; a single one for their shapes after the second."""
    return tf.function(function, autograph=False, reduce_retracing=True)


def dropped_attention(query, key, value, seed, steps, mask=None, kept=True, wanted=True):
    """Scaled dot-product attention with dropout on the probabilities.

    At most one array of them is kept for the gradients. Where there are many, on CPUs, all else
    that is as large lies in memory for one row at a time.

    Args:
        query: float, `(B, H, Q, K)`, of Q queries.
        key, value: float, `(B, H, L, K)`.
        seed: int, `(2,)`.
        steps: int, above 0 and below 65,536. How many of as many probabilities are dropped.
        mask: bool, broadcast to `(B, H, Q, L)`, or None. True where a query may look at a key.
        kept: bool. Whether that array is kept, and not computed again. Defaults to True.
        wanted: bool. False where gradients alone are, as when a block is computed again without
            `kept`. Defaults to True.

    Returns:
        float, `(B, H, Q, K)`; zeros where it is not wanted.
    """
    mask = tf.ones((1, 1, 1, 1), bool) if mask is None else mask
    mask = tf.broadcast_to(mask, [tf.shape(query)[0], *tf.unstack(tf.shape(mask))[1:]])
    most = MOST_NUMBERS if is_cpu() else None
    return _dropped(query, key, value, mask, seed, steps, most, kept, wanted)


# TensorFlow registers a gradient for good, with the graph it is of: here this function's own, which
# is traced once and not for each layer and model.
@tf.function(autograph=False, reduce_retracing=True)
def _dropped(query, key, value, mask, seed, steps, most, kept, wanted):
    def draw(number, query, key, mask):
        # The other half of a seed counts the calls.
        own_seed = tf.stack([tf.cast(number, seed.dtype), 0]) + seed
        return _probabilities(query, key, mask, own_seed, steps)

    def forward(number, query, key, value, mask):
        signed = draw(number, query, key, mask)
        context = _context(signed, value, steps)
        return (context, signed) if kept else (context,)

    def backward(number, query, key, value, mask, gradient, *signed):
        (signed,) = signed or (draw(number, query, key, mask),)
        return _attend_backward(query, key, value, mask, signed, gradient, steps)

    @tf.custom_gradient
    def attend(query, key, value):
        context, *signed = (
            _by_rows(forward, 1 + kept, most, query, key, value, mask)
            if wanted
            else (tf.zeros_like(query),)
        )

        def gradients(gradient):
            return _by_rows(backward, 3, most, query, key, value, mask, gradient, *signed)

        return context, gradients

    return attend(query, key, value)


def _by_rows(function, results, most, query, key, *others):
    """What a function gives for all rows, where their probabilities are many for one at a time.

    Args:
        function: function of a number, which differs from row to row, and some of the rows.
        results: int. How many tensors of the query's type it gives.
        most: int or None. Of probabilities for all rows at a time; None for any number.
        query, key, *others: tensors, `(B, …)`.
    """

    def whole():
        return function(0, query, key, *others)

    def row_by_row():
        def run(row):
            number, *tensors = row
            found = function(number, *(tensor[tf.newaxis] for tensor in tensors))
            return tuple(tensor[0] for tensor in found)

        signature = (tf.TensorSpec(None, query.dtype),) * results
        parts = (tf.range(tf.shape(query)[0]), query, key, *others)
        return tf.map_fn(run, parts, parallel_iterations=1, fn_output_signature=signature)

    if most is None:
        return whole()
    sizes = (*query.shape[:3], key.shape[2])
    if None not in sizes:  # until a process has met two shapes; XLA differentiates no `cond` twice
        return whole() if math.prod(sizes) <= most else row_by_row()
    # In 64 bits: the largest batches have more than 2**31.
    numbers = tf.reduce_prod(tf.shape(query, "int64")[:3]) * tf.shape(key, "int64")[2]
    return tf.cond(numbers <= most, whole, row_by_row)


def _probabilities(query, key, mask, seed, steps):
    """The probabilities of some rows, negative where dropout takes them away."""
    scores = tf.matmul(query / _root(query), key, transpose_b=True)  # (B, H, Q, L)
    # Finite, so that a row with no real token gives numbers rather than NaN.
    probabilities = tf.nn.softmax(tf.where(mask, tf.cast(scores, "float32"), -1e9))
    keep = random_mask(tf.unstack(tf.shape(probabilities)), steps, seed)
    return tf.cast(tf.where(keep, probabilities, -probabilities), query.dtype)


def _context(signed, value, steps):
    return tf.matmul(tf.nn.relu(signed), value * scale_of(steps))


def _attend_backward(query, key, value, mask, signed, gradient, steps):
    root, gradient = _root(query), gradient * scale_of(steps)
    dropped = tf.nn.relu(signed)  # (B, H, Q, L)
    # The gradients of the probabilities times these, which the softmax's are made of.
    weighted = tf.cast(tf.matmul(gradient, value, transpose_b=True) * dropped, "float32")
    shares = tf.cast(tf.abs(signed), "float32")
    of_scores = weighted - shares * tf.reduce_sum(weighted, axis=-1, keepdims=True)
    of_scores = tf.cast(tf.where(mask, of_scores, 0.0), query.dtype)
    # Divided after the sum: half precision would lose small ones before.
    return (
        tf.matmul(of_scores, key) / root,
        tf.matmul(of_scores, query / root, transpose_a=True),
        tf.matmul(dropped, gradient, transpose_a=True),
    )


def _root(query):
    """The square root of a head's width, of the query's type."""
    return tf.sqrt(tf.cast(tf.shape(query)[-1], query.dtype))
