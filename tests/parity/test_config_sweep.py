"""Random Hugging Face BERT configurations: equal numbers, or an error that names the reason.

What this package cannot express must be refused, and nothing else: each odd value that a seed
draws comes with the words its error must hold.
"""

import dataclasses
import json
import random

import numpy as np
import pytest
import tiny_transformers as tiny

import keras_bert_zoo as kbz

SEEDS = 200
USUAL_RUN = 20

CLASSES = (
    "BertModel BertForPreTraining BertForMaskedLM BertForNextSentencePrediction "
    "BertForSequenceClassification BertForTokenClassification BertForQuestionAnswering "
    "BertForMultipleChoice"
).split()
PLAIN = {
    "vocab_size": (9, 40, 61),
    "hidden_size": (8, 16),
    "num_hidden_layers": (1, 2, 3),
    "num_attention_heads": (1, 2, 4),
    "intermediate_size": (12, 20),
    "hidden_act": (
        "gelu gelu_python gelu_new gelu_pytorch_tanh gelu_python_tanh gelu_fast gelu_accurate "
        "relu silu swish tanh"
    ).split(),
    "hidden_dropout_prob": (0, 0.0, 0.1, 0.5),
    "attention_probs_dropout_prob": (0, 0.1, 0.3),
    "max_position_embeddings": (6, 17),
    "type_vocab_size": (1, 2, 3),
    "initializer_range": (0.02, 1.0),
    "layer_norm_eps": (1e-12, 1e-7, 1e-5, 1e-3),
    "pad_token_id": (0, 3, None),
    "bos_token_id": (None, 1),
    "eos_token_id": (None, 2),
    "use_cache": (True, False),
    "classifier_dropout": (None, 0.0, 0.2),
    "num_labels": (1, 2, 5),
    "problem_type": (None, "single_label_classification", "multi_label_classification"),
    "chunk_size_feed_forward": (0, 2, 3),
    "output_hidden_states": (False, True),
    "return_dict": (True,),
    "tie_word_embeddings": (True, True, True, False),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
# Foreign key -> odd values, and the words of the error. `written` values go into the file only:
# transformers itself would not build them.
ODD = {
    "hidden_act": (
        "gelu_10 quick_gelu leaky_relu mish relu2 relu6 sigmoid linear laplace prelu".split(),
        r"hidden_act = '\w+' is not supported",
    ),
    "is_decoder": ([True], "cannot express (is_decoder|add_cross_attention) = True"),
    "layer_norm_eps": ([0.0], "layer_norm_epsilon must be a finite number above 0"),
    "hidden_dropout_prob": ([1.0], "dropout must be at least 0 and below 1"),
    "share_the_sky": ([1], '"share_the_sky" .* is unknown'),
}
WRITTEN = {
    "num_attention_heads": ([3], "hidden_dim must divide by num_heads"),
    "pad_token_id": ([-1, 500], "pad_token_id must be"),
    "position_embedding_type": (["relative_key"], "cannot express position_embedding_type"),
    "hidden_act": ([None, "", "gelo"], "hidden_act = .* is not supported"),
    "vocab_size": (["9", 9.5, True, 0], "vocabulary_size must be a whole number"),
    "add_cross_attention": ([True], "cannot express add_cross_attention"),
    "pruned_heads": ([{"0": [1]}], "cannot express pruned_heads"),
    "hidden_sise": ([16], '"hidden_sise" .* is unknown.* Did you mean "hidden_size"'),
}


@dataclasses.dataclass
class Draw:
    """One random case: a transformers class, its fields, and what must come of it."""

    class_name: str
    pooler: bool
    fields: dict
    written: dict
    error: str | None


def draw(seed):
    choose = random.Random(seed)
    fields = {key: choose.choice(values) for key, values in PLAIN.items()}
    class_name = choose.choice(CLASSES)
    if fields["num_labels"] == 1:  # transformers refuses the other two with one label
        fields["problem_type"] = choose.choice((None, "regression"))
    written, error = {}, None
    if choose.random() < 0.3:
        pool = choose.choice((ODD, WRITTEN))
        key = choose.choice(sorted(pool))
        values, error = pool[key]
        (fields if pool is ODD else written)[key] = choose.choice(values)
        if fields["is_decoder"]:
            fields["add_cross_attention"] = choose.random() < 0.5
    pooler = class_name != "BertModel" or choose.random() < 0.5
    decodes = class_name in ("BertForPreTraining", "BertForMaskedLM")
    if error is None and decodes and not fields["tie_word_embeddings"]:
        error = "differs from .*word_embeddings.weight"
    return Draw(class_name, pooler, fields, written, error)


def save(case, seed, folder):
    config = tiny.transformers.BertConfig(**case.fields)
    options = {} if case.pooler else {"add_pooling_layer": False}
    model = tiny.randomise(tiny.build(case.class_name, config, **options), seed)
    tiny.save(model, folder)
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **case.written}), encoding="utf-8")
    return model


def compare(case, model, folder, seed):
    """The largest difference in all that a folder's model computes."""
    fields = case.fields
    arrays = tiny.inputs(
        seed,
        rows=2,
        length=6,
        vocabulary_size=fields["vocab_size"],
        num_segments=fields["type_vocab_size"],
    )
    base = getattr(model, "bert", model)
    theirs = tiny.run(base, arrays, return_dict=True)
    pairs = []
    if case.class_name in (
        "BertForPreTraining",
        "BertForMaskedLM",
        "BertForNextSentencePrediction",
    ):
        task = kbz.Pretrainer.from_preset(folder)
        logits = task({**arrays, "mask_positions": np.tile(np.arange(6), (2, 1))})
        if case.class_name != "BertForNextSentencePrediction":
            head = model.cls.predictions
            pairs.append((logits["masked_lm"], head(theirs.last_hidden_state)))
        if case.class_name != "BertForMaskedLM":
            head = getattr(model.cls, "seq_relationship", model.cls)
            pairs.append((logits["next_sentence"], head(theirs.pooler_output)))
    if case.class_name == "BertForSequenceClassification":
        task = kbz.TextClassifier.from_preset(folder)
        assert task.num_classes == fields["num_labels"]
        pairs.append((task(arrays), model.classifier(theirs.pooler_output)))
    backbone = kbz.Backbone.from_preset(folder)
    ours = backbone(arrays)
    pairs.append((ours["sequence_output"], theirs.last_hidden_state))
    assert ("pooled_output" in ours) == (theirs.pooler_output is not None)
    if "pooled_output" in ours:
        pairs.append((ours["pooled_output"], theirs.pooler_output))
    return max(tiny.difference(our, their) for our, their in pairs)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(i, marks=() if i < USUAL_RUN else pytest.mark.slow) for i in range(SEEDS)],
)
def test_equal_or_refused_by_name(seed, tmp_path):
    case = draw(seed)
    model = save(case, seed, tmp_path)
    if case.error is None:
        assert compare(case, model, tmp_path, seed) <= tiny.TOLERANCE
    else:
        with pytest.raises(kbz.CheckpointError, match=case.error):
            compare(case, model, tmp_path, seed)


def test_the_usual_run_holds_both_kinds():
    errors = [draw(seed).error for seed in range(USUAL_RUN)]
    assert 3 <= errors.count(None) < USUAL_RUN


def test_all_odd_values_are_drawn():
    keys = {key for seed in range(SEEDS) for key in draw(seed).written}
    fields = [draw(seed).fields for seed in range(SEEDS)]
    assert keys == set(WRITTEN)
    for key, (values, _) in ODD.items():
        assert any(field.get(key) in values for field in fields)
