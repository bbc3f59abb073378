"""What new weights start from."""

import contextlib
import contextvars

import keras
from keras import ops

# The parts whose weights are loaded next.
_FOLLOWING = contextvars.ContextVar("following", default=())


@contextlib.contextmanager
def weights_follow(*parts):
    """Within it parts of a model start from nothing, since their weights are loaded next.

    To draw them at random would take most of the time of loading a model.

    Args:
        *parts: `"encoder"`, `"pooler"`.
    """
    token = _FOLLOWING.set(parts)
    try:
        yield
    finally:
        _FOLLOWING.reset(token)


def initializer(initializer_range, part="encoder"):
    """A truncated normal of its own seed: Keras gives the same values twice from one instance.

    Args:
        initializer_range: float. The standard deviation.
        part: str. What the weight belongs to, as `weights_follow` names it.

    Source: Google's `modeling.create_initializer`.
    """
    # Made in any case, so that what is drawn after it does not hang on whether it was.
    normal = keras.initializers.TruncatedNormal(stddev=initializer_range)
    return Unset(normal) if part in _FOLLOWING.get() else normal


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Unset(keras.initializers.Initializer):
    """Whatever lies in memory.

    Args:
        initializer: Initializer. What a copy of this one is, since nothing is loaded into copies.
    """

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, shape, dtype=None):
        backend = keras.backend.backend()
        if backend == "tensorflow":  # whose `ops.empty` writes zeros
            from keras_bert_zoo.layers import tensorflow_kernels

            return tensorflow_kernels.empty(shape, dtype)
        if backend == "jax":  # as does its
            from keras_bert_zoo.layers import jax_kernels

            return jax_kernels.empty(shape, dtype)
        return ops.empty(shape, dtype=dtype)

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}

    @classmethod
    def from_config(cls, config):
        return keras.initializers.deserialize(config["initializer"])
