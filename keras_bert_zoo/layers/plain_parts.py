"""Which layers one function may go through without calling them."""

import keras

from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.normalization import LayerNormalization

LEAVES = (Dense, Dropout, LayerNormalization, keras.layers.Embedding)


def is_plain(layer, *classes):
    """Whether a layer does what its class does, in float32, and nothing else.

    It does not where it is quantized or of a subclass, where its `call` was replaced, or where it
    was made without a bias or a scale.

    Args:
        layer: keras.layers.Layer.
        *classes: types. Those that the function knows beside `LEAVES`.
    """
    return (
        type(layer) in (*LEAVES, *classes)
        and "call" not in vars(layer)
        and layer.dtype_policy.name == "float32"
        and layer.activity_regularizer is None
        and (type(layer) is not Dense or layer.activation is keras.activations.linear)
        and not getattr(layer, "rms_scaling", False)
        and all(getattr(layer, name, True) is not None for name in ("bias", "gamma", "beta"))
    )


def tensor_of(weight):
    """A weight's tensor; it is one already where low ranks are added to it."""
    return weight.value if isinstance(weight, keras.Variable) else weight
