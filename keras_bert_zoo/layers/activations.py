"""The activations of `config.ACTIVATIONS`."""

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
