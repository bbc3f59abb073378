"""Where answers lie in their contexts."""

import pytest
import support

from keras_bert_zoo.data.alignment import align, answer_labels, span_labels
from keras_bert_zoo.data.contexts import context_windows

CONTEXTS = ["the film was good, the tea was bad", "a warmest cup of tea"]


def contexts(texts=CONTEXTS, max_length=14, stride=3):
    tokenizer = support.tiny_tokenizer()
    return context_windows(tokenizer, ["was it good"] * len(texts), texts, max_length, stride)


def test_answers_become_tokens_and_back():
    found = contexts(max_length=32)
    spans, report = align([("tea was bad", 23), None], found)
    assert spans.tolist() == [[6, 8], [-1, -1]]
    assert report.answered == report.unanswered == 1
    start, end = found.offsets[0][spans[0]][:, 0][0], found.offsets[0][spans[0]][:, 1][1]
    assert CONTEXTS[0][start:end] == "tea was bad"
    starts, ends = span_labels(spans, found)
    ids = found.rows[0].token_ids
    assert ids[starts[0] : ends[0] + 1].tolist() == support.tiny_tokenizer().tokenize("tea was bad")
    assert (starts[1], ends[1]) == (0, 0)


def test_windows_without_the_answer_point_at_cls():
    found = contexts(stride=0)
    spans, _ = align([("bad", None), ("cup", None)], found)
    starts, ends = span_labels(spans, found)
    rows = list(found.rows_of(0))
    assert len(rows) > 1
    assert (starts[rows[:-1]] == 0).all()
    assert starts[rows[-1]] == ends[rows[-1]] > 0


def test_what_does_not_align_is_counted():
    texts = ["the film", "a warmest cup", "tea tea", "tea"]
    spans, report = align([("film", 3), ("warm", None), ("tea", 4), ("tea", 0)], contexts(texts))
    assert report.misaligned == (0,)
    assert report.widened == ()
    assert spans[0].tolist() == [-2, -2]
    assert spans[2].tolist() == [1, 1]
    _, report = align([("f", None), None, None, None], contexts(texts))
    assert report.widened == (0,)
    assert "1 answers were widened" in str(report)


def test_an_answer_that_is_not_there():
    with pytest.raises(ValueError, match=r"y\[1\]: the answer 'film' is not in its context"):
        align([None, ("film", None)], contexts())


def test_labels_of_rows_and_of_examples():
    found = contexts()
    starts, ends, usable, report = answer_labels(["good", ("cup", 99)], found, no_answer=False)
    assert usable.tolist() == [1, 0] and report.misaligned == (1,)
    assert starts.shape == ends.shape == (len(found.rows),)
    assert (starts[list(found.rows_of(0))] > 0).any()
    with pytest.raises(ValueError, match=r"y\[1\] has no answer. Make the model with no_answer"):
        answer_labels(["good", None], found, no_answer=False)
    assert answer_labels(["good", None], found, no_answer=True)[3].unanswered == 1
    with pytest.raises(ValueError, match="There are 2 examples but 1 labels"):
        answer_labels(["good"], found, no_answer=True)
