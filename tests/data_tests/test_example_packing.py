"""Laying examples side by side: nothing is lost, nothing overlaps, little room is left."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_bert_zoo.data.example_packing import ExamplePacking, best_fit

LENGTHS = st.lists(st.integers(0, 40), max_size=30)


@given(LENGTHS)
def test_each_example_has_one_row(lengths):
    rows = best_fit(lengths, 40)
    held = sorted(example for row in rows for example in row)
    assert held == [example for example, length in enumerate(lengths) if length]
    sums = [sum(lengths[example] for example in row) for row in rows]
    assert all(total <= 40 for total in sums)
    # No two rows would fit into one.
    assert len(sums) < 2 or sum(sorted(sums)[:2]) > 40


@given(LENGTHS.filter(bool), st.integers(40, 150), st.integers(1, 4), st.integers(0, 9))
def test_every_token_is_found_again(lengths, width, rows_step, left):
    mask = np.zeros((len(lengths), width), "int32")
    for example, length in enumerate(lengths):
        start = min(left, width - length)  # padding may come first
        mask[example, start : start + length] = 1
    ids = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    batch = ExamplePacking(rows_step)({"token_ids": ids, "padding_mask": mask})
    rows, places = batch["packed_rows"], batch["packed_places"]
    assert rows.shape[0] % rows_step == 0 and rows.shape[1] == max(width, 128)
    packed = np.where(rows >= 0, ids.flat[rows], 0)
    again = np.where(places >= 0, packed.flat[places], 0)
    np.testing.assert_array_equal(again, ids)
    assert (rows >= 0).sum() == mask.sum()
    assert batch["token_ids"] is ids
