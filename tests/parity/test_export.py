"""Exports: `transformers` loads them, bit by bit the model that went in."""

import pytest
import support
import tiny_transformers as tiny

import keras_bert_zoo as kbz

CLASSES = {
    "BertModel": kbz.Backbone,
    "BertForPreTraining": kbz.Pretrainer,
    "BertForSequenceClassification": kbz.TextClassifier,
    "BertForTokenClassification": kbz.TokenClassifier,
    "BertForQuestionAnswering": kbz.QuestionAnswerer,
    "BertForMultipleChoice": kbz.MultipleChoice,
    "BertForMaskedLM": kbz.MaskedLM,
    "BertForNextSentencePrediction": kbz.NextSentencePredictor,
}
FIELDS = {
    "hidden_act": "gelu_new",
    "layer_norm_eps": 1e-6,
    "hidden_dropout_prob": 0.2,
    "attention_probs_dropout_prob": 0.3,
    "initializer_range": 0.05,
    "type_vocab_size": 3,
    "pad_token_id": 0,
}


def round_trip(class_name, folder, **fields):
    """A model of transformers, and what comes back of it through this package."""
    original = tiny.make(class_name, **fields)
    tiny.save(original, folder / "in")
    ours = CLASSES[class_name].from_preset(folder / "in")
    ours.export_to_transformers(folder / "out")
    back, info = getattr(tiny.transformers, class_name).from_pretrained(
        folder / "out", output_loading_info=True
    )
    return original, ours, back.eval(), info


@pytest.mark.parametrize("class_name", CLASSES)
def test_weights_come_back_bit_by_bit(tmp_path, class_name):
    original, _, back, info = round_trip(class_name, tmp_path, **FIELDS)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[problem], problem
    before, after = original.state_dict(), back.state_dict()
    assert set(before) == set(after)
    for name, tensor in before.items():
        assert tiny.torch.equal(tensor, after[name]), name


@pytest.mark.parametrize("class_name", CLASSES)
def test_outputs_are_equal_after_the_round_trip(tmp_path, class_name):
    _, ours, back, _ = round_trip(class_name, tmp_path, **FIELDS)
    pairs = outputs_of(class_name, ours, back)
    assert max(tiny.difference(our, their) for our, their in pairs) <= tiny.TOLERANCE


def outputs_of(class_name, ours, theirs):
    """Pairs of an output of ours and the same of transformers."""
    arrays = tiny.inputs(num_segments=3)
    if class_name == "BertForMultipleChoice":
        arrays = {name: ids.reshape(1, *ids.shape) for name, ids in arrays.items()}
    expected = tiny.run(theirs, arrays)
    if class_name in ("BertForPreTraining", "BertForMaskedLM"):
        arrays["mask_positions"] = [list(range(9))] * 3
    found = ours(arrays)
    named = {
        "BertModel": (("sequence_output", "last_hidden_state"), ("pooled_output", "pooler_output")),
        "BertForPreTraining": (
            ("masked_lm", "prediction_logits"),
            ("next_sentence", "seq_relationship_logits"),
        ),
        "BertForQuestionAnswering": (("start", "start_logits"), ("end", "end_logits")),
    }
    if class_name in named:
        return [(found[our], expected[their]) for our, their in named[class_name]]
    return [(found, expected.logits)]


@pytest.mark.parametrize("class_name", [name for name in CLASSES if name != "BertModel"])
def test_a_wrong_head_is_seen(tmp_path, class_name):
    """A negative control: another head's weights are far off."""
    _, ours, back, _ = round_trip(class_name, tmp_path, **FIELDS)
    groups = tuple(f"{group}/" for group in ours.head_groups)
    for weight in ours.weights:
        if weight.path.startswith(groups):
            weight.assign(weight * 1.01)
    pairs = outputs_of(class_name, ours, back)
    assert max(tiny.difference(our, their) for our, their in pairs) > 10 * tiny.TOLERANCE


def test_labels_of_a_tagger_come_back(tmp_path):
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    fields = {"id2label": labels, "classifier_dropout": 0.4}
    _, ours, back, _ = round_trip("BertForTokenClassification", tmp_path, **fields)
    assert ours.labels == tuple(labels.values())
    assert back.config.id2label == labels
    assert back.config.label2id == {name: i for i, name in labels.items()}
    assert back.config.classifier_dropout == 0.4


@pytest.mark.parametrize("class_name", CLASSES)
def test_the_configuration_comes_back(tmp_path, class_name):
    original, _, back, _ = round_trip(class_name, tmp_path, **FIELDS)
    for key in (*tiny.SIZES, *FIELDS, "architectures", "model_type"):
        assert getattr(back.config, key) == getattr(original.config, key), key
    assert back.config.architectures == [class_name]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"id2label": {0: "bad", 1: "so so", 2: "good"}, "classifier_dropout": 0.4},
            "single_label_classification",
        ),
        ({"num_labels": 1, "problem_type": "regression"}, "regression"),
        (
            {"num_labels": 3, "problem_type": "multi_label_classification"},
            "multi_label_classification",
        ),
    ],
)
def test_labels_and_problem_come_back(tmp_path, fields, expected):
    original, _, back, _ = round_trip("BertForSequenceClassification", tmp_path, **fields)
    assert back.config.id2label == original.config.id2label
    assert back.config.label2id == {name: i for i, name in original.config.id2label.items()}
    assert back.config.classifier_dropout == original.config.classifier_dropout
    assert back.config.problem_type == expected


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_tokenizer_comes_along(tmp_path, lowercase):
    tokenizer = support.tiny_tokenizer(lowercase=lowercase)
    preprocessor = kbz.Preprocessor(tokenizer, max_length=16)
    task = kbz.TextClassifier(support.tiny_backbone(), preprocessor=preprocessor)
    task.export_to_transformers(tmp_path)
    theirs = tiny.transformers.AutoTokenizer.from_pretrained(tmp_path)
    firsts = ["The film was warmer.", "A bad cup of TEA, again!", ""]
    seconds = ["we saw it", "warmest film ever", "not slow?"]
    for texts in (firsts, (firsts, seconds)):
        ours = preprocessor(texts)
        arguments = (list(texts[0]), list(texts[1])) if isinstance(texts, tuple) else (texts,)
        encoded = theirs(*arguments, padding="max_length", max_length=16, truncation=True)
        length = ours["token_ids"].shape[1]
        for our, their in tiny.OURS.items():
            assert ours[our].tolist() == [row[:length] for row in encoded[their]]


def test_without_pooler(tmp_path):
    backbone = support.scramble(support.tiny_backbone(pooler=False))
    backbone.export_to_transformers(tmp_path)
    back, info = tiny.transformers.BertModel.from_pretrained(
        tmp_path, add_pooling_layer=False, output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    arrays = tiny.inputs(vocabulary_size=20)
    theirs = tiny.run(back.eval(), arrays).last_hidden_state
    assert tiny.difference(backbone(arrays)["sequence_output"], theirs) <= tiny.TOLERANCE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share_layers": True}, "transformers cannot express share_layers = True, only False"),
        ({"embedding_dim": 8}, "transformers cannot express embedding_dim = 8, only 16"),
        ({"position_offset": 2}, "transformers cannot express position_offset = 2, only 0"),
    ],
)
def test_what_transformers_cannot_express_is_refused(tmp_path, changes, message):
    with pytest.raises(kbz.CheckpointError, match=message):
        support.tiny_backbone(**changes).export_to_transformers(tmp_path / "out")
    assert not (tmp_path / "out").exists()
