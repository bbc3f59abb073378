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

    To draw them at random would take most of the time of loading a model.

    Args:
        *parts: `"encoder"`, `"pooler"`.
    """
    tokens = {_PARTS: _PARTS.set(parts), _UNSET: _UNSET.set({})}
    try:
        yield
    finally:
        for variable, token in tokens.items():
            variable.reset(token)


def initializer(initializer_range, part="encoder"):
    """A truncated normal of its own seed: Keras gives the same values twice from one instance.

    Args:
        initializer_range: float. The standard deviation.
        part: str. What the weight belongs to, as `weights_follow` names it.

    Source: Google's `modeling.create_initializer`.
    """
    # Made in any case, so that what is drawn after it does not hang on whether it was.
    return _unless_loaded(keras.initializers.TruncatedNormal(stddev=initializer_range), part)


def zeros(part="encoder"):
    """What a bias starts from."""
    return _unless_loaded(keras.initializers.Zeros(), part)


def ones(part="encoder"):
    """What a scale starts from."""
    return _unless_loaded(keras.initializers.Ones(), part)


def _unless_loaded(initializer, part):
    return Unset(initializer) if part in _PARTS.get() else initializer


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
        unset, kind = _UNSET.get(), (tuple(shape), dtype)
        if unset is None:
            return _empty(shape, dtype)
        if kind not in unset:
            unset[kind] = _empty(shape, dtype)
        return unset[kind]

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}

    @classmethod
    def from_config(cls, config):
        return keras.initializers.deserialize(config["initializer"])


def _empty(shape, dtype):
    """As `ops.empty`, which writes zeros on JAX and TensorFlow."""
    if keras.backend.backend() == "tensorflow":
        from keras_bert_zoo.layers import tensorflow_kernels

        return tensorflow_kernels.empty(shape, dtype)
    from keras_bert_zoo.layers import jax_kernels

    return jax_kernels.empty(shape, dtype)
