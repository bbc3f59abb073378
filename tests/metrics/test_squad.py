"""SQuAD scores against the definitions, stated a second time, and by hand."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_bert_zoo.metrics.squad import (
    answer_scores,
    best_no_answer_threshold,
    exact_match,
    normalize_answer,
    squad_scores,
    token_f1,
    tuned_threshold,
)

WORDS = ["the", "a", "An", "cat", "cats", "Cat", "sat.", "--", "the-end", "3.5", "é", " ", "\n"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


def restated_words(text):
    """The definition in another order: characters, then words, then articles."""
    kept = [" " if char.isspace() else char for char in text if char not in string.punctuation]
    words = re.split(" +", "".join(kept).lower())
    return [word for word in words if word not in ("", "a", "an", "the")]


def restated_f1(answer, prediction):
    wanted, left = restated_words(answer), restated_words(prediction)
    if not wanted or not left:
        return 1.0 if wanted == left else 0.0
    count, shared = len(left), 0
    for word in wanted:
        if word in left:
            left.remove(word)
            shared += 1
    if not shared:
        return 0.0
    precision, recall = shared / count, shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


@given(TEXTS, TEXTS)
def test_scores_follow_the_definition(answer, prediction):
    assert normalize_answer(answer) == " ".join(restated_words(answer))
    assert exact_match(answer, prediction) == (restated_words(answer) == restated_words(prediction))
    assert token_f1(answer, prediction) == pytest.approx(restated_f1(answer, prediction), abs=1e-9)


def test_by_hand():
    assert normalize_answer(" The  U.S. Army, a force\n") == "us army force"
    assert normalize_answer("theater an-a") == "theater ana"  # articles are whole words
    assert exact_match("the Cat!", "cat") == 1
    assert exact_match("cats", "cat") == 0
    assert token_f1("the big cat", "a cat sat there") == pytest.approx(2 / (2 + 3))
    assert token_f1("cat cat", "cat") == pytest.approx(2 / 3)  # each as often as both hold it
    assert token_f1("", "") == token_f1("the", "") == 1
    assert token_f1("", "cat") == 0


def test_the_best_answer_counts():
    assert answer_scores(["black dog", "black cat"], "cat") == (0, pytest.approx(2 / 3))
    assert answer_scores([], "") == (1, 1)
    assert answer_scores([], "cat") == (0, 0)
    # An answer of articles alone must not make an empty prediction right.
    assert answer_scores(["the", "cat"], "") == (0, 0)
    assert answer_scores(["the"], "") == (1, 1)


REFERENCES = {
    "q1": {"text": ["Paris", "in Paris"], "answer_start": [0, 0]},
    "q2": [{"text": "two red cats", "answer_start": 4}],
    "q3": {"text": [], "answer_start": []},
    "q4": [],
}
PREDICTIONS = {"q1": "Paris.", "q2": "red cats", "q3": "", "q4": "Rome"}


def test_scores_of_both_kinds():
    assert squad_scores(PREDICTIONS, REFERENCES) == pytest.approx(
        {
            "exact": 50.0,
            "f1": 70.0,
            "total": 4,
            "HasAns_exact": 50.0,
            "HasAns_f1": 90.0,
            "HasAns_total": 2,
            "NoAns_exact": 50.0,
            "NoAns_f1": 50.0,
            "NoAns_total": 2,
        }
    )


def test_version_one_has_no_kinds():
    scores = squad_scores(["Paris", "red cats"], ["Paris", ["two red cats", "blue"]])
    assert scores == pytest.approx({"exact": 50.0, "f1": 90.0, "total": 2})


def test_only_unanswerable():
    scores = squad_scores([""], [[]])
    assert scores["NoAns_exact"] == 100
    assert "HasAns_exact" not in scores


def test_doubt_above_the_threshold_empties_the_answer():
    doubts = {"q1": 0.1, "q2": 0.9, "q3": 0.5, "q4": 0.8}
    assert squad_scores(PREDICTIONS, REFERENCES, doubts, 0.7)["exact"] == 75
    assert squad_scores(PREDICTIONS, REFERENCES, doubts, 0.8)["exact"] == 50  # more than, not from
    assert squad_scores(PREDICTIONS, REFERENCES, doubts, 0.05)["exact"] == 50


@st.composite
def answered(draw):
    """Predictions, references and distinct doubts of some questions."""
    count = draw(st.integers(1, 7))
    words = st.sampled_from(["cat", "red cat", "dog"])
    predictions = draw(st.lists(st.one_of(words, st.just("")), min_size=count, max_size=count))
    answers = st.one_of(st.lists(words, min_size=1, max_size=2), st.just([]))
    references = draw(st.lists(answers, min_size=count, max_size=count))
    doubts = draw(st.permutations([(i + 1) / 10 for i in range(count)]))
    return predictions, references, doubts


@given(answered())
def test_threshold_is_the_best_of_all(case):
    predictions, references, doubts = case
    found = best_no_answer_threshold(predictions, references, doubts)
    for name in ("exact", "f1"):
        tried = [
            squad_scores(predictions, references, doubts, threshold)[name]
            for threshold in (0.0, *doubts)
        ]
        assert found[f"best_{name}"] == pytest.approx(max(tried), abs=1e-9)
        there = squad_scores(predictions, references, doubts, found[f"best_{name}_thresh"])[name]
        assert there == pytest.approx(max(tried), abs=1e-9)


def test_threshold_by_hand():
    doubts = {"q4": 0.9, "q2": 0.4, "q1": -3.0, "q3": 0.2}
    assert best_no_answer_threshold(PREDICTIONS, REFERENCES, doubts) == pytest.approx(
        {"best_exact": 75.0, "best_exact_thresh": -3.0, "best_f1": 95.0, "best_f1_thresh": 0.4}
    )


@pytest.mark.parametrize(
    "doubts, text",
    [
        ({"q1": 0.0}, "one number for each prediction; 3 differ, the first is 'q2'"),
        ({**dict.fromkeys(PREDICTIONS, 0.0), "q9": 1.0}, "1 differ, the first is 'q9'"),
    ],
)
def test_bad_doubts(doubts, text):
    with pytest.raises(ValueError, match=text):
        squad_scores(PREDICTIONS, REFERENCES, doubts)
    with pytest.raises(ValueError, match=text):
        best_no_answer_threshold(PREDICTIONS, REFERENCES, doubts)


@pytest.mark.parametrize(
    "predictions, references, text",
    [
        ("cat", ["cat"], "must be dicts or lists, not one text"),
        (["cat"], {"q": "cat"}, "both dicts by question id or both lists; got list and dict"),
        ({}, {}, "references is empty"),
        ({"a": "x"}, {"a": "x", "b": "y"}, r"no prediction for the question 'b' \(1 lack .*''"),
        (["x", "y", "z"], ["x"], r"no reference for the question 1 \(2 lack one\); drop its pred"),
        ({"a": None}, {"a": "x"}, r"predictions\['a'\] is None; it must be a text"),
        (["x"], [3], r"references\[0\] is 3; it must be a text, a list"),
        (["x"], [{"answer": "y"}], r"references\[0\] is \{'answer': 'y'\}; it must be"),
        (["x"], [[{"answer": "y"}]], r"references\[0\] is .*; it must be"),
    ],
)
def test_bad_pairs(predictions, references, text):
    with pytest.raises(ValueError, match=text):
        squad_scores(predictions, references)


@pytest.mark.parametrize("right, wanted", [(["tea", "cup"], 100.0), ([[], []], 100.0)])
def test_a_tuned_threshold_gives_what_it_says(right, wanted):
    found = tuned_threshold(["tea", "cup"], right, [-1.0, 0.5])
    assert found["f1"] == found["exact"] == wanted
    again = squad_scores(["tea", "cup"], right, [-1.0, 0.5], found["threshold"])
    assert again["f1"] == found["f1"]
