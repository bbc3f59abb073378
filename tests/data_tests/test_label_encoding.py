"""Labels as arrays, and what is said of wrong ones."""

import numpy as np
import pytest

from keras_bert_zoo.data.labels import encode_classes, encode_label_sets, encode_numbers

NAMES = ("bad", "fair", "good")


@pytest.mark.parametrize(
    "y",
    [
        [0, 2, 1],
        (0, 2, 1),
        np.array([0, 2, 1]),
        np.array([[0], [2], [1]]),
        [0.0, 2.0, 1.0],
        ["bad", "good", "fair"],
        np.array(["bad", "good", "fair"]),
        np.array(["bad", "good", "fair"], dtype=object),
    ],
)
def test_classes(y):
    encoded = encode_classes(y, NAMES, 3)
    assert encoded.dtype == "int32"
    assert encoded.tolist() == [0, 2, 1]
    assert encode_classes(encoded, NAMES, 3).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "y, labels, text",
    [
        ([0, 3], NAMES, r"y\[1\] is 3; the classes are numbered 0 to 2"),
        ([0, -1], NAMES, r"y\[1\] is -1; the classes are numbered 0 to 2"),
        ([0, 0.5], NAMES, r"y\[1\] is 0.5; the classes are numbered 0 to 2"),
        ([0, float("nan")], NAMES, r"y\[1\] is nan; the classes are numbered"),
        ([0, None], NAMES, r"y\[1\] is None; the classes are numbered"),
        ([0, True], NAMES, r"y\[1\] is True; the classes are numbered"),
        (["bad", "goood"], NAMES, r'y\[1\] is .goood., which is none of .*bad, fair, good.*"good"'),
        (["bad"], None, r"y\[0\] is .bad., but the classes have no names; pass labels="),
        (np.eye(3), NAMES, r"y\[0\] is array.*one class. For one-hot rows pass their argmax"),
        ([[0, 1], [0]], NAMES, r"y\[0\] is \[0, 1\].*use multi_label=True"),
        ([0, {"bad"}], NAMES, r"y\[1\] is {.bad.}.*use multi_label=True"),
        ("bad", NAMES, "Labels must be a list with one item an example; got 'bad'"),
        (1, NAMES, "Labels must be a list with one item an example; got 1"),
        ({"bad": 1}, NAMES, "Labels must be a list with one item an example; got {"),
    ],
)
def test_wrong_classes(y, labels, text):
    with pytest.raises(ValueError, match=text):
        encode_classes(y, labels, 3)


@pytest.mark.parametrize(
    "y",
    [
        [["good", "bad"], [], ["fair"]],
        [{"good", "bad"}, set(), {"fair"}],
        [("good", "bad"), (), ("fair",)],
        [[1, 0, 1], [0, 0, 0], [0, 1, 0]],
        np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], "float32"),
        [[True, False, True], [False] * 3, [False, True, False]],
    ],
)
def test_label_sets(y):
    encoded = encode_label_sets(y, NAMES, 3)
    assert encoded.dtype == "float32"
    assert encoded.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    "y, text",
    [
        ([[0, 1]], r"y\[0\] is \[0, 1\]; it should be 3 numbers 0 and 1"),
        ([[0, 1, 0], [0, 2, 0]], r"y\[1\] is \[0, 2, 0\]; it should be 3 numbers 0 and 1"),
        ([[0, 1, float("nan")]], r"y\[0\] is \[0, 1, nan\]; it should be 3 numbers"),
        ([["good"], ["goood"]], r'y\[1\] is .goood., which is none of .*Did you mean "good"'),
        (["good"], r"y\[0\] is .good.; with multi_label=True each example needs a list"),
        ([0, 1], r"y\[0\] is 0; with multi_label=True each example needs a list"),
        ([None], r"y\[0\] is None; with multi_label=True each example needs a list"),
        ("good", "Labels must be a list with one item an example; got 'good'"),
    ],
)
def test_wrong_label_sets(y, text):
    with pytest.raises(ValueError, match=text):
        encode_label_sets(y, NAMES, 3)


@pytest.mark.parametrize("y", [[1, 2.5], np.array([1, 2.5]), np.array([[1], [2.5]])])
def test_numbers(y):
    encoded = encode_numbers(y)
    assert encoded.dtype == "float32"
    assert encoded.tolist() == [[1.0], [2.5]]


@pytest.mark.parametrize(
    "y, text",
    [
        ([1.0, float("nan")], r"y\[1\] is nan, which is no finite number"),
        ([float("inf"), 1.0], r"y\[0\] is inf, which is no finite number"),
        ([1.0, "2.5"], r"y\[1\] is '2.5'; regression \(num_classes=1\) needs numbers"),
        ([1.0, None], r"y\[1\] is None; regression \(num_classes=1\) needs numbers"),
        ([[1.0, 2.0]], r"one number an example; got the shape \(1, 2\)"),
        ([[1.0], [1.0, 2.0]], r"Regression \(num_classes=1\) needs numbers as labels"),
        (1.0, "Labels must be a list with one item an example; got 1.0"),
    ],
)
def test_wrong_numbers(y, text):
    with pytest.raises(ValueError, match=text):
        encode_numbers(y)
