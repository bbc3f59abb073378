"""Windows in the graph against those of `data/contexts.py` and `data/words.py`."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.contexts import token_windows
from keras_bert_zoo.data.words import Word, sentence_windows

if keras.backend.backend() != "tensorflow":
    pytest.skip("the graph is TensorFlow's, whatever the backend", allow_module_level=True)

import tensorflow as tf

from keras_bert_zoo.export import graph_windows
from keras_bert_zoo.export.graph_tokenizer import Pieces

PROPERTIES = settings(derandomize=True, max_examples=80)


def homes_of(windows, count):
    """For each token the window that shows most around it, by the definition."""
    around = np.full((len(windows), count), -1.0)
    for row, (first, last) in enumerate(windows):
        for token in range(first, last):
            around[row, token] = min(token - first, last - 1 - token) + 0.01 * (last - first)
    return around.argmax(axis=0)


@PROPERTIES
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(8, 20)), min_size=1, max_size=4),
    st.integers(0, 30),
)
def test_windows_of_contexts(contexts, stride):
    tokens = tf.ragged.range([count for count, _ in contexts])
    rooms = tf.constant([room for _, room in contexts])
    found = graph_windows.context_windows(tokens, rooms, stride)
    rows, owners, homes, begin = [], [], [], 0
    for number, (count, room) in enumerate(contexts):
        windows = token_windows(count, room, stride)
        homes += (len(rows) + homes_of(windows, count)).tolist()
        rows += [[*range(begin + first, begin + last)] for first, last in windows]
        owners += [number] * len(windows)
        begin += count
    assert found.tokens.to_list() == rows
    assert found.owners.numpy().tolist() == owners
    assert found.home_rows.numpy().tolist() == homes
    assert [rows[r][p] for r, p in zip(found.home_rows, found.home_places, strict=True)] == [
        *range(begin)
    ]


@pytest.mark.parametrize(
    ("counts", "rooms", "fault"),
    [([3, 0], [9, 9], "A context is empty"), ([9, 9], [9, 7], "A question is too long")],
)
def test_contexts_that_cannot_be_run(counts, rooms, fault):
    with pytest.raises(tf.errors.InvalidArgumentError, match=fault):
        graph_windows.context_windows(tf.ragged.range(counts), tf.constant(rooms), 2)


@PROPERTIES
@given(
    st.lists(st.lists(st.integers(1, 9), max_size=20), min_size=1, max_size=4),
    st.integers(3, 24),
    st.integers(0, 20),
)
def test_windows_of_sentences(sentences, max_length, stride):
    words = [[Word([7] * n, [(0, 1)] * n) for n in lengths] for lengths in sentences]
    wanted = sentence_windows(words, None, max_length, stride, 1, 2)
    numbers = tf.ragged.constant(
        [[i for i, n in enumerate(lengths) for _ in range(n)] for lengths in sentences],
        tf.int32,
        ragged_rank=1,
    )
    pieces = graph_windows.without_long_words(Pieces(*[numbers] * 6), max_length - 2)
    found = graph_windows.sentence_windows(pieces.words, max_length - 2, stride)
    assert [n + 2 for n in found.tokens.row_lengths().numpy()] == [len(r) for r in wanted.rows]
    assert found.owners.numpy().tolist() == wanted.owners.tolist()
    places = [(p.row, p.position + k) for s in wanted.places for p in s for k in range(p.pieces)]
    assert places == [
        (row, place + 1)
        for row, place in zip(found.home_rows.numpy(), found.home_places.numpy(), strict=True)
    ]


def test_no_sentence():
    none = tf.ragged.constant([], tf.int32, ragged_rank=1)
    windows = graph_windows.sentence_windows(none, 8, 2)
    assert windows.owners.shape == (0,) and windows.home_rows.shape == (0,)
