"""What new weights start from."""

import contextlib
import contextvars

import keras
from keras import ops

_PARTS = contextvars.ContextVar("parts", default=())  # those whose weights are loaded next
_UNSET = contextvars.ContextVar("unset", default=None)  # values until then, by shape and type


@contextlib.contextmanager
def weights_follow(*parts):
    """Within it parts of a model start from nothing, since their weights are loaded next.

    To draw them at random would take most of the time of loading a model. Until they are loaded,
    weights of one shape and type share their memory on JAX and TensorFlow, which replace it then.

    Args:
        *parts: `"encoder"`, `"pooler"`.
    """
    parts_before, unset_before = _PARTS.set(parts), _UNSET.set({})
    try:
        yield
    finally:
        _PARTS.reset(parts_before)
        _UNSET.reset(unset_before)


def initializer(initializer_range, part="encoder"):
    """A truncated normal of its own seed: Keras gives the same values twice from one instance.

    Args:
        initializer_range: float. The standard deviation.
        part: str. What the weight belongs to, as `weights_follow` names it.

    Source: Google's `modeling.create_initializer`.
    """
    # Made in any case, so that what is drawn after it does not hang on whether it was.
    return _unless_loaded(keras.initializers.TruncatedNormal(stddev=initializer_range), part)


def zeros():
    """What an encoder's bias starts from."""
    return _unless_loaded(keras.initializers.Zeros())


def ones():
    """What an encoder's scale starts from."""
    return _unless_loaded(keras.initializers.Ones())


def _unless_loaded(start, part="encoder"):
    return Unset(start) if part in _PARTS.get() else start


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Unset(keras.initializers.Initializer):
    """Whatever lies in memory.

    Args:
        initializer: Initializer. What a copy of this one is, since nothing is loaded into copies.
    """

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, shape, dtype=None):
        if keras.backend.backend() == "torch":  # loads into this very memory
            return ops.empty(shape, dtype=dtype)
        # The others replace it. To make one for each weight takes longer than to load them.
        kernels, shared, kind = _kernels(), _UNSET.get(), (tuple(shape), dtype)
        if shared is not None and kind in shared and kernels.is_eager(shared[kind]):
            return shared[kind]
        values = kernels.empty(shape, dtype)
        if shared is not None and kernels.is_eager(values):  # no other graph could read it
            shared[kind] = values
        return values

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}

    @classmethod
    def from_config(cls, config):
        return keras.initializers.deserialize(config["initializer"])


def _kernels():
    if keras.backend.backend() == "jax":
        from keras_bert_zoo.layers import jax_kernels

        return jax_kernels
    from keras_bert_zoo.layers import tensorflow_kernels

    return tensorflow_kernels
