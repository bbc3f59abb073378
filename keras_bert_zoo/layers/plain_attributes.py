"""Attributes that nothing tracks, set at once."""

import keras

PLAIN = (str, int, float, bool, type(None))


class PlainAttributes:
    """Mixed into the layers that an encoder has many of, before Keras's class.

    A layer has two dozen attributes. Keras, and TensorFlow or PyTorch below it, look whether each
    is a weight or a layer, or holds some: a sixth of the time of making a model. Those of the types
    `PLAIN` are neither.
    """

    # Where layers are modules of Flax, that does more.
    if not keras.config.is_nnx_enabled():

        def __setattr__(self, name, value):
            # PyTorch forgets a layer whose place is given to something else.
            if type(value) in PLAIN and name not in vars(self).get("_modules", ()):
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)
