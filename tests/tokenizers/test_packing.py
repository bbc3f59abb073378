"""Packing: truncation, special tokens, padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.tokenizers.packing import (
    TRUNCATIONS,
    PackedText,
    pack,
    pad_rows,
    truncated_lengths,
)

CLS, SEP, PAD = 1, 2, 0
PROPERTIES = settings(derandomize=True, max_examples=200)
LENGTHS = st.integers(0, 40)
IDS = st.lists(st.integers(10, 99), max_size=30)


@pytest.mark.parametrize(
    ("first", "second", "room", "strategy", "kept"),
    [
        (7, None, 5, "longest_first", (5, None)),
        (7, None, 5, "only_first", (5, None)),
        (7, 2, 6, "longest_first", (4, 2)),
        (2, 7, 6, "longest_first", (2, 4)),
        (7, 7, 6, "longest_first", (3, 3)),
        (8, 7, 7, "longest_first", (4, 3)),
        (7, 7, 7, "longest_first", (3, 4)),
        (7, 2, 6, "only_first", (4, 2)),
        (2, 7, 6, "only_second", (2, 4)),
        (7, 2, 0, "only_first", (0, 0)),
        (7, 2, 0, "only_second", (0, 0)),
        (7, None, 0, "only_second", (0, None)),
    ],
)
def test_what_each_strategy_keeps(first, second, room, strategy, kept):
    assert truncated_lengths(first, second, room, strategy) == kept


@PROPERTIES
@given(LENGTHS, st.none() | LENGTHS, LENGTHS, st.sampled_from(TRUNCATIONS))
def test_what_fits_is_left_alone_and_the_rest_fills_the_room(first, second, room, strategy):
    total = first + (second or 0)
    try:
        kept = truncated_lengths(first, second, room, strategy)
    except ValueError:
        assert strategy != "longest_first" and total > room
        return
    if total <= room:
        assert kept == (first, second)
    else:
        assert kept[0] + (kept[1] or 0) == room
    assert 0 <= kept[0] <= first
    assert (kept[1] is None) == (second is None)
    assert second is None or 0 <= kept[1] <= second


@PROPERTIES
@given(LENGTHS, LENGTHS, LENGTHS)
def test_longest_first_treats_the_texts_alike(first, second, room):
    if first != second:
        kept = truncated_lengths(first, second, room, "longest_first")
        assert truncated_lengths(second, first, room, "longest_first") == kept[::-1]


@pytest.mark.parametrize(
    ("first", "second", "room", "strategy", "message"),
    [
        (3, 9, 5, "only_first", 'truncation="only_first" would have to cut 7 tokens from a text'),
        (9, 3, 5, "only_second", 'truncation="only_second" would have to cut 7 .* of 3'),
        (9, None, 5, "only_second", 'truncation="only_second" needs a second text'),
        (9, 3, -1, "longest_first", "no room for the special tokens"),
    ],
)
def test_what_cannot_be_cut_raises(first, second, room, strategy, message):
    with pytest.raises(ValueError, match=message):
        truncated_lengths(first, second, room, strategy)


@PROPERTIES
@given(IDS, st.none() | IDS, st.integers(3, 70))
def test_packed_rows_hold_the_texts_between_special_tokens(first, second, max_length):
    example = pack(first, second, max_length, "longest_first", CLS, SEP)
    row = example.token_ids.tolist()
    assert len(example) == len(row) <= max_length
    assert example.token_ids.dtype == np.int32
    assert row[0] == CLS and row[-1] == SEP and row[example.first_length - 1] == SEP
    assert row.count(SEP) == (1 if second is None else 2)
    kept_first = row[1 : example.first_length - 1]
    assert kept_first == first[: len(kept_first)]
    kept_second = row[example.first_length : -1]
    assert kept_second == (second or [])[: len(kept_second)]
    if len(first) + len(second or []) + row.count(SEP) + 1 <= max_length:
        assert kept_first == first and kept_second == (second or [])


@PROPERTIES
@given(st.lists(st.tuples(IDS, st.none() | IDS), max_size=4), st.integers(0, 5), st.integers(0, 3))
def test_padded_rows_mark_segments_and_real_tokens(texts, longer, empty_rows):
    examples = [pack(first, second, 64, "longest_first", CLS, SEP) for first, second in texts]
    length = max((len(example) for example in examples), default=1) + longer
    rows = pad_rows(examples, length, PAD, rows=len(examples) + empty_rows)
    for array in rows.values():
        assert array.shape == (len(examples) + empty_rows, length)
        assert array.dtype == np.int32
    for i, (first, second) in enumerate(texts):
        ids = [CLS, *first, SEP, *([] if second is None else [*second, SEP])]
        filling = length - len(ids)
        ones = 0 if second is None else len(second) + 1
        assert rows["token_ids"][i].tolist() == ids + [PAD] * filling
        assert rows["padding_mask"][i].tolist() == [1] * len(ids) + [0] * filling
        segments = [0] * (len(ids) - ones) + [1] * ones + [0] * filling
        assert rows["segment_ids"][i].tolist() == segments
    for name in ("segment_ids", "padding_mask"):
        assert not rows[name][len(examples) :].any()
    assert (rows["token_ids"][len(examples) :] == PAD).all()


def test_padding_takes_the_id_it_is_given():
    example = PackedText(np.asarray([5, 6], "int32"), first_length=2)
    assert pad_rows([example], 4, pad_id=9)["token_ids"].tolist() == [[5, 6, 9, 9]]
