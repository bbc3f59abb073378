"""Google's own TF1 checkpoints, against the outputs of Google's own code.

`data/google_tf1` is a small BERT with random weights, run once through google-research/bert
(graph mode, float32, no dropout) and saved by its own Saver.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints import readers

SOURCE = Path(__file__).resolve().parents[1] / "data" / "google_tf1"
TOLERANCE = 1e-5

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow reads its checkpoints"
)


@pytest.fixture
def folder(tmp_path):
    """A copy of the checkpoint, with a vocabulary."""
    folder = tmp_path / "google"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("reference.npz"))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(495))]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def reference():
    with np.load(SOURCE / "reference.npz") as file:
        return {name: file[name] for name in file}


def fed(reference, *more):
    return {name: reference[name] for name in ("token_ids", "segment_ids", "padding_mask", *more)}


def difference(ours, theirs):
    ours = np.asarray(ours.detach() if hasattr(ours, "detach") else ours)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max()


def log_softmax(logits):
    logits = np.asarray(logits.detach() if hasattr(logits, "detach") else logits, "float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@needs_tensorflow
def test_outputs_equal_googles(folder, reference):
    task = kbz.Pretrainer.from_preset(folder)
    assert task.config.activation == "gelu_approximate"
    assert task.transfer_report.newly_initialised == ()
    assert task.transfer_report.unused == ()

    encoded = task.backbone.with_outputs(hidden_states=True)(fed(reference))
    assert difference(encoded["hidden_states"][0], reference["embedding"]) <= TOLERANCE
    assert difference(encoded["sequence_output"], reference["sequence"]) <= TOLERANCE
    assert difference(encoded["pooled_output"], reference["pooled"]) <= TOLERANCE

    logits = task(fed(reference, "mask_positions"))
    masked_lm = log_softmax(logits["masked_lm"]).reshape(10, 500)
    assert difference(masked_lm, reference["mlm_log_probs"]) <= TOLERANCE
    next_sentence = log_softmax(logits["next_sentence"])
    assert difference(next_sentence, reference["nsp_log_probs"]) <= TOLERANCE


@needs_tensorflow
def test_the_exact_gelu_would_be_noticed(folder, reference):
    backbone = kbz.Backbone.from_preset(folder, activation="gelu")
    sequence = backbone(fed(reference))["sequence_output"]
    # Its weights are as small as fresh ones, so even the wrong GELU is off by no more than 4e-5.
    assert difference(sequence, reference["sequence"]) > 3 * TOLERANCE


@needs_tensorflow
def test_export_tells_transformers_of_the_approximate_gelu(folder, reference, tmp_path):
    kbz.Pretrainer.from_preset(folder).export_to_transformers(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert written["hidden_act"] == "gelu_new"

    torch = pytest.importorskip("torch", reason="models of transformers run on torch")
    transformers = pytest.importorskip("transformers", reason="reads the export")
    model = transformers.BertForPreTraining.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        outputs = model(
            input_ids=torch.tensor(reference["token_ids"]),
            token_type_ids=torch.tensor(reference["segment_ids"]),
            attention_mask=torch.tensor(reference["padding_mask"]),
        )
    rows = np.arange(5)[:, None]
    logits = outputs.prediction_logits[rows, reference["mask_positions"]]
    masked_lm = log_softmax(logits).reshape(10, 500)
    assert difference(masked_lm, reference["mlm_log_probs"]) <= TOLERANCE
    next_sentence = log_softmax(outputs.seq_relationship_logits)
    assert difference(next_sentence, reference["nsp_log_probs"]) <= TOLERANCE


def rewrite(folder, changes):
    """The checkpoint written anew, with some tensors added, replaced or (None) left out."""
    import tensorflow as tf

    prefix = str(folder / "bert_model.ckpt")
    reader = tf.train.load_checkpoint(prefix)
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    tensors = {k: v for k, v in {**tensors, **changes}.items() if v is not None}
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def zeros(*shape):
    return np.zeros(shape, "float32")


@needs_tensorflow
def test_optimizer_slots_and_the_step_counter_are_passed_over(folder, reference):
    rewrite(
        folder,
        {
            "global_step": np.int64(70),
            "bert/pooler/dense/kernel/adam_m": zeros(32, 32),
            "bert/pooler/dense/kernel/adam_v": zeros(32, 32),
            "bert/embeddings/word_embeddings/adam_m": zeros(500, 32),
            "cls/predictions/output_bias/adam_v": zeros(500),
        },
    )
    backbone = kbz.Backbone.from_preset(folder)
    assert not any("adam" in name for name in backbone.transfer_report.unused)
    sequence = backbone(fed(reference))["sequence_output"]
    assert difference(sequence, reference["sequence"]) <= TOLERANCE


@needs_tensorflow
def test_a_fine_tuned_classifier(folder):
    random = np.random.default_rng(0)
    weights = random.normal(size=(3, 32)).astype("float32")
    bias = random.normal(size=3).astype("float32")
    pretraining_heads = """
        cls/predictions/output_bias
        cls/predictions/transform/LayerNorm/beta
        cls/predictions/transform/LayerNorm/gamma
        cls/predictions/transform/dense/bias
        cls/predictions/transform/dense/kernel
        cls/seq_relationship/output_bias
        cls/seq_relationship/output_weights
    """
    without = dict.fromkeys(pretraining_heads.split())
    slots = {"output_weights/adam_m": zeros(3, 32), "output_bias/adam_v": zeros(3)}
    rewrite(folder, {**without, **slots, "output_weights": weights, "output_bias": bias})
    task = kbz.TextClassifier.from_preset(folder)
    assert task.num_classes == 3
    assert task.transfer_report.newly_initialised == ()
    kernel, ours = task.get_layer("text_classifier").get_weights()
    assert np.array_equal(kernel, weights.T)
    assert np.array_equal(ours, bias)


@needs_tensorflow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bert/new_part/kernel": zeros(2)}, "unknown.* bert/new_part/kernel"),
        ({"bert/encoder/layer_1/output/dense/bias": None}, "missing: bert/encoder/layer_1/output"),
        ({"bert/pooler/dense/bias": zeros(31)}, r"bert/pooler/dense/bias gives the shape \(31,\)"),
        ({"cls/seq_relationship/output_bias": None}, "missing: cls/seq_relationship/output_bias"),
    ],
)
def test_what_does_not_fit_is_named(folder, changes, message):
    rewrite(folder, changes)
    with pytest.raises(kbz.CheckpointError, match=message):
        kbz.Pretrainer.from_preset(folder)


@needs_tensorflow
@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(folder, name, kept):
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(kbz.CheckpointError, match=r"bert_model\.ckpt.*(truncated|cannot be read)"):
        kbz.Pretrainer.from_preset(folder)


@needs_tensorflow
@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_is_an_error(folder, name, seed):
    path = folder / name
    content = bytearray(path.read_bytes())
    spot = np.random.default_rng(seed).integers(len(content))
    content[spot] ^= 1 << (seed % 8)
    path.write_bytes(content)
    with pytest.raises(kbz.CheckpointError, match=r"bert_model\.ckpt|google"):
        kbz.Pretrainer.from_preset(folder)


def test_a_missing_data_file_is_named(folder):
    (folder / "bert_model.ckpt.data-00000-of-00001").unlink()
    with pytest.raises(kbz.CheckpointError, match=r"lacks bert_model\.ckpt\.data-00000-of-00001"):
        kbz.Backbone.from_preset(folder)


def test_no_or_several_checkpoints_are_told_apart(folder):
    index = folder / "bert_model.ckpt.index"
    for name in ("model.ckpt-10.index", "model.ckpt-20.index"):
        shutil.copy(index, folder / name)
    index.unlink()
    with pytest.raises(
        kbz.CheckpointError, match=r"found: model\.ckpt-10\.index, model\.ckpt-20\.index\."
    ):
        kbz.Backbone.from_preset(folder)
    for path in folder.glob("*.index"):
        path.unlink()
    with pytest.raises(kbz.CheckpointError, match=r"should hold bert_model\.ckpt\.index.*none"):
        kbz.Backbone.from_preset(folder)


@needs_tensorflow
def test_one_checkpoint_of_another_name_is_read(folder, reference):
    for path in folder.glob("bert_model.ckpt.*"):
        path.rename(folder / path.name.replace("bert_model.ckpt", "model.ckpt-70"))
    sequence = kbz.Backbone.from_preset(folder)(fed(reference))["sequence_output"]
    assert difference(sequence, reference["sequence"]) <= TOLERANCE


def test_without_tensorflow_the_error_says_what_to_do(folder, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        readers.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "tensorflow" else find_spec(name, *rest),
    )
    with pytest.raises(
        ImportError, match=r"reading it needs TensorFlow: pip install .*save_to_preset"
    ):
        kbz.Backbone.from_preset(folder)


def test_the_configuration_is_read_without_tensorflow(folder, monkeypatch):
    monkeypatch.setattr(readers, "TensorFlowReader", None)
    backbone = kbz.Backbone.from_preset(folder, load_weights=False)
    assert backbone.config.hidden_dim == 32
    assert backbone.config.layer_norm_epsilon == 1e-12
