"""What new weights start from."""

import contextlib
import contextvars

import keras
from keras import ops

_WEIGHTS_FOLLOW = contextvars.ContextVar("weights_follow", default=False)


@contextlib.contextmanager
def weights_follow():
    """Within it an encoder starts from nothing, since all of its weights are loaded next.

    To draw them at random would take most of the time of loading a model.
    """
    token = _WEIGHTS_FOLLOW.set(True)
    try:
        yield
    finally:
        _WEIGHTS_FOLLOW.reset(token)


def initializer(initializer_range, optional=False):
    """A truncated normal of its own seed: Keras gives the same values twice from one instance.

    Args:
        initializer_range: float. The standard deviation.
        optional: bool. Whether a checkpoint may lack the weight: it is then drawn within
            `weights_follow` too.

    Source: Google's `modeling.create_initializer`.
    """
    # Made in any case, so that what is drawn after it does not hang on whether it was.
    normal = keras.initializers.TruncatedNormal(stddev=initializer_range)
    return normal if optional or not _WEIGHTS_FOLLOW.get() else Unset(normal)


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Unset(keras.initializers.Initializer):
    """Whatever lies in memory, or zeros where a backend has no such arrays.

    Args:
        initializer: Initializer. What a copy of this one is, since nothing is loaded into copies.
    """

    def __init__(self, initializer):
        self.initializer = initializer

    def __call__(self, shape, dtype=None):
        return ops.empty(shape, dtype=dtype)

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}

    @classmethod
    def from_config(cls, config):
        return keras.initializers.deserialize(config["initializer"])
