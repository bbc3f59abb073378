"""Folders in the layout of transformers: what is read, what is reported, what is refused."""

import json

import keras
import ml_dtypes
import numpy as np
import pytest
import support
from safetensors.numpy import load_file, save_file

import keras_bert_zoo as kbz

IDS = {"token_ids": [[2, 8, 9, 3], [2, 10, 3, 0]], "padding_mask": [[1, 1, 1, 1], [1, 1, 1, 0]]}
DECODER = "cls.predictions.decoder.weight"
WORDS = "bert.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A pre-training model and its folder; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=16)
    task = support.scramble(kbz.Pretrainer(support.tiny_backbone(), preprocessor))
    task.export_to_transformers(folder)
    return task, folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy that a test may change."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in written[1].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def edit_tensors(folder, edit):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors = edit(tensors) or tensors
    save_file({k: np.asarray(v, order="C") for k, v in tensors.items()}, path)


def edit_config(folder, **changes):
    path = folder / "config.json"
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "DROP"}))


def weights_of(model):
    return {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}


def assert_same_weights(ours, theirs):
    ours, theirs = weights_of(ours), weights_of(theirs)
    assert set(ours) == set(theirs)
    for path, value in ours.items():
        assert np.array_equal(value, theirs[path]), path


# === The same model in other files ===


def test_the_folder_as_written(written, folder):
    task = kbz.Pretrainer.from_preset(folder)
    assert_same_weights(task, written[0])
    assert task.transfer_report.newly_initialised == ()
    assert task.transfer_report.unused == ()


def rename(tensors, old, new):
    return {name.replace(old, new): tensor for name, tensor in tensors.items()}


SAME = {
    "without the prefix": lambda tensors: rename(tensors, "bert.", ""),
    "old LayerNorm names": lambda tensors: rename(
        rename(tensors, "LayerNorm.weight", "LayerNorm.gamma"), "LayerNorm.bias", "LayerNorm.beta"
    ),
    "position_ids": lambda tensors: {
        **tensors, "bert.embeddings.position_ids": np.arange(64)[None]
    },
    "tied decoder": lambda tensors: {
        **tensors,
        DECODER: tensors[WORDS],
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"],
    },
}  # fmt: skip


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_the_same_model_written_otherwise(written, folder, edit):
    edit_tensors(folder, edit)
    task = kbz.Pretrainer.from_preset(folder)
    assert_same_weights(task, written[0])
    assert task.transfer_report.newly_initialised == ()


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
def test_half_precision_files(written, folder, dtype):
    edit_tensors(folder, lambda tensors: {k: v.astype(dtype) for k, v in tensors.items()})
    read = weights_of(kbz.Pretrainer.from_preset(folder))
    for path, value in weights_of(written[0]).items():
        assert read[path].dtype == "float32"
        assert np.array_equal(read[path], value.astype(dtype).astype("float32"))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_bin_file(written, folder, legacy):
    torch = pytest.importorskip("torch", reason="writes the .bin file")
    path = folder / "model.safetensors"
    tensors = {name: torch.tensor(array) for name, array in load_file(path).items()}
    path.unlink()
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    assert_same_weights(kbz.Pretrainer.from_preset(folder), written[0])


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_shards_as_transformers_writes_them(tmp_path, ending):
    tiny = pytest.importorskip("tiny_transformers", reason="writes the shards")
    model = tiny.make("BertForPreTraining")
    whole = tiny.save(model, tmp_path)
    expected = kbz.Pretrainer.from_preset(whole)
    (whole / "model.safetensors").unlink()
    if ending == "safetensors":
        model.save_pretrained(whole, max_shard_size="4KB")
    else:
        state, weight_map = model.state_dict(), {}
        for i, name in enumerate(sorted(state)):
            weight_map[name] = f"pytorch_model-{i % 3}.bin"
        for file in set(weight_map.values()):
            part = {name: state[name] for name in state if weight_map[name] == file}
            tiny.torch.save(part, whole / file)
        index = whole / "pytorch_model.bin.index.json"
        index.write_text(json.dumps({"weight_map": weight_map}))
    assert len(list(whole.glob(f"*.{ending}"))) >= 3
    assert_same_weights(kbz.Pretrainer.from_preset(whole), expected)
    sorted(whole.glob(f"*.{ending}"))[1].unlink()
    with pytest.raises(kbz.CheckpointError, match=rf"lacks .*\.{ending}"):
        kbz.Pretrainer.from_preset(whole)


# === Parts of a model ===


def test_without_a_pooler(folder):
    edit_tensors(folder, lambda t: {k: v for k, v in t.items() if "pooler" not in k})
    edit_config(folder, architectures=["BertForMaskedLM"])
    backbone = kbz.Backbone.from_preset(folder)
    assert not backbone.config.pooler
    assert set(backbone(IDS)) == {"sequence_output"}
    report = kbz.TextClassifier.from_preset(folder).transfer_report
    assert report.newly_initialised == (
        "pooler/dense/bias",
        "pooler/dense/kernel",
        "text_classifier/bias",
        "text_classifier/kernel",
    )
    assert "pooler/dense/kernel" in str(report)


def test_half_a_pooler_is_an_error(folder):
    edit_tensors(folder, lambda t: {k: v for k, v in t.items() if k != "bert.pooler.dense.bias"})
    with pytest.raises(kbz.CheckpointError, match=r"1 tensors are missing: pooler\.dense\.bias"):
        kbz.Backbone.from_preset(folder)


def test_the_pooler_may_be_left_out(written, folder):
    backbone = kbz.Backbone.from_preset(folder, pooler=False)
    assert "pooled_output" not in backbone(IDS)
    assert "bert.pooler.dense.weight" in backbone.transfer_report.unused


def test_a_backbone_reports_the_heads_it_has_no_place_for(written, folder):
    report = kbz.Backbone.from_preset(folder).transfer_report
    assert report.newly_initialised == ()
    assert len(report.unused) == 7
    assert all(name.startswith("cls.") for name in report.unused)
    files = load_file(folder / "model.safetensors")
    assert sorted((*report.loaded, *report.unused)) == sorted(files)


def test_the_lower_layers(written, folder):
    backbone = kbz.Backbone.from_preset(folder, num_layers=1)
    assert backbone.config.num_layers == 1
    original = weights_of(written[0])
    for path, value in weights_of(backbone).items():
        assert np.array_equal(value, original[path])
    states = written[0].backbone.with_outputs(hidden_states=True)(IDS)["hidden_states"]
    difference = keras.ops.convert_to_numpy(backbone(IDS)["sequence_output"] - states[1])
    assert np.abs(difference).max() < 1e-6
    assert any("encoder.layer.1." in name for name in backbone.transfer_report.unused)


def test_without_weights(folder):
    (folder / "model.safetensors").unlink()
    backbone = kbz.Backbone.from_preset(folder, load_weights=False, num_layers=3, hidden_dim=32,
                                        embedding_dim=32)  # fmt: skip
    assert (backbone.config.num_layers, backbone.config.hidden_dim) == (3, 32)
    assert backbone.transfer_report is None


def test_free_fields_may_be_changed(folder):
    backbone = kbz.Backbone.from_preset(
        folder, dropout=0.3, attention_dropout=0.0, activation="relu", layer_norm_epsilon=1e-6
    )
    assert backbone.config.dropout == 0.3
    assert backbone.config.activation == "relu"


# === What does not fit ===


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"num_layers": 3}, r"num_layers=3 does not fit the weights of .* which have 2"),
        ({"num_layers": 0}, "num_layers=0 does not fit"),
        ({"num_layers": True}, "num_layers"),
        ({"hidden_dim": 32}, "hidden_dim=32 does not fit .*which have 16.*load_weights=False"),
        ({"num_heads": 4}, "num_heads=4 does not fit"),
        ({"vocabulary_size": 3}, "vocabulary_size=3 does not fit"),
        ({"share_layers": True}, "share_layers=True does not fit"),
        ({"position_offset": 2}, "position_offset=2 does not fit"),
        ({"num_layer": 1}, '"num_layer" is not a field.*Did you mean "num_layers"'),
        ({"droput": 0.1}, 'Did you mean "dropout"'),
        ({"dropout": 2}, "dropout must be at least 0 and below 1; got 2"),
    ],
)
def test_overrides_that_do_not_fit(folder, overrides, message):
    with pytest.raises(ValueError, match=message):
        kbz.Backbone.from_preset(folder, **overrides)


def drop(name):
    return lambda tensors: {k: v for k, v in tensors.items() if k != name}


DAMAGE = {
    "missing tensor": (
        drop("bert.encoder.layer.1.attention.self.key.weight"),
        r"1 tensors are missing: encoder\.layer\.1\.attention\.self\.key\.weight",
    ),
    "missing embedding": (drop(WORDS), r"missing: embeddings\.word_embeddings\.weight"),
    "unknown tensor": (
        lambda t: {**t, "bert.encoder.extra.weight": np.zeros(2, "float32")},
        r"1 tensors are unknown.*: bert\.encoder\.extra\.weight\. Pass ignore=",
    ),
    "one layer too many": (
        lambda t: {
            **t,
            **{k.replace("layer.1", "layer.2"): v for k, v in t.items() if ".layer.1." in k},
        },
        r"16 tensors are unknown.*bert\.encoder\.layer\.2\.[\w.]+ and 10 more",
    ),
    "wrong shape": (
        lambda t: {**t, "bert.pooler.dense.weight": np.zeros((16, 15), "float32")},
        r"pooler\.dense\.weight gives the shape \(15, 16\); \S*pooler/dense/kernel needs "
        r"\(16, 16\)",
    ),
    "one third of wrong shape": (
        lambda t: {
            **t, "bert.encoder.layer.0.attention.self.key.bias": np.zeros(15, "float32")
        },
        r"layer\.0\.attention\.self\.key\.bias gives the shape \(15,\); \S+ needs \(16,\) there",
    ),
    "one third of wrong input width": (
        lambda t: {
            **t, "bert.encoder.layer.0.attention.self.key.weight": np.zeros((16, 17), "float32")
        },
        r"self\.key\.weight gives the shape \(17, 16\); \S+qkv/kernel needs \(16, 16\) there",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), DAMAGE.values(), ids=DAMAGE)
def test_tensors_that_do_not_fit(folder, edit, message):
    edit_tensors(folder, edit)
    with pytest.raises(kbz.CheckpointError, match=message):
        kbz.Backbone.from_preset(folder)


def test_an_unknown_tensor_may_be_ignored(folder):
    edit_tensors(folder, DAMAGE["unknown tensor"][0])
    for pattern in ("bert.encoder.extra.weight", "*.extra.*"):
        report = kbz.Backbone.from_preset(folder, ignore=[pattern]).transfer_report
        assert "bert.encoder.extra.weight" in report.unused
    with pytest.raises(kbz.CheckpointError, match="unknown"):
        kbz.Backbone.from_preset(folder, ignore=["bert.encoder.other.*"])


def test_an_untied_decoder(written, folder):
    edit_tensors(folder, lambda t: {**t, DECODER: 2 * t[WORDS]})
    edit_config(folder, tie_word_embeddings=False)
    with pytest.raises(kbz.CheckpointError, match=rf"{DECODER} differs from {WORDS}"):
        kbz.Pretrainer.from_preset(folder)
    backbone = kbz.Backbone.from_preset(folder)
    assert_same_weights(backbone, written[0].backbone)
    assert DECODER in backbone.transfer_report.unused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_sizes": 16}, '"hidden_sizes" .= 16. is unknown.*Did you mean "hidden_size"'),
        ({"embedding_size": 8}, '"embedding_size" .= 8. is unknown'),
        ({"is_decoder": True}, "cannot express is_decoder = True; only False or None"),
        ({"position_embedding_type": "relative_key"}, "cannot express position_embedding_type"),
        ({"hidden_act": "mish"}, "hidden_act = 'mish' is not supported; known are gelu, "),
        ({"num_attention_heads": 3}, "hidden_dim must divide by num_heads; got 16 and 3"),
        ({"hidden_size": "16"}, "hidden_dim must be a whole number of at least 1; got '16'"),
        ({"hidden_dropout_prob": None}, "dropout must be at least 0 and below 1; got None"),
        ({"layer_norm_eps": [1]}, "layer_norm_epsilon must be a finite number above 0"),
        ({"model_type": "deberta"}, 'models of the kind "deberta" are not supported; known.*bert'),
        ({"model_type": "bret"}, 'Did you mean "bert"'),
        ({"model_type": None}, "models of the kind"),
    ],
)
def test_configurations_that_do_not_fit(folder, changes, message):
    edit_config(folder, **changes)
    with pytest.raises(kbz.CheckpointError, match=message):
        kbz.Backbone.from_preset(folder)


def test_a_tensor_of_the_encoder_without_a_place_is_refused(folder):
    edit_config(folder, type_vocab_size=0)
    with pytest.raises(
        kbz.CheckpointError, match=r"no place for bert\.embeddings\.token_type_embeddings\.weight"
    ):
        kbz.Backbone.from_preset(folder)


def test_an_unknown_configuration_key_may_be_ignored(written, folder):
    edit_config(folder, rotary_base=10000)
    with pytest.raises(kbz.CheckpointError, match='"rotary_base"'):
        kbz.Backbone.from_preset(folder)
    backbone = kbz.Backbone.from_preset(folder, ignore=["rotary_base"])
    assert_same_weights(backbone, written[0].backbone)
    assert kbz.Pretrainer.from_preset(folder, ignore=["rotary_base"]).config == written[0].config


def test_a_configuration_without_optional_keys_means_the_defaults_of_transformers(folder):
    edit_config(folder, layer_norm_eps="DROP", hidden_act="DROP", pad_token_id="DROP")
    config = kbz.Backbone.from_preset(folder).config
    assert (config.layer_norm_epsilon, config.activation, config.pad_token_id) == (1e-12, "gelu", 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b'{"hidden_size": 16', r"config\.json is truncated or no JSON"),
        ("config.json", b"", r"config\.json is truncated or no JSON"),
        ("config.json", b"[]", r"config\.json is no JSON object"),
        ("config.json", None, "holds no model: none of bert_config.json, config.json, preset.json"),
        ("model.safetensors", None, r"lacks its weights: none of model\.safetensors"),
        ("model.safetensors", b"", r"model\.safetensors is truncated"),
        ("model.safetensors", b"x" * 50, r"model\.safetensors is truncated"),
    ],
)
def test_damaged_and_missing_files(folder, name, content, message):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(kbz.CheckpointError, match=message):
        kbz.Backbone.from_preset(folder)


def test_an_empty_folder(tmp_path):
    with pytest.raises(kbz.CheckpointError, match="holds no model"):
        kbz.Backbone.from_preset(tmp_path)


def test_a_quantized_encoder_is_not_saved(tmp_path):
    backbone = support.tiny_backbone()
    backbone.blocks[1].intermediate.quantize("int8")
    with pytest.raises(ValueError, match="Quantized is layer_1/intermediate"):
        backbone.save_to_preset(tmp_path)
    assert list(tmp_path.iterdir()) == []
