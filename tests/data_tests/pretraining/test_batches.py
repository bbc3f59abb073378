"""Batches for pre-training: what they hold, and that they can be found again."""

import dataclasses

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz
from keras_bert_zoo.data.masking import Masker
from keras_bert_zoo.data.pretraining import PretrainingBatches, PretrainingRecipe
from keras_bert_zoo.data.pretraining.batches import JoinedRows, RowList
from keras_bert_zoo.data.pretraining.rows import PretrainingRow

LENGTHS = [6, 20, 31, 9, 12, 25, 7, 18, 30, 11, 16]


def rows(lengths=LENGTHS, **fields):
    random = np.random.default_rng(5)
    made = []
    for number, length in enumerate(lengths):
        ids = random.integers(5, len(support.TOKENS), length)
        ids[0], ids[length // 2], ids[-1] = 2, 3, 3
        made.append(PretrainingRow(ids.astype("int32"), length // 2 + 1, number % 2, **fields))
    return RowList(made)


def batches(found=None, **settings):
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), 0.3)
    settings = {"batch_size": 4, "seed": 3, **settings}
    return PretrainingBatches(rows() if found is None else found, masker, 0, 32, **settings)


def numbers(batch):
    return [np.asarray(leaf).tolist() for leaf in keras.tree.flatten(batch)]


def uncovered(batch):
    """The rows of a batch with their hidden tokens put back, without padding."""
    x, y, weights = batch
    found = []
    for row in range(len(x["token_ids"])):
        ids = x["token_ids"][row].copy()
        where = weights["masked_lm"][row] > 0
        ids[x["mask_positions"][row][where]] = y["masked_lm"][row][where]
        found.append(tuple(ids[x["padding_mask"][row] == 1].tolist()))
    return found


def test_a_pass_holds_each_row_once():
    data = batches()
    found = [row for batch in data for row in uncovered(batch)]
    assert sorted(found) == sorted(tuple(row.token_ids.tolist()) for row in rows())
    assert [len(batch[0]["token_ids"]) for batch in data] == [4, 4, 3]


def test_segments_labels_and_weights_belong_to_their_rows():
    known = {tuple(row.token_ids.tolist()): row for row in rows()}
    for x, y, weights in batches():
        for i, ids in enumerate(uncovered((x, y, weights))):
            row = known[ids]
            assert x["segment_ids"][i].sum() == len(row) - row.first_length
            assert y["next_sentence"][i] == row.label
            assert weights["next_sentence"][i] == 1
            hidden = weights["masked_lm"][i] > 0
            assert hidden.sum() == min(len(row) - 3, max(1, round(0.3 * len(row))))


def test_each_pass_has_another_order_and_other_masks():
    data = batches()
    first = [numbers(batch) for batch in data]
    data.epoch += 1
    second = [numbers(batch) for batch in data]
    assert first != second
    # All on one row: the same order, so masks alone can differ.
    one = batches(rows(LENGTHS[:1] * 4))
    before = one[0]
    one.epoch += 1
    assert sorted(uncovered(before)) == sorted(uncovered(one[0]))
    assert numbers(before) != numbers(one[0])


@pytest.mark.parametrize("steps", [None, 2, 5])
def test_batches_can_be_found_again(steps):
    """Those of an epoch that was begun by another object, in any order."""
    data = batches(steps=steps)
    for _ in range(3):
        list(data)
        data.epoch += 1
    again = batches(steps=steps)
    again.epoch = 3
    for batch in reversed(range(len(data))):
        assert numbers(again[batch]) == numbers(data[batch])
    other = batches(steps=steps, seed=4)
    other.epoch = 3
    assert numbers(other[0]) != numbers(data[0])


def test_epochs_of_a_few_steps_go_through_all_rows():
    data = batches(steps=2)
    found = []
    for _ in range(3):  # six steps: two passes of three batches
        found += [row for batch in data for row in uncovered(batch)]
        data.epoch += 1
    twice = sorted(2 * [tuple(row.token_ids.tolist()) for row in rows()])
    assert sorted(found) == twice


def test_evaluation_is_the_same_each_time():
    data = batches(shuffle=False)
    first = [numbers(batch) for batch in data]
    data.epoch += 1
    assert [numbers(batch) for batch in data] == first
    order = [row for batch in data for row in uncovered(batch)]
    assert order == [tuple(row.token_ids.tolist()) for row in rows()]


def test_rows_that_are_masked_already_stay_so():
    row = rows([12])[0]
    masked = dataclasses.replace(
        row, mask_positions=np.array([2, 5], "int32"), mask_ids=np.array([9, 10], "int32")
    )
    x, y, weights = batches(RowList([masked]))[0]
    assert x["token_ids"][0, :12].tolist() == row.token_ids.tolist()
    assert x["mask_positions"][0, :2].tolist() == [2, 5]
    assert y["masked_lm"][0, :2].tolist() == [9, 10]
    assert weights["masked_lm"][0].sum() == 2


def test_few_shapes():
    """So that compiled backends meet few programs: six lengths, and one width of masks for each."""
    data = batches(rows(range(5, 33)), batch_size=2)
    shapes = {(x["token_ids"].shape[1], x["mask_positions"].shape[1]) for x, *_ in data}
    assert len(shapes) <= 6
    assert len({length for length, _ in shapes}) == len(shapes)


def test_several_files_are_one():
    parts = [rows(LENGTHS[:3]), RowList([]), rows(LENGTHS[3:])]
    whole = JoinedRows(parts)
    assert whole.lengths.tolist() == LENGTHS
    found = [whole[i].token_ids.tolist() for i in range(len(whole))]
    assert found == [row.token_ids.tolist() for part in parts for row in part]


def test_documents_in_memory():
    text = "the film was good. it was warm.\nwe saw it again. not bad!\n" * 3
    data = PretrainingBatches.from_documents(
        [text, text.split("\n")],
        support.tiny_tokenizer(),
        PretrainingRecipe(max_length=16, mask_unit="word"),
        batch_size=2,
    )
    x, y, _ = data[0]
    assert x["token_ids"].shape == (2, 16)
    assert data.masker.unit == "word"
    assert set(y) == {"masked_lm", "next_sentence"}
    with pytest.raises(ValueError, match="There are no rows to pre-train on"):
        PretrainingBatches.from_documents([" "], support.tiny_tokenizer())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"batch_size": 2.5}, "batch_size must be at least 1; got 2.5"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        batches(**settings)


def test_the_model_takes_them(tmp_path):
    """Batches of any length and size, a partial one among them, on a model that learns."""
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=32)
    task = kbz.Pretrainer(support.tiny_backbone(num_layers=1, dropout=0.0), preprocessor)
    task.compile(keras.optimizers.Adam(1e-2))
    held_out = batches(shuffle=False)
    logs = task.fit(batches(), epochs=12, validation_data=held_out, verbose=0).history
    assert logs["masked_lm_loss"][-1] < 0.9 * logs["masked_lm_loss"][0]
    found = task.evaluate(held_out, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(logs["val_loss"][-1], rel=1e-5)
