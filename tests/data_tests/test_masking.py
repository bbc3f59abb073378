"""Which tokens are hidden, and how."""

import functools

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert_zoo as kbz
from keras_bert_zoo.data.masking import UNITS, Masker

SPECIAL = [support.TOKENS.index(t) for t in ("[CLS]", "[SEP]", "[PAD]", "[MASK]")]


@settings(max_examples=300)
@given(
    ids=st.lists(st.integers(5, len(support.TOKENS) - 1), max_size=60),
    rate=st.floats(0.05, 0.9),
    unit=st.sampled_from(list(UNITS)),
    most=st.none() | st.integers(1, 9),
    cut=st.integers(0, 60),
    seed=st.integers(0, 999),
)
def test_what_is_hidden(ids, rate, unit, most, cut, seed):
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), rate, unit, most)
    row = np.array([2, *ids[:cut], 3, *ids[cut:], 3])
    hidden, positions = masker.mask(row, np.random.default_rng(seed))
    assert len(positions) <= masker.most(len(row)) <= (most or 99)
    assert (np.diff(positions) > 0).all()
    assert not set(row[positions]) & set(SPECIAL)
    assert not set(hidden[positions]) & (set(SPECIAL) - {masker.mask_id})
    rest = np.ones(len(row), bool)
    rest[positions] = False
    assert (hidden[rest] == row[rest]).all()
    if unit == "piece" and ids:
        assert len(positions) == min(len(ids), masker.most(len(row)))


@settings(max_examples=200)
@given(
    words=st.lists(st.sampled_from(["warmest", "warmerer", "tea"]), min_size=1, max_size=20),
    unit=st.sampled_from(["word", "ngram", "span"]),
    seed=st.integers(0, 999),
)
def test_whole_words_are_hidden_whole(words, unit, seed):
    tokenizer = support.tiny_tokenizer()
    row = np.array([2, *tokenizer.tokenize(" ".join(words)), 3])
    masker = Masker.for_tokenizer(tokenizer, 0.5, unit)
    _, positions = masker.mask(row, np.random.default_rng(seed))
    chosen = set(positions.tolist())
    for i in range(1, len(row) - 1):
        if support.TOKENS[row[i]].startswith("##"):
            assert (i in chosen) == (i - 1 in chosen)


@pytest.mark.parametrize(("unit", "count"), [("piece", 1), ("word", 0), ("ngram", 0), ("span", 0)])
def test_a_word_beyond_the_share_is_not_hidden(unit, count):
    tokenizer = support.tiny_tokenizer()
    row = np.array([2, *tokenizer.tokenize("warmest"), 3])
    masker = Masker.for_tokenizer(tokenizer, 0.15, unit)
    assert masker.most(len(row)) == 1
    assert len(masker.mask(row, np.random.default_rng(0))[1]) == count


def test_given_units_are_hidden_whole():
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), 0.5, "word")
    row = np.array([2, *range(5, 17), 3])
    joined = np.zeros(len(row), bool)
    joined[[3, 4, 8]] = True
    for seed in range(50):
        chosen = set(masker.mask(row, np.random.default_rng(seed), joined)[1].tolist())
        assert len(chosen & {2, 3, 4}) in (0, 3)
        assert len(chosen & {7, 8}) in (0, 2)


# === Shares, over a million tokens ===

ROW = np.array([2, *[8] * 62, 3, *[8] * 63, 3])  # 125 tokens that may be hidden, a word each
ROWS = 8000


def share_error(share, count):
    """Three standard errors of a share of so many draws."""
    return 3 * np.sqrt(share * (1 - share) / count)


@functools.cache
def drawn(unit):
    """The hidden rows and positions of a million tokens, and the chosen runs."""
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), unit=unit)
    random = np.random.default_rng(11)
    masked = [masker.mask(ROW, random) for _ in range(ROWS)]
    runs = [masker._choose(ROW, random, np.zeros(len(ROW), bool)) for _ in range(ROWS // 4)]
    return masked, runs


@pytest.mark.parametrize("unit", UNITS)
def test_the_shares_are_those_of_the_recipe(unit):
    masked, _ = drawn(unit)
    assert all(len(positions) == 19 for _, positions in masked)  # 15 % of 128
    tokens = np.concatenate([hidden[positions] for hidden, positions in masked])
    # A random token may be the one that was there.
    ordinary = len(support.TOKENS) - len(SPECIAL)
    # A run that shares its fate is one draw: about 3.3 tokens a run of SpanBERT's.
    draws = len(tokens) / (5 if UNITS[unit].one_fate else 1)
    for share, expected in (
        (np.mean(tokens == 4), 0.8),
        (np.mean(tokens == 8), 0.1 + 0.1 / ordinary),
        (np.mean((tokens != 4) & (tokens != 8)), 0.1 - 0.1 / ordinary),
    ):
        assert abs(share - expected) < share_error(expected, draws)
    assert len(np.unique(tokens)) == ordinary + 1


def test_every_place_is_as_likely():
    masked, _ = drawn("piece")
    counts = np.bincount(np.concatenate([p for _, p in masked]), minlength=len(ROW))
    free = counts[ROW == 8] / ROWS
    assert counts[ROW != 8].sum() == 0
    # Of 125 places, the worst may be off by four of its standard errors.
    assert np.abs(free - 19 / 125).max() < 4 / 3 * share_error(19 / 125, ROWS)


@functools.cache
def expected_runs(room, lengths):
    """How many runs of each length fill so much room, where the last one is cut to fit."""
    found = np.zeros(len(lengths) + 1)
    for length, chance in enumerate(lengths, start=1):
        taken = min(length, room)
        found[taken] += chance
        if room > taken:
            found += chance * expected_runs(room - taken, lengths)
    return found


@pytest.mark.parametrize("unit", ["ngram", "span"])
def test_the_lengths_of_runs_are_those_of_the_recipe(unit):
    _, runs = drawn(unit)
    found = np.array([np.bincount([len(run) for run in row], minlength=11)[:11] for row in runs])
    expected = np.zeros(11)
    of_recipe = expected_runs(19, UNITS[unit].lengths)
    expected[: len(of_recipe)] = of_recipe
    for length in np.flatnonzero(expected):
        error = 3 * found[:, length].std() / np.sqrt(len(found))
        assert abs(found[:, length].mean() - expected[length]) < error, length


@pytest.mark.parametrize(("unit", "shared"), [("span", True), ("ngram", False)])
def test_only_spans_share_their_fate(unit, shared, monkeypatch):
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), unit=unit)
    run = list(range(10, 29))
    monkeypatch.setattr(Masker, "_choose", lambda *_: [run])
    alike = [
        len(set(masker.mask(ROW, np.random.default_rng(seed))[0][run] == 4)) == 1
        for seed in range(40)
    ]
    assert all(alike) if shared else not any(alike)


def test_bad_settings():
    with pytest.raises(ValueError, match="The masking rate must lie between 0 and 1; got 0"):
        Masker.for_tokenizer(support.tiny_tokenizer(), 0)
    bare = kbz.Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(ValueError, match=r"The vocabulary has no \[MASK\]"):
        Masker.for_tokenizer(bare)
    with pytest.raises(ValueError, match=r"got 'words'\. Did you mean \"word\""):
        Masker.for_tokenizer(support.tiny_tokenizer(), unit="words")
    with pytest.raises(ValueError, match="most_per_row must be at least 1; got 0"):
        Masker.for_tokenizer(support.tiny_tokenizer(), most_per_row=0)
