"""Attributes that nothing tracks, set at once."""

import keras

PLAIN = (str, int, float, bool, type(None))
# Where PyTorch keeps what it tracks; that of such a name gives way by its own rules.
REGISTRIES = ("_modules", "_parameters", "_buffers")


class PlainAttributes:
    """Mixed into the layers that an encoder has many of, before Keras's class.

    A layer has two dozen attributes. Keras, and TensorFlow or PyTorch below it, look whether each
    is a weight or a layer, or holds some: a fifth of the time of making a model. Values of the
    types `PLAIN` are none. They go the usual way all the same where a name is the class's own, as
    `trainable` is: TensorFlow sets none of those to what it is already, and so leaves the layers
    within alone.
    """

    # With `KERAS_NNX_ENABLED`, layers are modules of Flax, which tracks plain values too.
    if not keras.config.is_nnx_enabled():

        def __setattr__(self, name, value):
            if type(value) in PLAIN and not hasattr(type(self), name) and self._is_untracked(name):
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)

    def _is_untracked(self, name):
        attributes = vars(self)
        return not any(name in attributes.get(registry, ()) for registry in REGISTRIES)
