"""What is loaded next is not drawn first; everything else is."""

import keras
import numpy as np
import pytest
import support
from keras import ops

import keras_bert_zoo as kbz
from keras_bert_zoo.layers.initial_weights import initializer, weights_follow, zeros

ON_TORCH = keras.backend.backend() == "torch"


def largest(weights):
    """The largest number of each kernel and table, by path."""
    drawn = [weight for weight in weights if weight.path.endswith(("kernel", "embeddings"))]
    return {weight.path: abs(ops.convert_to_numpy(weight)).max() for weight in drawn}


@pytest.mark.parametrize("parts", [("encoder",), ("encoder", "pooler")])
def test_weights_that_follow_are_not_drawn(parts, monkeypatch):
    drawn, call = [], keras.initializers.TruncatedNormal.__call__

    def noted(self, shape, dtype=None):
        drawn.append(shape)
        return call(self, shape, dtype)

    monkeypatch.setattr(keras.initializers.TruncatedNormal, "__call__", noted)
    with weights_follow(*parts):
        backbone = support.tiny_backbone(embedding_dim=8)
    assert drawn == [backbone.pooler.dense.kernel.shape] * ("pooler" not in parts)
    assert all(largest(support.tiny_backbone(embedding_dim=8).weights).values())
    assert len(drawn) > 5
    assert initializer(0.3).stddev == 0.3


def test_a_copy_of_a_loaded_model_is_drawn(tmp_path):
    support.tiny_backbone(embedding_dim=8).save_to_preset(tmp_path)
    loaded = kbz.Backbone.from_preset(tmp_path)
    part = keras.Model(loaded.input, loaded.blocks[0].output)
    for model in (keras.models.clone_model(part), kbz.BertBackbone(**loaded.get_config())):
        kernel = model.get_layer("embedding_projection").kernel
        assert 0.01 < ops.convert_to_numpy(kernel).std() < 0.03


@pytest.mark.parametrize("load_weights", [True, False])
def test_no_weight_stays_zero(load_weights, tmp_path):
    support.scramble(support.tiny_backbone(pooler=False)).save_to_preset(tmp_path)
    for opened in (
        kbz.TextClassifier.from_preset(tmp_path, load_weights=load_weights),
        kbz.MaskedLM.from_preset(tmp_path, load_weights=load_weights),
        kbz.Backbone.from_preset(tmp_path, load_weights=load_weights, pooler=True),
    ):
        assert all(largest(opened.weights).values())


def test_what_is_drawn_later_is_the_same():
    values = []
    for follow in (True, False):
        keras.utils.set_random_seed(3)
        if follow:
            with weights_follow("encoder", "pooler"):
                support.tiny_backbone()
        else:
            support.tiny_backbone()
        values.append(ops.convert_to_numpy(initializer(1.0)((4,))))
    np.testing.assert_array_equal(*values)


SHAPE = (2, 3)


@pytest.fixture
def start():
    """An initializer of weights that follow."""
    with weights_follow("encoder"):
        return zeros()


@pytest.mark.skipif(ON_TORCH, reason="each weight has its own there, which is loaded into")
def test_weights_that_follow_share_one_array_until_then(start):
    values = []
    for _ in range(2):
        with weights_follow("encoder"):
            value = start(SHAPE, "float32")
            assert value is start(SHAPE, "float32")
            assert start(SHAPE, "float16").dtype != value.dtype
            assert start((3, 2), "float32").shape == (3, 2)
        values += [value, start(SHAPE, "float32")]
    assert len(set(map(id, values))) == 4


@pytest.mark.skipif(ON_TORCH, reason="nothing is shared there")
def test_what_is_made_in_a_graph_is_not_shared(start):
    def made():
        return start(SHAPE, "float32")

    with weights_follow("encoder"):
        for made_before in (False, True):
            if made_before:
                before = made()
            if keras.backend.backend() == "jax":
                import jax

                jax.jit(made)()
            else:
                import tensorflow as tf

                tf.function(made)()
                with tf.Graph().as_default() as graph:
                    assert made().graph is graph
            after = made()
            assert ops.convert_to_numpy(after).shape == SHAPE
    assert after is before


def test_what_is_written_to_one_weight_is_not_written_to_the_others():
    with weights_follow("encoder"):
        first, second = support.tiny_backbone(num_layers=2).blocks
    norms = [block.output_norm.gamma for block in (first, second)]
    for norm, value in zip(norms, (2.0, 3.0), strict=True):
        norm.assign(ops.full(norm.shape, value))
    norms[0].assign_add(ops.ones(norms[0].shape))
    for norm in norms:
        assert (ops.convert_to_numpy(norm) == 3.0).all()
