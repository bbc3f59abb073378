"""Rows in the graph against those of `tokenizers/packing.py`."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.tokenizers import packing

if keras.backend.backend() != "tensorflow":
    pytest.skip("the graph is TensorFlow's, whatever the backend", allow_module_level=True)

import tensorflow as tf

from keras_bert_zoo.export.graph_rows import head, padded_rows, truncated_lengths

PROPERTIES = settings(derandomize=True, max_examples=60)
LENGTHS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=6)
SPECIAL = {"cls": 1, "sep": 2, "pad": 0}


def eager_lengths(first, second, room, strategy):
    try:
        return packing.truncated_lengths(first, second, room, strategy)
    except ValueError:
        return None


@PROPERTIES
@given(LENGTHS, st.integers(0, 14), st.sampled_from(packing.TRUNCATIONS), st.booleans())
def test_truncation(lengths, room, strategy, pairs):
    firsts, seconds = (np.array(column, "int32") for column in zip(*lengths, strict=True))
    wanted = [
        eager_lengths(first, second if pairs else None, room, strategy) for first, second in lengths
    ]
    if None in wanted:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f'truncation="{strategy}" would'):
            truncated_lengths(firsts, seconds if pairs else None, room, strategy)
        return
    found = truncated_lengths(tf.constant(firsts), seconds if pairs else None, room, strategy)
    assert found[0].numpy().tolist() == [first for first, _ in wanted]
    if pairs:
        assert found[1].numpy().tolist() == [second for _, second in wanted]
    else:
        assert found[1] is None


@PROPERTIES
@given(LENGTHS, st.booleans())
def test_rows(lengths, pairs):
    examples, firsts, seconds = [], [], []
    for first, second in lengths:
        firsts.append([*range(10, 10 + first)])
        seconds.append([*range(30, 30 + second)])
        examples.append(
            packing.pack(firsts[-1], seconds[-1] if pairs else None, 99, "longest_first", 1, 2)
        )
    wanted = packing.pad_rows(examples, max(map(len, examples)), pad_id=0)
    as_ragged = [tf.ragged.constant(ids, tf.int32, ragged_rank=1) for ids in (firsts, seconds)]
    found = padded_rows(as_ragged[0], as_ragged[1] if pairs else None, SPECIAL)
    assert {name: part.numpy().tolist() for name, part in found.items()} == {
        name: part.tolist() for name, part in wanted.items()
    }


def test_an_empty_batch_has_columns():
    none = tf.ragged.constant([], tf.int32, ragged_rank=1)
    rows = padded_rows(none, None, SPECIAL)
    assert {tuple(part.shape) for part in rows.values()} == {(0, 2)}


def test_head():
    ids = tf.ragged.constant([[1, 2, 3], [], [4]])
    assert head(ids, tf.constant([2, 0, 5])).to_list() == [[1, 2], [], [4]]
