"""The numbers of transformers, from folders that it wrote."""

import pytest
import tiny_transformers as tiny

import keras_bert_zoo as kbz

ALL = ("token_ids", "segment_ids", "padding_mask")
FEEDS = [ALL, ("token_ids", "padding_mask"), ("token_ids", "segment_ids"), ("token_ids",)]


def feed(names):
    return {name: array for name, array in tiny.inputs().items() if name in names}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A `BertModel` and its folder."""
    model = tiny.make("BertModel")
    return model, tiny.save(model, tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory):
    """A `BertForPreTraining` and its folder."""
    model = tiny.make("BertForPreTraining")
    return model, tiny.save(model, tmp_path_factory.mktemp("pretraining"))


@pytest.mark.parametrize("names", FEEDS, ids="+".join)
def test_hidden_states_attentions_and_pooled_output(base, names):
    model, folder = base
    arrays = feed(names)
    theirs = tiny.run(model, arrays, output_hidden_states=True, output_attentions=True)
    backbone = kbz.Backbone.from_preset(folder)
    ours = backbone.with_outputs(hidden_states=True, attentions=True)(arrays)

    assert tiny.difference(ours["sequence_output"], theirs.last_hidden_state) <= tiny.TOLERANCE
    assert tiny.difference(ours["pooled_output"], theirs.pooler_output) <= tiny.TOLERANCE
    pairs = [
        *zip(ours["hidden_states"], theirs.hidden_states, strict=True),
        *zip(ours["attentions"], theirs.attentions, strict=True),
    ]
    assert len(pairs) == 3 + 2
    for our, their in pairs:
        assert tiny.difference(our, their) <= tiny.TOLERANCE


def test_plain_outputs_equal_those_of_fused_attention_in_transformers(base, tmp_path):
    model = tiny.make("BertModel", attention="sdpa")
    arrays = tiny.inputs()
    ours = kbz.Backbone.from_preset(base[1])(arrays)
    theirs = tiny.run(model, arrays)
    assert tiny.difference(ours["sequence_output"], theirs.last_hidden_state) <= tiny.TOLERANCE
    assert tiny.difference(ours["pooled_output"], theirs.pooler_output) <= tiny.TOLERANCE


def test_each_input_matters(base):
    """Without this the comparisons above could pass with an input that is never read."""
    model, folder = base
    backbone = kbz.Backbone.from_preset(folder)
    theirs = tiny.run(model, tiny.inputs()).last_hidden_state
    for name in ALL[1:]:
        ours = backbone(feed([n for n in ALL if n != name]))["sequence_output"]
        assert tiny.difference(ours, theirs) > 1e-2


@pytest.mark.parametrize("names", FEEDS, ids="+".join)
def test_pretraining_logits(pretraining, names):
    model, folder = pretraining
    arrays = feed(names)
    theirs = tiny.run(model, arrays)
    task = kbz.Pretrainer.from_preset(folder)
    positions = [[0, 3, 8], [5, 5, 1], [0, 0, 0]]
    ours = task({**arrays, "mask_positions": positions})

    rows = tiny.torch.arange(3)[:, None]
    at_positions = theirs.prediction_logits[rows, tiny.torch.tensor(positions)]
    assert tiny.difference(ours["masked_lm"], at_positions) <= tiny.TOLERANCE
    assert tiny.difference(ours["next_sentence"], theirs.seq_relationship_logits) <= tiny.TOLERANCE

    everywhere = task({**arrays, "mask_positions": [list(range(9))] * 3})["masked_lm"]
    assert tiny.difference(everywhere, theirs.prediction_logits) <= tiny.TOLERANCE
    assert not task.transfer_report.newly_initialised
    assert not set(task.transfer_report.unused) - {"cls.predictions.decoder.weight"}


def test_masked_lm_head_without_positions_predicts_everywhere(pretraining):
    model, folder = pretraining
    arrays = tiny.inputs()
    task = kbz.Pretrainer.from_preset(folder)
    head = task.get_layer("masked_lm")
    ours = head(task.backbone(arrays)["sequence_output"])
    theirs = tiny.run(model, arrays).prediction_logits
    assert tiny.difference(ours, theirs) <= tiny.TOLERANCE


@pytest.mark.parametrize("num_labels", [1, 2, 5])
def test_classification_logits(tmp_path, num_labels):
    model = tiny.make("BertForSequenceClassification", num_labels=num_labels)
    arrays = tiny.inputs()
    task = kbz.TextClassifier.from_preset(tiny.save(model, tmp_path))
    theirs = tiny.run(model, arrays).logits
    assert tiny.difference(task(arrays), theirs) <= tiny.TOLERANCE
    assert tiny.difference(task.predict(arrays), theirs) <= tiny.TOLERANCE
    assert not task.transfer_report.newly_initialised
    assert not task.transfer_report.unused
