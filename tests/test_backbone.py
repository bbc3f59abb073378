"""`Backbone`: its inputs, its outputs, and its way to the disk and back."""

import json

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz
from keras_bert_zoo import pretrained
from keras_bert_zoo.checkpoints import directory

IDS = np.array([[2, 8, 9, 3], [2, 10, 3, 0]])
SEGMENTS = np.array([[0, 0, 1, 1], [0, 1, 1, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
FEED = {"token_ids": IDS, "segment_ids": SEGMENTS, "padding_mask": MASK}
POLICIES = ("float32", "bfloat16", "mixed_bfloat16", "float16", "mixed_float16")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float32")


def outputs(model, feed):
    return {name: numpy(value) for name, value in model(feed).items()}


def assert_equal(ours, theirs):
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name


def assert_same_weights(ours, theirs):
    ours = {w.path: w for w in ours.weights}
    theirs = {w.path: w for w in theirs.weights}
    assert set(ours) == set(theirs)
    for path, weight in ours.items():
        assert weight.dtype == theirs[path].dtype, path
        assert np.array_equal(numpy(weight), numpy(theirs[path])), path


# === Inputs ===


def test_outputs(backbone):
    result = backbone(FEED)
    assert set(result) == {"sequence_output", "pooled_output"}
    assert tuple(result["sequence_output"].shape) == (2, 4, 16)
    assert tuple(result["pooled_output"].shape) == (2, 16)


@pytest.mark.parametrize("absent", [{}, {"segment_ids": None, "padding_mask": None}])
def test_absent_inputs_mean_segment_0_and_all_real(backbone, absent):
    spelled_out = {
        "token_ids": IDS, "segment_ids": np.zeros_like(IDS), "padding_mask": np.ones_like(IDS)
    }  # fmt: skip
    assert_equal(outputs(backbone, {"token_ids": IDS, **absent}), outputs(backbone, spelled_out))


def test_the_padding_mask_is_never_guessed_from_the_padding_id():
    backbone = support.scramble(support.tiny_backbone())
    guessed = {"token_ids": IDS, "padding_mask": (IDS != 0).astype("int32")}
    plain = outputs(backbone, {"token_ids": IDS})["pooled_output"]
    assert np.abs(plain - outputs(backbone, guessed)["pooled_output"])[1].max() > 1e-4


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool", "list"])
def test_any_kind_of_whole_numbers(backbone, dtype):
    mask = MASK.tolist() if dtype == "list" else MASK.astype(dtype)
    ids = IDS.tolist() if dtype in ("list", "bool") else IDS.astype(dtype)
    result = outputs(backbone, {"token_ids": ids, "padding_mask": mask})
    assert_equal(result, outputs(backbone, {"token_ids": IDS, "padding_mask": MASK}))


def test_tensors_of_the_backend(backbone):
    feed = {name: keras.ops.convert_to_tensor(array, "int32") for name, array in FEED.items()}
    assert_equal(outputs(backbone, feed), outputs(backbone, FEED))


def test_absent_inputs_in_predict_and_in_another_model(backbone):
    predicted = backbone.predict({"token_ids": IDS}, verbose=0)
    called = outputs(backbone, {"token_ids": IDS})
    token_ids = keras.Input((None,), dtype="int32")
    model = keras.Model(token_ids, backbone({"token_ids": token_ids})["pooled_output"])
    for pooled in (predicted["pooled_output"], model.predict(IDS, verbose=0)):
        assert np.abs(pooled - called["pooled_output"]).max() < 1e-6


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (IDS, 'must be a dict with "token_ids"; got ndarray'),
        ({"segment_ids": IDS}, 'lack "token_ids"'),
        ({"token_ids": None}, 'lack "token_ids"'),
        ({**FEED, "token_type_ids": IDS}, '"token_type_ids" is no input .* takes token_ids, seg'),
        ({"token_ids": IDS, "paddingmask": MASK}, 'Did you mean "padding_mask"'),
        ({"token_ids": IDS[0]}, r"token_ids must have the shape \(B, L\); got \(4,\)"),
        ({"token_ids": IDS[None]}, r"token_ids must have the shape \(B, L\); got \(1, 2, 4\)"),
        ({"token_ids": [[1, 2], [3]]}, r"token_ids must have the shape \(B, L\): its rows differ"),
        ({"token_ids": IDS, "segment_ids": SEGMENTS[:, :3]}, r"segment_ids must have the shape of "
         r"token_ids, \(2, 4\); got \(2, 3\)"),
        ({"token_ids": IDS, "padding_mask": MASK[:, None]}, r"padding_mask must have the shape "
         r"\(B, L\); got \(2, 1, 4\)"),
        ({"token_ids": IDS, "padding_mask": MASK[:1]}, r"padding_mask must have .*got \(1, 4\)"),
        ({"token_ids": IDS.astype("float32")}, "token_ids must hold whole numbers; got .* float32"),
        ({"token_ids": [["a", "b"]]}, "token_ids must hold whole numbers; got the dtype <U1"),
        ({"token_ids": IDS, "padding_mask": MASK * 1.0}, "padding_mask must hold whole numbers"),
        ({"token_ids": [[1, 2], [3, 99]]}, r"token_ids\[1, 1\] is 99; vocabulary_size is \d+, so"),
        ({"token_ids": [[-1, 2]]}, r"token_ids\[0, 0\] is -1"),
        ({"token_ids": IDS, "segment_ids": IDS}, r"segment_ids\[0, 0\] is 2; num_segments is 2, so "
         "ids run from 0 to 1"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_named(backbone, feed, message):
    with pytest.raises(ValueError, match=message):
        backbone(feed)


def test_too_long_an_input_is_named(backbone):
    with pytest.raises(ValueError, match=r"65 tokens long; max_sequence_length is 64\. Cut or win"):
        backbone({"token_ids": np.zeros((1, 65), "int32")})


def test_the_longest_input_runs(backbone):
    result = backbone({"token_ids": np.zeros((1, 64), "int32")})
    assert tuple(result["sequence_output"].shape) == (1, 64, 16)


# === Construction ===


def test_backbone_itself_is_abstract():
    with pytest.raises(TypeError, match=r"abstract; use BertBackbone or Backbone\.from_preset"):
        kbz.Backbone(vocabulary_size=3)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match=r'"num_head" is not a field.* Did you mean "num_heads"'):
        support.tiny_backbone(num_head=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"share_layers": True, "num_layers": 3},
        {"embedding_dim": 8},
        {"position_offset": 2},
        {"num_segments": 0},
        {"num_segments": 4},
        {"pooler": False},
        {"share_layers": True, "embedding_dim": 8, "num_segments": 0, "pooler": False},
        *({"activation": name} for name in ("gelu_approximate", "relu", "silu", "tanh")),
    ],
    ids=str,
)
def test_every_kind_of_encoder_runs_and_is_saved_exactly(changes, tmp_path):
    backbone = support.scramble(support.tiny_backbone(**changes))
    feed = {"token_ids": IDS, "padding_mask": MASK}
    before = outputs(backbone, feed)
    assert before["sequence_output"].shape == (2, 4, 16)
    backbone.save_to_preset(tmp_path)
    back = kbz.Backbone.from_preset(tmp_path)
    assert back.config == backbone.config
    assert_equal(outputs(back, feed), before)
    states = backbone.with_outputs(hidden_states=True, attentions=True)(feed)
    assert len(states["hidden_states"]) == backbone.config.num_layers + 1
    assert len(states["attentions"]) == backbone.config.num_layers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_layers": 1},
        {"share_layers": True, "num_layers": 3, "embedding_dim": 8},
        {"num_segments": 0, "position_offset": 2},
    ],
    ids=str,
)
def test_the_pooled_output_alone_is_the_same(changes):
    backbone = support.scramble(support.tiny_backbone(**changes))
    feed = {"token_ids": IDS, "padding_mask": MASK}
    pooled = backbone(feed, only="pooled_output")
    assert list(pooled) == ["pooled_output"]
    wanted = outputs(backbone, feed)["pooled_output"]
    np.testing.assert_allclose(numpy(pooled["pooled_output"]), wanted, atol=1e-6)
    symbolic = backbone(backbone.input, only="pooled_output")
    assert {name: value.shape for name, value in symbolic.items()} == {"pooled_output": (None, 16)}


def test_the_sequence_output_alone_is_the_same(backbone, monkeypatch):
    feed = {"token_ids": IDS, "padding_mask": MASK}
    wanted = outputs(backbone, feed)["sequence_output"]
    symbolic = backbone(backbone.input, only="sequence_output")
    assert {name: value.shape[2] for name, value in symbolic.items()} == {"sequence_output": 16}
    pooled = support.count_calls(monkeypatch, kbz.layers.Pooler, "call")
    found = backbone(feed, only="sequence_output")
    assert list(found) == ["sequence_output"] and not pooled
    np.testing.assert_allclose(numpy(found["sequence_output"]), wanted, atol=1e-6)


def test_an_output_that_there_is_not(backbone):
    for inputs in (backbone.input, {"token_ids": IDS}):
        with pytest.raises(ValueError, match=r"sequence_output.*pooled"):
            backbone(inputs, only="pooled")


def test_training_the_pooled_output_alone_is_the_same():
    """Its gradients, with and without remat, beside those of the whole output."""
    random = np.random.default_rng(0)
    ids = random.integers(5, 29, (8, 6)).astype("int32")
    feed = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": (ids > 8).astype("int32")}
    found = []
    for only, remat in ((None, False), ("pooled_output", False), ("pooled_output", True)):
        backbone = support.scramble(
            support.tiny_backbone(dropout=0.0, attention_dropout=0.0, remat=remat)
        )
        pooled = backbone(backbone.input, only=only)["pooled_output"]
        model = keras.Model(backbone.input, pooled)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(feed, np.ones((8, 16)), batch_size=4, epochs=2, shuffle=False, verbose=0)
        found.append([numpy(weight) for weight in backbone.weights])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, two, atol=2e-6)


def test_packed_inputs_and_the_pooled_output_alone(backbone):
    rows = np.arange(8, dtype="int32").reshape(1, 8)  # two examples of four tokens in one row
    packing = {"packed_rows": rows, "packed_places": rows.reshape(2, 4)}
    pooled = backbone({"token_ids": IDS, **packing}, only="pooled_output")
    assert list(pooled) == ["pooled_output"]
    wanted = backbone({"token_ids": IDS})["pooled_output"]
    np.testing.assert_allclose(numpy(pooled["pooled_output"]), numpy(wanted), atol=1e-6)


def test_no_pooler_no_pooled_output():
    backbone = support.tiny_backbone(pooler=False)
    for inputs in (backbone.input, {"token_ids": IDS}):
        with pytest.raises(ValueError, match="pooler=True"):
            backbone(inputs, only="pooled_output")


def test_the_last_block_leaves_out_what_no_pooler_reads(monkeypatch):
    shapes, call = [], kbz.layers.EncoderBlock.call

    def noted(self, *args, **kwargs):
        output = call(self, *args, **kwargs)
        shapes.append(output.shape[1])
        return output

    backbone = support.tiny_backbone(num_layers=3)
    monkeypatch.setattr(kbz.layers.EncoderBlock, "call", noted)
    backbone({"token_ids": IDS}, only="pooled_output")
    assert shapes == [4, 4, 1]


def test_shared_layers_hold_one_block():
    blocks = {w.path.split("/")[0] for w in support.tiny_backbone(share_layers=True).weights}
    assert blocks == {"embeddings", "layer_0", "pooler"}


def test_summary_and_plot(backbone, tmp_path):
    lines = []
    backbone.summary(print_fn=lines.append)
    text = "\n".join(lines)
    for name in ("embeddings", "layer_0", "layer_1", "pooler"):
        assert name in text
    pytest.importorskip("pydot", reason="plot_model draws with pydot")
    if not keras.src.utils.model_visualization.check_graphviz():
        pytest.skip("plot_model draws with Graphviz")
    keras.utils.plot_model(backbone, tmp_path / "plot.png", show_shapes=True, expand_nested=True)
    assert (tmp_path / "plot.png").stat().st_size > 1000


# === More outputs ===


def test_with_outputs_shares_the_weights(backbone):
    wide = backbone.with_outputs(hidden_states=True, attentions=True)
    assert {id(w) for w in wide.weights} == {id(w) for w in backbone.weights}
    result = wide(FEED)
    assert_equal({k: numpy(result[k]) for k in backbone.output}, outputs(backbone, FEED))
    assert np.array_equal(numpy(result["hidden_states"][-1]), numpy(result["sequence_output"]))
    for probabilities in map(numpy, result["attentions"]):
        assert probabilities.shape == (2, 2, 4, 4)
        assert np.allclose(probabilities.sum(-1), 1, atol=1e-6)
        assert np.all(probabilities[1, :, :, 3] == 0)
    assert set(backbone.with_outputs()(FEED)) == set(backbone.output)


def test_with_outputs_may_be_called_twice_and_fills_absent_inputs(backbone):
    first = backbone.with_outputs(attentions=True)({"token_ids": IDS})
    second = backbone.with_outputs(attentions=True)({"token_ids": IDS})
    assert np.array_equal(numpy(first["attentions"][0]), numpy(second["attentions"][0]))


def test_a_model_with_more_outputs_is_saved_exactly(tmp_path):
    backbone = support.scramble(support.tiny_backbone(share_layers=True))
    wide = backbone.with_outputs(hidden_states=True, attentions=True)
    wide.save(tmp_path / "wide.keras")
    back = keras.saving.load_model(tmp_path / "wide.keras")
    before, after = wide(FEED), back(FEED)
    assert set(before) == set(after)
    for name in ("hidden_states", "attentions"):
        for one, other in zip(before[name], after[name], strict=True):
            assert np.array_equal(numpy(one), numpy(other))


# === To the disk and back ===


@pytest.mark.parametrize("policy", POLICIES)
def test_saving_is_exact(policy, tmp_path):
    backbone = support.scramble(support.tiny_backbone(dtype=policy))
    before = outputs(backbone, FEED)
    assert all(np.isfinite(value).all() for value in before.values())
    backbone.save_to_preset(tmp_path / "folder")
    backbone.save(tmp_path / "model.keras")
    for back in (
        kbz.Backbone.from_preset(tmp_path / "folder"),
        keras.saving.load_model(tmp_path / "model.keras"),
    ):
        assert isinstance(back, kbz.BertBackbone)
        assert back.config == backbone.config
        assert back.dtype_policy.name == policy
        assert_same_weights(back, backbone)
        assert_equal(outputs(back, FEED), before)


def test_half_precision_on_disk(tmp_path):
    backbone = support.scramble(support.tiny_backbone())
    for name, dtype in (("whole", None), ("half", "float16")):
        backbone.save_to_preset(tmp_path / name, weights_dtype=dtype)
    back = kbz.Backbone.from_preset(tmp_path / "half")
    assert back.dtype_policy.name == "float32"
    for one, other in zip(back.get_weights(), backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other.astype("float16").astype("float32"))
        assert one.dtype == "float32"
    whole, half = ((tmp_path / n / "weights.safetensors").stat().st_size for n in ("whole", "half"))
    assert half < 0.6 * whole


def test_weights_that_half_precision_cannot_hold(tmp_path):
    backbone = support.tiny_backbone()
    with pytest.raises(ValueError, match='weights_dtype must be "float16" or None'):
        backbone.save_to_preset(tmp_path, weights_dtype="int8")
    name = backbone.weights[0].path
    backbone.weights[0].assign(keras.ops.full(backbone.weights[0].shape, 7e4))
    with pytest.raises(ValueError, match=rf"{name} holds 70000.*beyond float16"):
        backbone.save_to_preset(tmp_path, weights_dtype="float16")
    assert not list(tmp_path.iterdir())


def test_another_dtype_may_be_asked_for(tmp_path):
    backbone = support.scramble(support.tiny_backbone())
    backbone.save_to_preset(tmp_path)
    half = kbz.Backbone.from_preset(tmp_path, dtype="mixed_bfloat16")
    assert_same_weights(half, backbone)
    gap = np.abs(outputs(half, FEED)["pooled_output"] - outputs(backbone, FEED)["pooled_output"])
    assert 0 < gap.max() < 0.2


def test_name_and_trainable_survive(tmp_path):
    backbone = support.tiny_backbone(name="mine", trainable=False)
    backbone.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    assert (back.name, back.trainable) == ("mine", False)


def test_from_preset_of_a_named_class(tmp_path):
    support.tiny_backbone().save_to_preset(tmp_path)
    assert isinstance(kbz.BertBackbone.from_preset(tmp_path), kbz.BertBackbone)

    class OtherBackbone(kbz.Backbone):
        """Of another family."""

    with pytest.raises(ValueError, match="is of the family bert; use BertBackbone or Backbone"):
        OtherBackbone.from_preset(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("preset.json", b"{", r"preset\.json is truncated or no JSON"),
        ("preset.json", b"{}", "has format version None; this release reads 1"),
        ("preset.json", b'{"format_version": 2}', "has format version 2; .*or update"),
        ("preset.json", b'{"format_version": 1}', r"preset\.json: 'family'"),
        ("weights.safetensors", b"", r"weights\.safetensors is truncated"),
        ("weights.safetensors", None, r"lacks its weights: none of weights\.safetensors"),
    ],
)
def test_damaged_folders_of_our_own(backbone, tmp_path, name, content, message):
    backbone.save_to_preset(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(kbz.CheckpointError, match=message):
        kbz.Backbone.from_preset(tmp_path)


def test_weights_of_another_size(backbone, tmp_path):
    backbone.save_to_preset(tmp_path)
    path = tmp_path / "preset.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["backbone"]["num_layers"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(kbz.CheckpointError, match="12 weights are missing: layer_2/"):
        kbz.Backbone.from_preset(tmp_path)
    content["backbone"] |= {"num_layers": 2, "intermediate_dim": 33}
    path.write_text(json.dumps(content))
    with pytest.raises(kbz.CheckpointError, match=r"intermediate/\w+ gives the shape"):
        kbz.Backbone.from_preset(tmp_path)


# === No half folder ===


class InterruptedSaveError(Exception):
    """What a full disk or a pressed key would raise."""


@pytest.mark.parametrize("when", ["weights", "config"])
def test_an_interrupted_save_leaves_the_old_folder(tmp_path, monkeypatch, when):
    folder = tmp_path / "model"
    old = support.scramble(support.tiny_backbone())
    old.save_to_preset(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stop(*_, **__):
        raise InterruptedSaveError

    if when == "weights":
        monkeypatch.setattr(pretrained, "save_safetensors", stop)
    else:
        monkeypatch.setattr(pretrained.json, "dumps", stop)
    with pytest.raises(InterruptedSaveError):
        support.tiny_backbone().save_to_preset(folder)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_same_weights(kbz.Backbone.from_preset(folder), old)


def test_a_save_interrupted_between_files_leaves_no_readable_half(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    support.tiny_backbone().save_to_preset(folder)
    moved = []

    def move(source, target):
        if moved:
            raise InterruptedSaveError
        moved.append(target)
        rename(source, target)

    rename = directory.os.replace
    monkeypatch.setattr(directory.os, "replace", move)
    with pytest.raises(InterruptedSaveError):
        support.tiny_backbone().save_to_preset(folder)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with pytest.raises(kbz.CheckpointError, match="holds no model"):
        kbz.Backbone.from_preset(folder)


def test_saving_replaces_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    support.tiny_backbone().save_to_preset(tmp_path)
    new = support.scramble(support.tiny_backbone(num_layers=1))
    new.save_to_preset(tmp_path)
    assert_same_weights(kbz.Backbone.from_preset(tmp_path), new)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["notes.txt", "preset.json", "weights.safetensors"]


def test_saving_onto_a_file_is_refused(backbone, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(kbz.CheckpointError, match="file is a file, not a folder"):
        backbone.save_to_preset(tmp_path / "file")


# === Training ===


@pytest.mark.parametrize("policy", POLICIES[1:])
@pytest.mark.parametrize("attention_dropout", [0.0, 0.1])  # takes the fused path, or another
def test_a_fit_step_in_low_precision(policy, attention_dropout):
    backbone = support.tiny_backbone(
        dtype=policy, num_layers=1, dropout=0.0, attention_dropout=attention_dropout
    )
    task = kbz.TextClassifier(backbone)
    if policy == "mixed_float16":
        scaled = keras.optimizers.LossScaleOptimizer(kbz.create_optimizer(1e-3))
        task.compile(optimizer=scaled)
    if not policy.startswith("mixed"):
        # 0.999 is 1 in bfloat16, so that Adam's bias correction multiplies every step by 0.
        task.compile(optimizer=keras.optimizers.SGD(0.1))
    before = [numpy(w) for w in backbone.trainable_weights]
    history = task.fit(FEED, [0, 1], epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    after = [numpy(w) for w in backbone.trainable_weights]
    assert all(np.isfinite(value).all() for value in after)
    assert any(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert np.isfinite(task.predict(FEED).astype("float32")).all()


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_row_without_real_tokens_trains_to_finite_weights(dropout):
    """Its softmax is over nothing; NaN would spread through the shared weights."""
    backbone = support.scramble(support.tiny_backbone(num_layers=1, attention_dropout=dropout))
    feed = {**FEED, "padding_mask": np.array([[1, 1, 1, 1], [0, 0, 0, 0]])}
    assert all(np.isfinite(value).all() for value in outputs(backbone, feed).values())
    pooled = backbone(backbone.input)["pooled_output"]
    model = keras.Model(backbone.input, keras.layers.Dense(1)(pooled))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    history = model.fit(feed, np.array([[0.0], [1.0]]), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(numpy(w)).all() for w in model.weights)
    alone = {name: array[:1] for name, array in feed.items()}
    together = outputs(backbone, feed)["pooled_output"][:1]
    assert np.abs(outputs(backbone, alone)["pooled_output"] - together).max() < 1e-5
