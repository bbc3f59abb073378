"""Documents to rows: pairs, orders, single segments."""

import collections
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.pretraining.rows import PAIRS, RowMaker, Sentence

CLS, SEP = 1, 2


def documents_of(lengths):
    """Documents whose tokens all differ, from the lengths of their sentences."""
    numbers = iter(range(10, 10**9))
    return [
        [Sentence([next(numbers) for _ in range(length)]) for length in document]
        for document in lengths
    ]


def flat(document):
    return [number for sentence in document for number in sentence.token_ids]


def segments(row):
    ids = row.token_ids.tolist()
    assert ids[0] == CLS and ids[-1] == SEP and ids[row.first_length - 1] == SEP
    second = ids[row.first_length : -1] if len(ids) > row.first_length else None
    return ids[1 : row.first_length - 1], second


LENGTHS = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=1, max_size=6)


@settings(max_examples=200)
@given(
    lengths=LENGTHS,
    longest=st.integers(5, 40),
    seed=st.integers(0, 99),
    pairs=st.sampled_from(PAIRS),
)
def test_rows_of_any_documents(lengths, longest, seed, pairs):
    documents = documents_of(lengths)
    home = {number: d for d, document in enumerate(documents) for number in flat(document)}
    maker = RowMaker(CLS, SEP, longest, pairs)
    for row in maker.rows(documents, random.Random(seed)):
        assert len(row) <= longest
        first, second = segments(row)
        assert first
        for segment in (first, second) if second else (first,):
            assert segment == list(range(segment[0], segment[0] + len(segment)))  # unbroken
            assert len({home[number] for number in segment}) == 1
        if pairs == "none":
            assert second is None
            continue
        assert second
        same = home[first[0]] == home[second[0]]
        if pairs == "sentence_order":
            assert same and (first[0] < second[0]) == (row.label == 0)
        elif row.label == 0:
            assert same and first[-1] < second[0]
        elif len(documents) > 1:
            assert not same or len(documents) == 2  # ten draws may all hit the document itself


@settings(max_examples=100)
@given(lengths=LENGTHS, longest=st.integers(5, 40))
def test_single_segments_lose_nothing(lengths, longest):
    documents = documents_of(lengths)
    rows = list(RowMaker(CLS, SEP, longest, "none").rows(documents, random.Random(0)))
    found = [number for row in rows for number in segments(row)[0]]
    assert found == [number for document in documents for number in flat(document)]
    assert all(row.first_length == len(row) for row in rows)


def test_first_segments_and_true_seconds_cover_the_text():
    """Sentences that gave way to others are put back: each stands in a row, where none is cut."""
    documents = documents_of([[3] * 200] * 5)
    maker = RowMaker(CLS, SEP, 63, short_seq_prob=0.0)
    seen = set()
    for row in maker.rows(documents, random.Random(4)):
        first, second = segments(row)
        seen.update(first if row.label else first + second)
    assert seen == {number for document in documents for number in flat(document)}


@pytest.mark.parametrize("pairs", ["next_sentence", "sentence_order"])
def test_half_of_the_pairs_are_true(pairs):
    documents = documents_of([[10] * 60] * 300)
    maker = RowMaker(CLS, SEP, 128, pairs)
    labels = [row.label for row in maker.rows(documents, random.Random(1))]
    spread = 3 * 0.5 / np.sqrt(len(labels))
    # The last sentence of a document has no next one, so its other is always random.
    alone = 0 if pairs == "sentence_order" else 300 / len(labels)
    assert abs(np.mean(labels) - 0.5) < spread + alone


def test_a_tenth_of_the_documents_aim_at_shorter_rows():
    documents = documents_of([[1] * 400] * 2000)

    def most(short_seq_prob):
        maker = RowMaker(CLS, SEP, 63, short_seq_prob=short_seq_prob)
        longest = collections.defaultdict(int)
        for row in maker.rows(documents, random.Random(2)):
            document = (row.token_ids[1] - 10) // 400
            longest[document] = max(longest[document], len(row))
        return np.mean([length < 63 for length in longest.values()])

    assert most(0.0) == 0
    # One in 59 of the shorter aims is not shorter.
    expected = 0.1 * 58 / 59
    assert abs(most(0.1) - expected) < 3 * np.sqrt(expected * (1 - expected) / 2000)


def test_units_stay_with_their_tokens():
    documents = [
        [Sentence([7, 8, 9], [False, True, True]), Sentence([5, 6], [False, True])] * 20
    ] * 2
    for pairs in PAIRS:
        for row in RowMaker(CLS, SEP, 13, pairs).rows(documents, random.Random(0)):
            inside = row.token_ids[row.joined]
            assert set(inside.tolist()) <= {6, 8, 9}
            starts = ~row.joined & np.isin(row.token_ids, (6, 8, 9))
            # Only what lost its beginning begins a unit itself.
            assert all(row.token_ids[i - 1] in (CLS, SEP) for i in np.flatnonzero(starts))


def test_the_same_seed_makes_the_same_rows():
    documents = documents_of([[4, 9, 2, 7] * 5] * 4)
    maker = RowMaker(CLS, SEP, 24)
    first, again, other = (
        [row.token_ids.tolist() for row in maker.rows(documents, random.Random(seed))]
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": "next_sentense"}, "got 'next_sentense'. Did you mean \"next_sentence\""),
        ({"max_length": 4}, "max_length must be at least 5; got 4"),
        ({"short_seq_prob": 1.1}, r"short_seq_prob must lie in \[0, 1\]; got 1.1"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        RowMaker(CLS, SEP, **arguments)
