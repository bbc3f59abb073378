"""The forms in which answers come."""

import pytest

from keras_bert_zoo.data.answers import read_answer


@pytest.mark.parametrize(
    "answer, wanted",
    [
        (None, None),
        ("", None),
        ([], None),
        ("tea", ("tea", None)),
        (("tea", 3), ("tea", 3)),
        ([("tea", 3), ("cup", 1)], ("tea", 3)),
        (["tea", "cup"], ("tea", None)),
        ({"text": "tea", "start": 3}, ("tea", 3)),
        ({"text": ["tea"], "answer_start": [3]}, ("tea", 3)),
        ({"text": [], "answer_start": []}, None),
    ],
)
def test_forms_of_an_answer(answer, wanted):
    assert read_answer(answer, "y[0]") == wanted


@pytest.mark.parametrize("answer", [7, ("tea", "3"), {"start": 3, "text": 4}, ("a", 1, 2)])
def test_what_is_no_answer(answer):
    with pytest.raises(ValueError, match=r"y\[0\] is .*; an answer is a text"):
        read_answer(answer, "y[0]")
