"""The activations of `config.ACTIVATIONS`."""

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


def for_training(function):
    """The function to take in training: on TensorFlow the GELUs' gradients are our own there.

    Args:
        function: function of a tensor. One of `activation_function`'s, or any other.

    Returns:
        function of a tensor, with the same values; `function` itself where nothing is spared.
    """
    if keras.backend.backend() != "tensorflow" or function not in (_gelu, _gelu_approximate):
        return function
    from keras_bert_zoo.layers import tensorflow_gradients as ours

    return ours.gelu if function is _gelu else ours.gelu_approximate
