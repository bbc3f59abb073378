"""GLUE's metrics against their formulas, and what is said of wrong input."""

import importlib
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from keras_bert_zoo.metrics.glue import (
    TASKS,
    accuracy,
    f1,
    glue_scores,
    matthews,
    pearson,
    spearman,
)

CLASSES = st.lists(st.tuples(*[st.integers(0, 2)] * 2), min_size=1, max_size=30)
NUMBERS = st.lists(st.tuples(*[st.integers(-5, 5)] * 2), min_size=3, max_size=30)


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


@given(CLASSES)
def test_f1_is_that_of_scikit_learn(rows):
    true, predicted = columns(rows)
    for average in ("macro", "micro", "weighted"):
        theirs = metrics.f1_score(true, predicted, average=average, zero_division=0)
        assert f1(true, predicted, average) == pytest.approx(theirs, abs=1e-9)
    assert f1(true, predicted, "micro") == pytest.approx(accuracy(true, predicted), abs=1e-9)
    true, predicted = np.minimum(true, 1), np.minimum(predicted, 1)
    theirs = metrics.f1_score(true, predicted, zero_division=0)
    assert f1(true, predicted) == pytest.approx(theirs, abs=1e-9)
    ours = [f1(["no yes".split()[one] for one in side], ["no yes".split()[one] for one in other],
               positive="yes") for side, other in ((true, predicted),)]  # fmt: skip
    assert ours == [pytest.approx(theirs, abs=1e-9)]


@given(CLASSES)
def test_matthews_of_two_classes_is_their_correlation(rows):
    true, predicted = (np.minimum(column, 1) for column in columns(rows))
    assume(np.ptp(true) and np.ptp(predicted))
    wanted = np.corrcoef(true, predicted)[0, 1]
    assert matthews(true, predicted) == pytest.approx(wanted, abs=1e-9)


@given(CLASSES)
def test_matthews_of_three_classes_is_that_of_scikit_learn(rows):
    true, predicted = columns(rows)
    assume(len(set(true)) > 1 and len(set(predicted)) > 1)
    wanted = metrics.matthews_corrcoef(true, predicted)
    assert matthews(true, predicted) == pytest.approx(wanted, abs=1e-9)
    assert matthews([f"c{one}" for one in true], [f"c{one}" for one in predicted]) == wanted


@given(NUMBERS)
def test_correlations(rows):
    true, predicted = (np.array(column, float) for column in columns(rows))
    assume(np.ptp(true) and np.ptp(predicted))
    wanted = np.corrcoef(true, predicted)[0, 1]
    assert pearson(true, predicted[:, None]) == pytest.approx(wanted, abs=1e-9)
    ranks = np.corrcoef(stats.rankdata(true), stats.rankdata(predicted))[0, 1]
    assert spearman(true, predicted) == pytest.approx(ranks, abs=1e-9)


def test_pearson_is_not_spearman():
    assert pearson([1, 2, 3], [1, 2, 9]) < 1
    assert spearman([1, 2, 3], [1, 2, 9]) == pytest.approx(1)


def test_degenerate_input_is_quiet():
    assert matthews([1, 1], [1, 1]) == matthews([0, 1], [1, 1]) == 0
    assert f1([0, 0], [0, 0]) == 0
    assert np.isnan(pearson([1, 1], [0, 1]))
    assert np.isnan(spearman([0, 1], [1, 1]))
    assert np.isnan(pearson([1], [1]))


def test_every_task():
    true, predicted = [0, 1, 1, 0, 1], [0, 1, 0, 1, 1]
    found = {task: glue_scores(task, true, predicted) for task in TASKS}
    assert {task: set(scores) for task, scores in found.items()} == {
        "cola": {"matthews"},
        "sst2": {"accuracy"},
        "mrpc": {"accuracy", "f1"},
        "stsb": {"pearson", "spearman"},
        "qqp": {"accuracy", "f1"},
        "mnli": {"accuracy"},
        "qnli": {"accuracy"},
        "rte": {"accuracy"},
        "wnli": {"accuracy"},
    }
    assert found["mrpc"] == pytest.approx({"accuracy": 3 / 5, "f1": 2 / 3})
    assert found["cola"]["matthews"] == pytest.approx(1 / 6)
    assert glue_scores("STS-B", true, predicted) == found["stsb"]
    assert glue_scores("SST_2", true, predicted) == found["sst2"]


def test_names_from_pandas():
    assert accuracy(np.array(["a", "b"], object), ["a", "c"]) == 0.5
    assert accuracy(np.array([0, 1], object), [0, 0]) == 0.5


def test_classes_as_glue_writes_them():
    true, predicted = ["1", "0", "1"], ["1", "1", "1"]
    assert glue_scores("mrpc", true, predicted) == glue_scores("mrpc", [1, 0, 1], [1, 1, 1])
    assert glue_scores("RTE", ["entailment"], ["not_entailment"]) == {"accuracy": 0.0}


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: glue_scores("mrcp", [0], [0]), r"task must be .*'mrcp'\. Did you mean \"mrpc\""),
        (lambda: accuracy([0, 1], [0]), "at least one; got 2 and 1"),
        (lambda: accuracy([], []), "at least one; got 0 and 0"),
        (lambda: accuracy([0], [[0.1, 0.9]]), r"predicted must .*\(N,\); got \(1, 2\).*argmax"),
        (lambda: accuracy(3, [0]), r"true must have the shape \(N,\); got \(\)"),
        (lambda: accuracy(["yes"], [1]), "both names or both numbers; got 'yes' and 1"),
        (lambda: f1([0], [0], "macor"), r"average must be .*'macor'\. Did you mean \"macro\""),
        (lambda: f1([0, 2], [1, 2]), r"one of them positive=1; the others here are 0, 2\. Name"),
        (lambda: f1(["no"], ["yes"]), "one of them positive=1; the others here are 'no', 'yes'"),
        (lambda: pearson([0.0, float("nan")], [0, 1]), r"true\[1\] is nan, which is no finite"),
        (lambda: spearman([0, 1], [0, float("inf")]), r"predicted\[1\] is inf, which is no finite"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize(
    "metric, module, package",
    [
        (f1, "sklearn.metrics", "scikit-learn"),
        (matthews, "sklearn.metrics", "scikit-learn"),
        (pearson, "scipy.stats", "scipy"),
        (spearman, "scipy.stats", "scipy"),
    ],
)
def test_missing_library(monkeypatch, metric, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"needs {package}; .*`pip install {package}`"):
        metric([0, 1], [0, 1])


def test_accuracy_needs_no_library(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", None)
    assert accuracy([0, 1], [0, 0]) == 0.5
