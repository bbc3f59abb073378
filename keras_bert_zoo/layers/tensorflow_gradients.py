"""Functions whose gradients need one array, where TensorFlow would keep three to five for them."""

import math

import tensorflow as tf


def gelu(x):
    """`x` times the share of a normal distribution that lies below it.

    Args:
        x: float, of any shape.

    Returns:
        tensor of the same shape and type.

    Source: Hendrycks & Gimpel 2016.
    """
    return _with_slope(x, False)


def gelu_approximate(x):
    """`gelu` by tanh, as in Google's BERT."""
    return _with_slope(x, True)


# Each a function of TensorFlow's, as `tensorflow_kernels._dropped` is: the gradient of every call
# would stay registered with the graph around it.
@tf.function(autograph=False, reduce_retracing=True)
def _with_slope(x, approximate):
    @tf.custom_gradient
    def activate(x):
        # In float32 or better: near -4 half precision would leave nothing of `1 + erf`.
        wide = tf.cast(x, "float32") if x.dtype.size < 4 else x
        share, density = (_by_tanh if approximate else _by_erf)(wide)
        slope = tf.cast(share + wide * density, x.dtype)
        return tf.cast(wide * share, x.dtype), lambda gradient: gradient * slope

    return activate(x)


def _by_erf(x):
    """A normal distribution's share below `x`, and that share's slope."""
    share = 0.5 * (1 + tf.math.erf(x * math.sqrt(0.5)))
    return share, tf.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


def _by_tanh(x):
    """The same, approximately."""
    root, cubic = math.sqrt(2 / math.pi), 0.044715
    tanh = tf.tanh(root * x * (1 + cubic * x * x))
    return 0.5 * (1 + tanh), 0.5 * (1 - tanh * tanh) * root * (1 + 3 * cubic * x * x)


@tf.function(autograph=False, reduce_retracing=True)
def layer_normalization(inputs, gamma, beta, epsilon):
    """Layer normalization over the last axis.

    Args:
        inputs: float, `(…, D)`.
        gamma, beta: of the same type, `(D,)`.
        epsilon: float.

    Returns:
        tensor of the inputs' shape and type.

    Source: Ba et al. 2016.
    """

    @tf.custom_gradient
    def normalize(inputs, gamma, beta):
        centred = inputs - _mean(inputs)
        scale = tf.math.rsqrt(_mean(tf.square(centred)) + epsilon)  # (…, 1)
        normal = centred * scale

        def gradients(gradient):
            of_normal = gradient * gamma
            along = _mean(of_normal * normal)
            of_inputs = scale * (of_normal - _mean(of_normal) - normal * along)
            rows = tf.range(tf.rank(inputs) - 1)
            of_gamma = tf.reduce_sum(gradient * normal, rows)
            return of_inputs, of_gamma, tf.reduce_sum(gradient, rows)

        return normal * gamma + beta, gradients

    return normalize(inputs, gamma, beta)


def _mean(x):
    return tf.reduce_mean(x, axis=-1, keepdims=True)
