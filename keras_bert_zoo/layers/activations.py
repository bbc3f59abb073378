"""The activations of `config.ACTIVATIONS`."""

import keras
from keras import ops


def _gelu(x, training=False):
    if training and keras.backend.backend() == "tensorflow":
        from keras_bert_zoo.layers import tensorflow_gradients

        return tensorflow_gradients.gelu(x)
    return ops.gelu(x, approximate=False)


def _gelu_approximate(x, training=False):
    if training and keras.backend.backend() == "tensorflow":
        from keras_bert_zoo.layers import tensorflow_gradients

        return tensorflow_gradients.gelu_approximate(x)
    return ops.gelu(x, approximate=True)


def _as_ever(function):
    return lambda x, training=False: function(x)


_FUNCTIONS = {
    "gelu": _gelu,
    "gelu_approximate": _gelu_approximate,
    "relu": _as_ever(ops.relu),
    "silu": _as_ever(ops.silu),
    "tanh": _as_ever(ops.tanh),
}


def activation_function(name):
    """The function of an activation's name in `config.ACTIVATIONS`.

    It takes a tensor, and `training=True` where gradients will be asked for: on TensorFlow those of
    the GELUs are then our own, which need less memory.
    """
    return _FUNCTIONS[name]
