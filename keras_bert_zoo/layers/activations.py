"""The activations of `config.ACTIVATIONS`, and the initializer of new weights."""

import keras
from keras import ops


def _gelu(x):
    return ops.gelu(x, approximate=False)


def _gelu_approximate(x):
    return ops.gelu(x, approximate=True)


_FUNCTIONS = {
    "gelu": _gelu,
    "gelu_approximate": _gelu_approximate,
    "relu": ops.relu,
    "silu": ops.silu,
    "tanh": ops.tanh,
}


def activation_function(name):
    """The function of an activation's name in `config.ACTIVATIONS`."""
    return _FUNCTIONS[name]


def initializer(initializer_range):
    """A truncated normal of its own seed: Keras gives the same values twice from one instance.

    Source: Google's `modeling.create_initializer`.
    """
    return keras.initializers.TruncatedNormal(stddev=initializer_range)
