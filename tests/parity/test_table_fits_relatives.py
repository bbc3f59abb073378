"""The form of the tables fits BERT's relatives: sheets for five of them, as data.

The sheets here are the least that a base model needs; the packages' own come with the families.
"""

import dataclasses
import json

import pytest
import tiny_transformers as tiny
from safetensors.numpy import load_file

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints.config_keys import read_config, write_config
from keras_bert_zoo.checkpoints.table import PYTORCH, ConfigKeys, Dialect, Row
from keras_bert_zoo.checkpoints.transfer import ForeignWeights, dump, load
from keras_bert_zoo.families import FAMILIES

BERT = FAMILIES["bert"].dialects["transformers"]
EMBEDDINGS = tuple(row for row in BERT.groups["encoder"] if row.ours.startswith("embeddings/"))


def keys(add=None, drop=(), required=None, ignored="", **changes):
    """BERT's keys with some more, some fewer."""
    kept = {k: v for k, v in {**BERT.config.keys, **(add or {})}.items() if k not in drop}
    return dataclasses.replace(
        BERT.config,
        keys=kept,
        required={**BERT.config.required, **(required or {})},
        ignored=BERT.config.ignored | set(ignored.split()),
        **changes,
    )


ROBERTA = dataclasses.replace(
    BERT,
    prefix="roberta.",
    config=keys(
        # fairseq numbers positions from pad_id + 1, and counts the unused rows.
        offsets={"position_offset": ("pad_token_id", 1)},
        includes={"max_sequence_length": "position_offset"},
    ),
)

DISTILBERT = Dialect(
    prefix="distilbert.",
    config=ConfigKeys(
        keys={
            "vocab_size": "vocabulary_size",
            "dim": "hidden_dim",
            "n_layers": "num_layers",
            "n_heads": "num_heads",
            "hidden_dim": "intermediate_dim",
            "dropout": "dropout",
            "attention_dropout": "attention_dropout",
            "activation": "activation",
            "max_position_embeddings": "max_sequence_length",
            "initializer_range": "initializer_range",
            "pad_token_id": "pad_token_id",
        },
        values=BERT.config.values,
        constants={"num_segments": 0, "pooler": False, "layer_norm_epsilon": 1e-12},
        required={"is_encoder_decoder": (False,)},
        # Fixed sine positions are stored like learned ones.
        ignored=BERT.config.ignored
        | {"qa_dropout", "seq_classif_dropout", "sinusoidal_pos_embds"},
        handed_on=BERT.config.handed_on,
    ),
    groups={
        "encoder": (
            *(row for row in EMBEDDINGS if "segment" not in row.ours),
            *PYTORCH.qkv(
                "layer_{i}/attention/qkv",
                "transformer.layer.{i}.attention.q_lin",
                "transformer.layer.{i}.attention.k_lin",
                "transformer.layer.{i}.attention.v_lin",
            ),
            *PYTORCH.dense("layer_{i}/attention/output", "transformer.layer.{i}.attention.out_lin"),
            *PYTORCH.norm("layer_{i}/attention_norm", "transformer.layer.{i}.sa_layer_norm"),
            *PYTORCH.dense("layer_{i}/intermediate", "transformer.layer.{i}.ffn.lin1"),
            *PYTORCH.dense("layer_{i}/output", "transformer.layer.{i}.ffn.lin2"),
            *PYTORCH.norm("layer_{i}/output_norm", "transformer.layer.{i}.output_layer_norm"),
        ),
        "pooler": (),
    },
)  # fmt: skip

SHARED = "encoder.albert_layer_groups.0.albert_layers.0."
ALBERT = Dialect(
    prefix="albert.",
    config=keys(
        add={"embedding_size": "embedding_dim"},
        constants={"share_layers": True},
        required={"num_hidden_groups": (1,), "inner_group_num": (1,)},
        ignored="classifier_dropout_prob",
    ),
    groups={
        "encoder": (
            *EMBEDDINGS,
            *PYTORCH.dense("embedding_projection", "encoder.embedding_hidden_mapping_in"),
            *PYTORCH.qkv(
                "layer_0/attention/qkv",
                SHARED + "attention.query",
                SHARED + "attention.key",
                SHARED + "attention.value",
            ),
            *PYTORCH.dense("layer_0/attention/output", SHARED + "attention.dense"),
            *PYTORCH.norm("layer_0/attention_norm", SHARED + "attention.LayerNorm"),
            *PYTORCH.dense("layer_0/intermediate", SHARED + "ffn"),
            *PYTORCH.dense("layer_0/output", SHARED + "ffn_output"),
            *PYTORCH.norm("layer_0/output_norm", SHARED + "full_layer_layer_norm"),
        ),
        "pooler": (Row("pooler/dense/kernel", "pooler.weight", PYTORCH.kernel_layout),
                   Row("pooler/dense/bias", "pooler.bias")),
    },
)  # fmt: skip

ELECTRA = dataclasses.replace(
    BERT,
    prefix="electra.",
    config=keys(
        add={"embedding_size": "embedding_dim"},
        constants={"pooler": False},
        ignored="summary_type summary_use_proj summary_activation summary_last_dropout",
    ),
    groups={
        "encoder": (
            *BERT.groups["encoder"],
            *PYTORCH.dense("embedding_projection", "embeddings_project"),
        ),
        "pooler": (),
    },
)

ERNIE = dataclasses.replace(
    BERT,
    prefix="ernie.",
    config=keys(required={"use_task_id": (False,)}, ignored="task_type_vocab_size"),
)

SIZES = tiny.SIZES
DISTIL_SIZES = {
    "vocab_size": 40,
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 32,
    "max_position_embeddings": 32,
}
# Name -> sheet, transformers' classes' stem, its fields, and what our configuration then is.
RELATIVES = {
    "roberta": (
        ROBERTA,
        "Roberta",
        {**SIZES, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5},
        {"position_offset": 2, "max_sequence_length": 30, "num_segments": 1},
    ),
    "distilbert": (
        DISTILBERT,
        "DistilBert",
        {**DISTIL_SIZES, "pad_token_id": 0},
        {"num_segments": 0, "pooler": False, "intermediate_dim": 32},
    ),
    "albert": (
        ALBERT,
        "Albert",
        {**SIZES, "num_hidden_layers": 3, "embedding_size": 8},
        {"share_layers": True, "embedding_dim": 8, "activation": "gelu_approximate"},
    ),
    "electra": (
        ELECTRA,
        "Electra",
        {**SIZES, "embedding_size": 8},
        {"embedding_dim": 8, "pooler": False},
    ),
    "electra of one width": (
        ELECTRA,
        "Electra",
        {**SIZES, "embedding_size": 16},
        {"embedding_dim": 16, "pooler": False},
    ),
    "ernie": (
        ERNIE,
        "Ernie",
        {**SIZES, "type_vocab_size": 4, "hidden_act": "relu"},
        {"num_segments": 4, "activation": "relu"},
    ),
}


def opened(name, folder):
    """A transformers model, our configuration of it, and its tensors behind the sheet."""
    sheet, stem, fields, _ = RELATIVES[name]
    config = getattr(tiny.transformers, f"{stem}Config")(**fields)
    model = tiny.randomise(tiny.build(f"{stem}Model", config))
    model.save_pretrained(folder)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ours, _ = read_config(content, sheet.config, name)
    tensors = load_file(folder / "model.safetensors")
    weights = ForeignWeights(tensors, sheet, ours.num_layers, ours.num_heads, (), name)
    return model, content, ours, weights


def hidden_states(backbone, arrays):
    return backbone.with_outputs(hidden_states=True)(arrays)["hidden_states"]


@pytest.mark.parametrize("name", RELATIVES)
def test_a_relative_loads_through_a_sheet(name, tmp_path):
    model, _, config, weights = opened(name, tmp_path)
    expected = RELATIVES[name][3]
    assert {field: getattr(config, field) for field in expected} == expected

    backbone = kbz.BertBackbone(**config.to_dict())
    report = load(backbone.weights, weights, heads=())
    assert report.newly_initialised == ()
    assert report.unused == ()
    assert set(report.loaded) == set(weights.tensors)

    arrays = tiny.inputs(num_segments=max(config.num_segments, 1))
    arrays["token_ids"] = arrays["token_ids"] % 37 + 3  # no padding id among the real tokens
    if config.num_segments == 0:
        del arrays["segment_ids"]
    if name == "roberta":
        arrays["token_ids"][arrays["padding_mask"] == 0] = config.pad_token_id
    theirs = tiny.run(model, arrays, output_hidden_states=True).hidden_states
    # RoBERTa gives every padding token one position; what padding holds has no reader.
    real = arrays["padding_mask"][..., None] if name == "roberta" else 1
    ours = hidden_states(backbone, arrays)
    assert len(ours) == len(theirs) == config.num_layers + 1
    for our, their in zip(ours, theirs, strict=True):
        our, their = tiny.as_numpy(our) * real, tiny.as_numpy(their) * real
        assert tiny.difference(our, their) <= tiny.TOLERANCE


@pytest.mark.parametrize("name", RELATIVES)
def test_a_relative_goes_out_through_its_sheet(name, tmp_path):
    _, content, config, weights = opened(name, tmp_path)
    backbone = kbz.BertBackbone(**config.to_dict())
    load(backbone.weights, weights, heads=())
    written = dump(backbone.weights, weights.dialect, ["pooler"], config.num_heads)
    assert set(written) == set(weights.tensors)
    for tensor, array in written.items():
        assert (array == weights.tensors[tensor]).all(), tensor
    foreign = write_config(config, weights.dialect.config, name)
    for key, value in foreign.items():
        assert value == content[key], key


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("roberta", {"position_offset": 1, "max_sequence_length": 31}),
        ("albert", {"activation": "gelu"}),
        ("ernie", {"activation": "gelu"}),
    ],
)
def test_a_wrong_sheet_would_be_noticed(name, changes, tmp_path):
    model, _, config, weights = opened(name, tmp_path)
    backbone = kbz.BertBackbone(**config.replace(**changes).to_dict())
    load(backbone.weights, weights, heads=())
    arrays = {"token_ids": tiny.inputs()["token_ids"] % 37 + 3}
    theirs = tiny.run(model, arrays).last_hidden_state
    assert tiny.difference(backbone(arrays)["sequence_output"], theirs) > 1e-4


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("roberta", {"position_offset": 1}, "cannot express position_offset = 1, only 2"),
        ("distilbert", {"num_segments": 2}, "cannot express num_segments = 2, only 0"),
        ("albert", {"share_layers": False}, "cannot express share_layers = False, only True"),
        ("ernie", {"embedding_dim": 8}, "cannot express embedding_dim = 8, only 16"),
    ],
)
def test_what_a_sheet_cannot_write_is_refused(name, changes, message, tmp_path):
    _, _, config, weights = opened(name, tmp_path)
    with pytest.raises(kbz.CheckpointError, match=message):
        write_config(config.replace(**changes), weights.dialect.config, name)


def test_a_projection_without_a_place_is_refused(tmp_path):
    """ALBERT has one even where the two widths agree; ours has none there."""
    fields = {**SIZES, "embedding_size": 16}
    model = tiny.build("AlbertModel", tiny.transformers.AlbertConfig(**fields))
    model.save_pretrained(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config, _ = read_config(content, ALBERT.config, "albert")
    tensors = load_file(tmp_path / "model.safetensors")
    weights = ForeignWeights(tensors, ALBERT, config.num_layers, config.num_heads, (), "albert")
    with pytest.raises(
        kbz.CheckpointError, match=r"no place for encoder\.embedding_hidden_mapping"
    ):
        load(kbz.BertBackbone(**config.to_dict()).weights, weights, heads=())
