"""Batches of one size and a few lengths."""

import itertools

import hypothesis
import keras
import numpy as np
import pytest
import support
from hypothesis import strategies as st

import keras_bert_zoo as kbz
from keras_bert_zoo.data import lengths as few_lengths
from keras_bert_zoo.data.batching import (
    ArrayExamples,
    Batches,
    Labelled,
    TextExamples,
)
from keras_bert_zoo.data.lengths import bucket_lengths, fitted_lengths


def examples(lengths, max_length=64):
    """Texts of so many words each."""
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=max_length)
    return TextExamples(preprocessor, preprocessor.encode(["good " * n for n in lengths]))


def arrays(lengths, width=12):
    mask = np.arange(width) < np.array(lengths)[:, None]
    ids = np.arange(len(lengths))[:, None] * mask
    return ArrayExamples({"token_ids": ids, "padding_mask": mask.astype("int32")})


@pytest.mark.parametrize("max_length", [3, 8, 9, 50, 64, 100, 128, 512, 2048])
def test_at_most_six_buckets_that_end_with_the_longest(max_length):
    buckets = bucket_lengths(max_length)
    assert 1 <= len(buckets) <= 6
    assert buckets[-1] == max_length
    assert list(buckets) == sorted(set(buckets))
    assert all(bucket % 8 == 0 for bucket in buckets[:-1])


@hypothesis.given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=30),
    buckets=st.sampled_from([(60,), (16, 60), (8, 32, 60)]),
    worth=st.sampled_from([0, 1, 50, 200]),
)
def test_lengths_that_fit_are_the_best_of_as_many(lengths, buckets, worth):
    def padded(to):
        return sum(next(each for each in to if each >= length) for length in lengths)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_lengths, "_WORTH_COMPILING", worth)
        found = fitted_lengths(np.array(lengths), buckets)
    longest = min(max(8, -(-max(lengths) // 8) * 8), 60)
    shorter = range(8, longest, 8)
    ways = [
        (*some, longest)
        for count in range(len(buckets))
        for some in itertools.combinations(shorter, count)
    ]
    best = min(map(padded, ways))
    if padded(buckets) - best < worth:
        assert found == buckets
    else:
        assert padded(found) <= best
        assert len(found) <= len(buckets)
        assert list(found) == sorted(set(found))
        assert found[0] >= 8
        assert all(each % 8 == 0 or each == 60 for each in found)


def test_a_few_rows_keep_their_lengths():
    buckets = bucket_lengths(128)
    assert fitted_lengths(np.full(100, 17), buckets) == buckets
    assert fitted_lengths(np.full(2000, 17), buckets) == (24,)


@pytest.mark.parametrize("words, width", [(0, 8), (6, 8), (7, 16), (30, 32), (31, 48), (99, 64)])
def test_rows_are_padded_to_the_bucket_of_the_longest(words, width):
    x, _, _ = Batches(Labelled(examples([1, words]), np.zeros(2)), 2, "given")[0]
    assert x["token_ids"].shape == (2, width)


@pytest.mark.parametrize("made", [examples, arrays])
def test_the_last_batch_is_filled_up_with_rows_that_weigh_nothing(made):
    labelled = Labelled(made([2, 3, 4, 5, 6]), np.arange(5), np.arange(5.0) + 1)
    batches = Batches(labelled, 3, "given")
    assert len(batches) == 2
    x, y, weights = batches[1]
    assert y.tolist() == [3, 4, 0]
    assert weights.tolist() == [4, 5, 0]
    assert x["padding_mask"].any(axis=1).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("count", "fill", "rows"),
    [
        (1, True, [1]),
        (5, True, [8]),
        (9, True, [16]),
        (17, True, [16, 16]),
        (5, False, [5]),
        (17, False, [16, 1]),
    ],
)
def test_how_many_rows_a_batch_has(count, fill, rows):
    batches = Batches(Labelled(examples([3] * count), np.ones(count)), 16, "given", fill=fill)
    found = [(len(x["token_ids"]), len(y), int(w.sum())) for x, y, w in batches]
    assert [size for size, _, _ in found] == rows == [labels for _, labels, _ in found]
    assert sum(real for _, _, real in found) == count


def test_each_example_is_given_once():
    for order in ("shuffled", "sorted", "given"):
        batches = Batches(Labelled(examples(range(1, 12)), np.arange(11)), 4, order)
        seen = [y[w > 0] for _, y, w in batches]
        assert sorted(np.concatenate(seen)) == list(range(11)), order


def test_given_order_is_kept():
    batches = Batches(examples([9, 1, 5]), 2, "given")
    assert batches.rows(0).tolist() == [0, 1]
    batches.on_epoch_end()
    assert batches.rows(1).tolist() == [2]


def test_the_longest_come_first():
    batches = Batches(examples([9, 8, 1, 2, 7, 3, 5, 4, 6]), 2, "sorted")
    assert batches.indices.tolist() == [0, 1, 4, 8, 6, 7, 5, 3, 2]


def test_shuffling_differs_between_epochs_and_follows_the_seed():
    def epochs():
        batches = Batches(examples([3] * 20), 4, "shuffled")
        first = batches.indices.tolist()
        batches.on_epoch_end()
        return first, batches.indices.tolist()

    keras.utils.set_random_seed(1)
    one = epochs()
    two = epochs()
    keras.utils.set_random_seed(1)
    assert epochs() == one
    assert one[0] != one[1]
    assert one != two
    assert sorted(one[0]) == sorted(one[1]) == list(range(20))


@pytest.mark.parametrize("made", [examples, arrays])
def test_a_part_is_the_same_as_its_own_examples(made):
    part, own = made([2, 3, 4, 5]).part(slice(1, 3)), made([2, 3, 4, 5])
    one, two = part.take([0, 1], 2), own.take([1, 2], 2)
    assert len(part) == 2
    assert part.lengths.tolist() == own.lengths[1:3].tolist()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize("size", [0, -1, 2.5, "8"])
def test_a_batch_size_that_is_none(size):
    with pytest.raises(ValueError, match="batch_size must be at least 1; got"):
        Batches(examples([3]), size, "given")
