"""KerasHub's BERT, in and out."""

import importlib.util

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints import keras_hub as bridge

keras_hub = pytest.importorskip("keras_hub", reason="KerasHub's models come from keras-hub")

TOLERANCE = 1e-5
FIELDS = {"activation": "gelu_approximate", "dropout": 0.2, "attention_dropout": 0.2}


def arrays_of(model):
    return {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}


def assert_same(ours, theirs):
    ours, theirs = arrays_of(ours), arrays_of(theirs)
    assert set(ours) == set(theirs)
    for path, array in ours.items():
        assert np.array_equal(array, theirs[path]), path


def difference(ours, theirs):
    gap = keras.ops.convert_to_numpy(ours) - keras.ops.convert_to_numpy(theirs)
    return np.abs(gap).max()


def feed():
    random = np.random.default_rng(0)
    return {
        "token_ids": random.integers(0, 20, (3, 7)).astype("int32"),
        "segment_ids": random.integers(0, 2, (3, 7)).astype("int32"),
        "padding_mask": (np.arange(7) < [[7], [4], [1]]).astype("int32"),
    }


def assert_same_outputs(ours, theirs):
    mine, other = ours(feed()), theirs(feed())
    for name in ("sequence_output", "pooled_output"):
        assert difference(mine[name], other[name]) <= TOLERANCE


@pytest.fixture(scope="module")
def theirs():
    """A KerasHub backbone with lively weights."""
    return support.scramble(
        keras_hub.models.BertBackbone(
            vocabulary_size=23,
            num_layers=2,
            num_heads=4,
            hidden_dim=16,
            intermediate_dim=24,
            dropout=0.2,
            max_sequence_length=12,
        )
    )


def test_a_model_comes_in_and_goes_out_bit_by_bit(theirs):
    ours = kbz.Backbone.from_keras_hub(theirs)
    assert isinstance(ours, kbz.BertBackbone)
    assert ours.transfer_report.newly_initialised == ()
    assert ours.transfer_report.unused == ()
    assert (ours.config.num_heads, ours.config.max_sequence_length) == (4, 12)
    assert (ours.config.dropout, ours.config.attention_dropout) == (0.2, 0.2)
    assert ours.config.activation == "gelu_approximate"
    assert_same_outputs(ours, theirs)

    back = ours.to_keras_hub()
    assert_same(back, theirs)
    given = {k: v for k, v in theirs.get_config().items() if k not in ("name", "dtype")}
    assert {k: back.get_config()[k] for k in given} == given
    assert_same_outputs(ours, back)


def test_our_model_goes_out_and_comes_back_bit_by_bit():
    ours = support.scramble(support.tiny_backbone(**FIELDS))
    theirs = ours.to_keras_hub()
    assert_same_outputs(ours, theirs)
    back = kbz.Backbone.from_keras_hub(theirs)
    assert_same(back, ours)
    assert back.config == ours.config


def test_the_exact_gelu_would_be_noticed(theirs):
    ours = kbz.Backbone.from_keras_hub(theirs, activation="gelu")
    assert difference(ours(feed())["pooled_output"], theirs(feed())["pooled_output"]) > 1e-4


def test_the_lower_layers(theirs):
    ours = kbz.Backbone.from_keras_hub(theirs, num_layers=1)
    assert ours.config.num_layers == 1
    assert any("transformer_layer_1" in name for name in ours.transfer_report.unused)


def test_a_preset_folder(theirs, tmp_path):
    theirs.save_to_preset(tmp_path)
    assert_same(kbz.Backbone.from_preset(tmp_path), kbz.Backbone.from_keras_hub(theirs))
    empty = kbz.Backbone.from_preset(tmp_path, load_weights=False)
    assert empty.config.vocabulary_size == 23
    assert empty.transfer_report is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "gelu"}, "cannot express activation = 'gelu', only 'gelu_approximate'"),
        ({"attention_dropout": 0.1}, "cannot express attention_dropout = 0.1, only 0.2"),
        ({"layer_norm_epsilon": 1e-5}, "cannot express layer_norm_epsilon = 1e-05, only 1e-12"),
        ({"pooler": False}, "cannot express pooler = False, only True"),
        ({"share_layers": True}, "cannot express share_layers = True"),
        ({"embedding_dim": 8}, "cannot express embedding_dim = 8"),
        ({"position_offset": 2}, "cannot express position_offset = 2"),
    ],
)
def test_what_keras_hub_cannot_express_is_refused(changes, message):
    with pytest.raises(kbz.CheckpointError, match=f"KerasHub {message}"):
        support.tiny_backbone(**{**FIELDS, **changes}).to_keras_hub()


def test_another_class_is_refused():
    theirs = keras_hub.models.DistilBertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8
    )
    with pytest.raises(kbz.CheckpointError, match='kind "DistilBertBackbone" are not supported'):
        kbz.Backbone.from_keras_hub(theirs)


def test_without_keras_hub_the_error_says_what_to_install(theirs, tmp_path, monkeypatch):
    theirs.save_to_preset(tmp_path)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        bridge.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "keras_hub" else find_spec(name, *rest),
    )
    with pytest.raises(ImportError, match=r"pip install 'keras-bert-zoo\[keras-hub\]'"):
        kbz.Backbone.from_preset(tmp_path)
