"""What TensorFlow does in fewer steps than Keras asks of it."""

import tensorflow as tf


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


def empty(shape, dtype):
    """A tensor of whatever lies in memory: zeros would be written to every page of it."""
    return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)


def is_eager(_):
    """Whether tensors are computed at once, on one device, and not traced."""
    return tf.executing_eagerly() and not tf.distribute.has_strategy()


def compiled(function):
    """A function of tensors as a graph; a single one for their shapes after the second."""
    traced = tf.function(function, autograph=False, reduce_retracing=True)

    def run(*tensors):
        # A variable would be traced anew for each.
        return traced(*tf.nest.map_structure(_read, tensors))

    return run


def _read(variable):
    return None if variable is None else tf.convert_to_tensor(variable)
