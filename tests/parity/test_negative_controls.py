"""Each field of `EncoderConfig` set wrong: the parity tests would notice.

Every other test of equality leans on this one.
"""

import keras
import numpy as np
import pytest
import tiny_transformers as tiny

import keras_bert_zoo as kbz
from keras_bert_zoo import pretrained

NOTICED = 1e-4

# The field set wrong (and what must go with it) -> the error; None where the outputs differ.
WRONG = {
    "vocabulary_size": ({"vocabulary_size": 41}, "word_embeddings.weight gives the shape"),
    "num_layers": ({"num_layers": 1}, None),
    "num_heads": ({"num_heads": 4}, None),
    "hidden_dim": ({"hidden_dim": 24, "embedding_dim": 16}, "gives the shape"),
    "intermediate_dim": ({"intermediate_dim": 33}, r"intermediate\.dense\.\w+ gives the shape"),
    "max_sequence_length": ({"max_sequence_length": 31}, "position_embeddings.weight gives the"),
    "num_segments": ({"num_segments": 3}, "token_type_embeddings.weight gives the shape"),
    "activation": ({"activation": "gelu_approximate"}, None),
    "layer_norm_epsilon": ({"layer_norm_epsilon": 1e-5}, None),
    "embedding_dim": ({"embedding_dim": 8}, "word_embeddings.weight gives the shape"),
    "share_layers": ({"share_layers": True}, None),
    "position_offset": ({"position_offset": 2, "max_sequence_length": 30}, None),
}
# Fields that act in training only, and what tells them apart there.
TRAINING = {"dropout": {"dropout": 0.5}, "attention_dropout": {"attention_dropout": 0.5}}
# Fields without part in the numbers of a loaded model; each has a test of its own below.
OTHERS = {"initializer_range", "pooler", "pad_token_id"}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """What transformers computes, and its folder."""
    model = tiny.make("BertModel", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    folder = tiny.save(model, tmp_path_factory.mktemp("original"))
    return tiny.run(model, tiny.inputs()).last_hidden_state, folder


def loaded(folder, **changes):
    """The backbone of a folder with some fields changed behind the loader's back."""
    found = pretrained.open_pretrained(folder)
    backbone = kbz.BertBackbone(**found.config.replace(**changes).to_dict())
    found.load_into(backbone.weights, heads=())
    return backbone


def test_every_field_has_a_control():
    assert {*WRONG, *TRAINING, *OTHERS} == set(kbz.EncoderConfig.names())


def test_right_fields_give_equal_outputs(original):
    theirs, folder = original
    ours = loaded(folder)(tiny.inputs(), training=True)["sequence_output"]
    assert tiny.difference(ours, theirs) <= tiny.TOLERANCE


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_noticed(original, field):
    theirs, folder = original
    changes, message = WRONG[field]
    assert field in changes
    if message is not None:
        with pytest.raises(kbz.CheckpointError, match=message):
            loaded(folder, **changes)
        return
    ours = loaded(folder, **changes)(tiny.inputs())["sequence_output"]
    assert tiny.difference(ours, theirs) > NOTICED


@pytest.mark.parametrize("field", TRAINING)
def test_dropout_acts_in_training_only(original, field):
    theirs, folder = original
    backbone = loaded(folder, **TRAINING[field])
    still = backbone(tiny.inputs(), training=False)["sequence_output"]
    moving = backbone(tiny.inputs(), training=True)["sequence_output"]
    assert tiny.difference(still, theirs) <= tiny.TOLERANCE
    assert tiny.difference(moving, theirs) > NOTICED


def test_a_wrong_initializer_range_shows_in_new_weights():
    spread = {}
    for wanted in (0.02, 0.2):
        backbone = kbz.BertBackbone(
            vocabulary_size=200,
            num_layers=1,
            num_heads=2,
            hidden_dim=32,
            num_segments=16,  # enough embeddings of them to tell their spread
            intermediate_dim=64,
            initializer_range=wanted,
        )
        for weight in backbone.weights:
            if weight.path.endswith(("kernel", "embeddings")):
                values = keras.ops.convert_to_numpy(weight)
                spread.setdefault(wanted, []).append(values.std())
                # Cut off at two standard deviations.
                assert np.abs(values).max() <= 2 * wanted + 1e-6
    # A normal cut off at two sigmas has 0.88 of its spread.
    assert np.allclose(spread[0.02], 0.88 * 0.02, rtol=0.15)
    assert np.allclose(spread[0.2], 0.88 * 0.2, rtol=0.15)


def test_without_pooler_there_is_no_pooled_output(original):
    _, folder = original
    assert set(loaded(folder, pooler=False)(tiny.inputs())) == {"sequence_output"}


def test_the_padding_id_has_no_part_in_the_numbers(original):
    theirs, folder = original
    ours = loaded(folder, pad_token_id=7)(tiny.inputs())["sequence_output"]
    assert tiny.difference(ours, theirs) <= tiny.TOLERANCE
