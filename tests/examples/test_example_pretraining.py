"""Pre-training from nothing, and further on other texts."""

import importlib
import json
import math

import keras
import numpy as np
import pytest
import support
from example_support import DATA, EXAMPLES

import keras_bert_zoo as kbz

# The scripts are the same for every backend: one runs them all, JAX would compile for minutes.
pytestmark = [] if keras.backend.backend() == "torch" else [pytest.mark.slow]


@pytest.fixture
def texts(tmp_path):
    """The passages of a handbook as documents: to learn from, to watch and to test."""
    paths = []
    for language in ("en", "zh"):
        lines = (DATA / f"handbook_{language}.jsonl").read_text(encoding="utf-8").splitlines()
        passages = [json.loads(line)["text"] for line in lines]
        for name, part in (("train", slice(60)), ("dev", slice(60, 80)), ("test", slice(80, 100))):
            path = tmp_path / f"{language}_{name}.txt"
            path.write_text("\n\n".join(passages[part]) + "\n", encoding="utf-8")
            paths.append(path)
    return {path.stem: path for path in paths}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pretraining_from_nothing(language, texts, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    if language == "zh":
        pytest.importorskip("opencc")
    monkeypatch.syspath_prepend(EXAMPLES / "pretrain")
    pretrain, evaluate = (importlib.import_module(name) for name in ("pretrain", "evaluate"))
    run = tmp_path / "run"
    given = [
        language,
        *("--text", texts[f"{language}_train"], "--held-out", texts[f"{language}_dev"]),
        *("--output", run, "--vocabulary-size", 500, "--steps", 2, "--epochs", 1, 2, 1),
        *("--dtype", "float32", "--processes", 1),
    ]
    first = pretrain.main(pretrain.parse([str(item) for item in given]))
    assert [logs["max_length"] for logs in first] == [32, 128, 128, 512]
    assert pretrain.main(pretrain.parse([str(item) for item in given])) == first  # nothing to do
    preset = kbz.Backbone.from_preset(run / "preset")
    assert (preset.config.dropout, preset.config.num_layers) == (0.1, 2)
    half, whole = (
        (run / name / "weights.safetensors").stat().st_size for name in ("preset", "trained")
    )
    assert 0.4 * whole < half < 0.6 * whole
    test = texts[f"{language}_test"]
    arguments = [run, "--text", test, "--language", language, "--batches", 1]
    figures = evaluate.main(evaluate.parse([str(item) for item in arguments]))
    # Half of a Chinese text is unknown to so small a vocabulary, which the commonest token is.
    assert figures["4-gram perplexity"] < (
        200 if language == "zh" else figures["unigram perplexity"]
    )
    assert 0 <= figures["masked-token accuracy"] <= 1
    tokenizer = kbz.Tokenizer.from_preset(run / "preset")
    if language == "zh":
        unknown = tokenizer.special_ids["unk"]
        assert {unknown}.isdisjoint(tokenizer.tokenize("这们") + tokenizer.tokenize("這們"))
    draw = importlib.import_module("draw")
    for path in draw.main(draw.parse([str(run)])):
        assert path.stat().st_size > 5000


@pytest.mark.parametrize("language", ["en", "zh"])
def test_teaching_a_reader(language, texts, tmp_path, monkeypatch):
    if language == "zh":
        pytest.importorskip("opencc")
    monkeypatch.syspath_prepend(EXAMPLES / "pretrain")
    reader = importlib.import_module("reader")
    lines = (DATA / f"handbook_{language}.jsonl").read_text(encoding="utf-8").splitlines()
    passages = [json.loads(line) for line in lines[:6]]
    write_questions(passages, tmp_path / "questions.json")
    given = [
        *(language, "--model", f"bert_tiny_{language}_wiki", "--text", texts[f"{language}_train"]),
        *("--output", tmp_path / "run", "--blocks", 1, "--share", 1e-4, "--epochs", 1),
    ]
    assert reader.main(reader.parse([str(item) for item in given])) == {}
    given += ["--questions", *[tmp_path / "questions.json"] * 2]
    figures = reader.main(reader.parse([str(item) for item in given]))  # goes on after the clozes
    assert 0 <= figures["exact"] <= figures["f1"] <= 100
    first, preset = (
        kbz.QuestionAnswerer.from_preset(tmp_path / "run" / name) for name in ("new", "preset")
    )
    assert (preset.backbone.config.dropout, preset.backbone.config.num_layers) == (0.1, 1)
    known = kbz.Backbone.from_preset(f"bert_tiny_{language}_wiki").embeddings
    for new, old in zip(first.backbone.embeddings.weights, known.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (new, old)))
    kernel = keras.ops.convert_to_numpy(first.backbone.blocks[0].attention.qkv.kernel)
    np.testing.assert_array_equal(kernel[:, :128], kernel[:, 128:256])
    text = passages[0]["text"]
    assert preset.answer(passages[0]["questions"][0]["question"], text)["answer"] in text


def write_questions(passages, path):
    """Passages with their questions as a file of SQuAD's form."""
    paragraphs = []
    for passage in passages:
        text = passage["text"]
        questions = [
            {
                "id": f"{passage['id']}-{number}",
                "question": one["question"],
                "answers": [{"text": one["answer"], "answer_start": text.index(one["answer"])}],
            }
            for number, one in enumerate(passage["questions"])
        ]
        paragraphs.append({"context": text, "qas": questions})
    path.write_text(json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]}))


def test_later_positions_begin_as_copies(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "pretrain")
    pretrain = importlib.import_module("pretrain")
    assert [phase.known_positions for phase in pretrain.PHASES] == [None, None, 128]
    backbone = support.tiny_backbone(max_sequence_length=11)
    table = backbone.embeddings.position_embedding.embeddings
    before = keras.ops.convert_to_numpy(table).copy()
    pretrain.repeat_positions(backbone, 4)
    after = keras.ops.convert_to_numpy(table)
    for position in range(11):
        np.testing.assert_array_equal(after[position], before[position % 4])


def test_counting_gives_chances(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "pretrain")
    ngrams = importlib.import_module("ngrams")
    model = ngrams.BackOff([[1, 2, 3, 1, 2, 4, 1, 2, 3], [5, 1]], 8)
    for before in ([], [7], [1], [1, 2], [3, 1, 2], [7, 1, 2]):
        assert model.chances(before).sum() == pytest.approx(1)
    assert model.chances([1, 2]).argmax() == 3
    # After "3 1 2" there was a 4, after "1 2" two of three times a 3.
    assert model.chances([3, 1, 2])[4] > 1.5 * model.chances([1, 2])[4]
    # By hand: of three tokens after "2", two are 3; 0.75 is taken off either count.
    after_two = (np.array([0, 0, 0, 2, 1, 0, 0, 0]) - [0, 0, 0, 0.75, 0.75, 0, 0, 0]) / 3
    by_two = after_two + 1.5 / 3 * model.unigrams
    np.testing.assert_allclose(model.chances([7, 2]), by_two)


def test_further_pretraining(run):
    gain = run("further_pretraining", "--seeds", 1)
    assert math.isfinite(gain)


def write_table(path, *rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_parts_of_tables(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(EXAMPLES)
    read_parts = importlib.import_module("further_pretraining").read_parts
    header, train, test = ("split", "text", "label"), ("train", "a b", "x"), ("test", "c", "y")
    whole = write_table(tmp_path / "whole.tsv", header, train, test)
    assert read_parts([whole]) == [(["a b"], ["x"]), (["c"], ["y"])]
    # Of two files each is a part of its own, whatever stands in it.
    assert read_parts([whole, whole])[0] == read_parts([whole, whole])[1]
    other = write_table(tmp_path / "other.tsv", ("sentence", "label"), ("d", "x"))
    assert read_parts([other, other]) == [(["d"], ["x"])] * 2
    with pytest.raises(ValueError, match="two; got 3 files"):
        read_parts([whole] * 3)
    with pytest.raises(ValueError, match="has no column split; it has sentence, label"):
        read_parts([other])
    with pytest.raises(ValueError, match="no row of test"):
        read_parts([write_table(tmp_path / "half.tsv", header, train)])
    with pytest.raises(ValueError, match="it has no header"):
        read_parts([write_table(tmp_path / "empty.tsv")])
