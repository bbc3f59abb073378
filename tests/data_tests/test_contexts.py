"""Windows over contexts, and the best spans in them."""

import itertools

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.best_spans import best_spans, no_answer_score
from keras_bert_zoo.data.contexts import context_windows, token_windows

CONTEXTS = ["the film was good, the tea was bad", "a warmest cup of tea"]


def contexts(texts=CONTEXTS, max_length=14, stride=3):
    tokenizer = support.tiny_tokenizer()
    return context_windows(tokenizer, ["was it good"] * len(texts), texts, max_length, stride)


@settings(max_examples=300)
@given(count=st.integers(1, 80), room=st.integers(1, 20), stride=st.integers(0, 25))
def test_windows_cover_every_token(count, room, stride):
    windows = token_windows(count, room, stride)
    assert sorted({i for first, last in windows for i in range(first, last)}) == list(range(count))
    assert all(0 < last - first <= room for first, last in windows)
    shared = min(stride, room // 2)
    for (first, last), (after, _) in itertools.pairwise(windows):
        assert last - after == shared
        assert last - first == room


@settings(max_examples=60)
@given(
    words=st.lists(st.sampled_from(["film", "warmest", "tea", "."]), min_size=1, max_size=40),
    stride=st.integers(0, 5),
)
def test_rows_show_their_window(words, stride):
    found = contexts([" ".join(words)], stride=stride)
    ids = support.tiny_tokenizer().tokenize(" ".join(words))
    assert len(found.homes[0]) == len(ids)
    for row, window in zip(found.rows, found.windows, strict=True):
        shown = row.token_ids[window.position : window.position + window.last - window.first]
        assert shown.tolist() == ids[window.first : window.last]
        assert len(row) <= 14
    for token, row in enumerate(found.homes[0]):
        assert found.windows[row].first <= token < found.windows[row].last


@settings(max_examples=100)
@given(
    count=st.integers(1, 30),
    stride=st.integers(0, 4),
    longest=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_the_best_spans_are_those_of_brute_force(count, stride, longest, seed):
    found = contexts([" ".join(["tea"] * count)], stride=stride)
    random = np.random.default_rng(seed)
    logits = [tuple(random.normal(size=(2, 14)).astype("float32")) for _ in found.rows]
    every = []
    for first in range(count):
        row = found.homes[0][first]
        window = found.windows[row]
        for last in range(first, min(first + longest, window.last)):
            start, end = logits[row]
            shift = window.position - window.first
            every.append((float(start[first + shift]) + float(end[last + shift]), first, last))
    every = sorted(every, reverse=True)[:7]
    spans = best_spans(found, 0, logits, longest, 7)
    assert [(s.first, s.last) for s in spans] == [(first, last) for _, first, last in every]
    np.testing.assert_allclose([s.score for s in spans], [score for score, _, _ in every])
    nulls = [float(start[0]) + float(end[0]) for start, end in logits]
    assert no_answer_score(found, 0, logits) == min(nulls)


def test_empty_contexts_and_long_questions_are_named():
    with pytest.raises(ValueError, match=r"Item 1: the context is empty; got '  '"):
        contexts(["tea", "  "])
    with pytest.raises(ValueError, match=r"Item 0: the question has 3 tokens, which leaves 2 of 8"):
        contexts(["tea was good and bad"], max_length=8)
