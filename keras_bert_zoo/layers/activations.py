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
    """The same function, on TensorFlow with gradients that need less memory.

    Args:
        function: function of a tensor: one of `activation_function`'s; any other is given back.
    """
    if keras.backend.backend() == "tensorflow" and function in (_gelu, _gelu_approximate):
        from keras_bert_zoo.layers import tensorflow_gradients

        name = "gelu" if function is _gelu else "gelu_approximate"
        return getattr(tensorflow_gradients, name)
    return function
