"""Attributes that are set past Keras are there as Keras would have set them."""

import keras
import numpy as np
import pytest
import support
from keras import ops

from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.encoder_block import EncoderBlock
from keras_bert_zoo.layers.normalization import LayerNormalization

PLAIN = {"word": "gelu", "count": 3, "rate": 0.5, "flag": True, "nothing": None}


def built(layer):
    layer.build((None, None, 8))
    return layer


LAYERS = {
    "dense": lambda: (built(Dense(4)), built(keras.layers.Dense(4))),
    "dropout": lambda: (Dropout(0.3), keras.layers.Dropout(0.3)),
    "norm": lambda: (built(LayerNormalization()), built(keras.layers.LayerNormalization())),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has_the_attributes_of_keras(kind):
    ours, theirs = LAYERS[kind]()
    assert set(vars(ours)) == set(vars(theirs))
    own = {"name", "_path", "_call_has_training_arg"}  # by what a class is called and takes
    for name in vars(theirs).keys() - own:
        if type(value := vars(theirs)[name]) in (str, int, float, bool):
            assert vars(ours)[name] == value
    assert len(ours.variables) == len(theirs.variables)


def test_whatever_is_set_can_be_read():
    block = EncoderBlock(2, 16)
    for name, value in PLAIN.items():
        setattr(block, name, value)
    assert {name: getattr(block, name) for name in PLAIN} == PLAIN


def test_weights_layers_and_lists_of_them_are_tracked():
    block = EncoderBlock(2, 16)
    block.extra = Dense(3)
    block.more = [Dense(2), None, "word"]
    block.scale = block.add_weight(shape=(5,), name="scale")
    for layer in (block.extra, block.more[0]):
        layer.build((None, 8))
    assert [list(weight.shape) for weight in block.weights] == [[5], [8, 3], [3], [8, 2], [2]]


def test_a_layer_gives_way_to_a_plain_value():
    block = EncoderBlock(2, 16)
    block.extra = Dense(3)
    block.extra = None
    assert block.extra is None
    if keras.backend.backend() == "torch":
        assert dict(block.named_children()) == {}
    block.extra = Dense(2)
    assert block.extra.units == 2


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch's modules")
def test_what_a_module_holds_gives_way_as_in_every_module():
    import torch

    block = EncoderBlock(2, 16)
    block.register_parameter("weight", torch.nn.Parameter(torch.ones(2)))
    block.register_buffer("cache", torch.ones(2))
    with pytest.raises(TypeError, match="cannot assign"):
        block.weight = "a word"
    block.weight = block.cache = None
    assert block.weight is None and block.cache is None
    assert not list(block.parameters()) and not list(block.buffers())


class Holder(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = keras.layers.Dense(2)

    def build(self, shape):
        self.inner.build(shape)


def test_what_is_trainable_already_is_set_as_keras_sets_it():
    theirs, ours = built(Holder()), built(EncoderBlock(2, 16))
    for outer, inner in ((theirs, theirs.inner), (ours, ours.attention)):
        inner.trainable = False
        outer.trainable = True
    # TensorFlow leaves the inner layer alone, the others do not.
    assert bool(ours.attention.trainable_weights) == bool(theirs.inner.trainable_weights)


def test_setters_are_called():
    block = built(EncoderBlock(2, 16))
    block.trainable = False
    assert not block.trainable_weights and not block.intermediate.kernel.trainable
    block.trainable = True
    assert len(block.trainable_weights) == 12
    block.intermediate.dtype_policy = "bfloat16"
    assert block.intermediate.compute_dtype == "bfloat16"


def test_a_block_whose_part_was_replaced_uses_the_new_one():
    block = support.scramble(built(EncoderBlock(2, 16, dropout=0.0, attention_dropout=0.0)))
    x = keras.random.normal((2, 5, 8), seed=1)
    before = ops.convert_to_numpy(block(x))
    block._tracker.unlock()
    block.output_norm = built(LayerNormalization(scale=False, center=False))
    after = ops.convert_to_numpy(block(x))
    np.testing.assert_allclose(after.mean(axis=-1), 0.0, atol=1e-5)
    assert abs(after - before).max() > 0.1
