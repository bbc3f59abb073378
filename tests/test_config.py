"""`EncoderConfig`: every field is checked, and every mistake is named."""

import dataclasses

import numpy as np
import pytest

from keras_bert_zoo import EncoderConfig

FIELDS = {
    "vocabulary_size": 30,
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 16,
    "intermediate_dim": 32,
}


def test_defaults_are_bert_base_s():
    config = EncoderConfig(**FIELDS)
    assert config.embedding_dim == config.hidden_dim
    assert (config.dropout, config.attention_dropout) == (0.1, 0.1)
    assert (config.max_sequence_length, config.num_segments) == (512, 2)
    assert (config.activation, config.layer_norm_epsilon) == ("gelu", 1e-12)
    assert config.pooler and not config.share_layers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "hidden_dim must divide by num_heads; got 16 and 3"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1; got 0"),
        ({"num_layers": 1.5}, r"num_layers must be a whole number of at least 1; got 1\.5"),
        ({"vocabulary_size": "30"}, "vocabulary_size must be .*; got '30'"),
        ({"vocabulary_size": True}, "vocabulary_size must be .*; got True"),
        ({"max_sequence_length": -1}, "max_sequence_length must be .* at least 1; got -1"),
        ({"num_segments": -1}, "num_segments must be .* at least 0; got -1"),
        ({"position_offset": None}, "position_offset must be .* at least 0; got None"),
        ({"pad_token_id": 30}, "pad_token_id must be below vocabulary_size; got 30 and 30"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1; got 1"),
        ({"attention_dropout": -0.1}, "attention_dropout must be at least 0"),
        ({"dropout": "0.1"}, "dropout must be at least 0 and below 1; got '0.1'"),
        ({"dropout": float("nan")}, "dropout must be at least 0 and below 1; got nan"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon must be a finite number above 0; got 0"),
        ({"initializer_range": float("nan")}, "initializer_range must be a finite .*; got nan"),
        ({"initializer_range": float("inf")}, "initializer_range must be a finite .*; got inf"),
        ({"pooler": 1}, "pooler must be True or False; got 1"),
        ({"share_layers": None}, "share_layers must be True or False; got None"),
        ({"activation": "gelo"}, "activation must be one of gelu, .*; got 'gelo'.*mean .gelu."),
        ({"activation": None}, "activation must be one of .*; got None"),
        ({"activation": ["gelu"]}, r"activation must be one of .*; got \['gelu'\]"),
        ({"hiden_dim": 16}, '"hiden_dim" is not a field .* Did you mean "hidden_dim"'),
        ({"qqq": 16}, r'"qqq" is not a field of EncoderConfig\.$'),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig.from_dict({**FIELDS, **changes})


def test_missing_fields_are_named():
    with pytest.raises(ValueError, match="also needs: num_heads, intermediate_dim"):
        EncoderConfig.from_dict({"vocabulary_size": 3, "num_layers": 1, "hidden_dim": 8})


def test_round_trip_through_a_dict():
    config = EncoderConfig(**FIELDS, embedding_dim=8, share_layers=True, dropout=0)
    assert EncoderConfig.from_dict(config.to_dict()) == config
    assert list(config.to_dict()) == list(EncoderConfig.names())


def test_numbers_of_numpy_become_plain_ones():
    config = EncoderConfig(**{**FIELDS, "num_layers": np.int64(2)})
    assert type(config.num_layers) is int


def test_replace_checks_too():
    config = EncoderConfig(**FIELDS)
    assert config.replace(num_layers=3).num_layers == 3
    with pytest.raises(ValueError, match='Did you mean "num_layers"'):
        config.replace(num_layer=3)
    with pytest.raises(ValueError, match="hidden_dim must divide"):
        config.replace(num_heads=5)


def test_it_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EncoderConfig(**FIELDS).num_layers = 3
