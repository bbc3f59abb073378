"""Which tokens are hidden, and how."""

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert_zoo as kbz
from keras_bert_zoo.data.masking import Masker

SPECIAL = [support.TOKENS.index(t) for t in ("[CLS]", "[SEP]", "[PAD]", "[MASK]")]


@settings(max_examples=200, deadline=None)
@given(
    ids=st.lists(st.integers(5, len(support.TOKENS) - 1), max_size=60),
    rate=st.floats(0.05, 0.9),
    whole=st.booleans(),
    seed=st.integers(0, 999),
)
def test_what_is_hidden(ids, rate, whole, seed):
    masker = Masker.for_tokenizer(support.tiny_tokenizer(), rate, whole)
    row = np.array([2, *ids, 3])
    hidden, positions = masker.mask(row, np.random.default_rng(seed))
    assert len(positions) <= masker.most(len(row))
    assert (np.diff(positions) > 0).all()
    assert not set(row[positions]) & set(SPECIAL)
    rest = np.ones(len(row), bool)
    rest[positions] = False
    assert (hidden[rest] == row[rest]).all()
    if not whole and ids:
        assert len(positions) == min(len(ids), masker.most(len(row)))


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.sampled_from(["warmest", "warmerer", "tea"]), min_size=1, max_size=20),
    seed=st.integers(0, 999),
)
def test_whole_words_are_hidden_whole(words, seed):
    tokenizer = support.tiny_tokenizer()
    row = np.array([2, *tokenizer.tokenize(" ".join(words)), 3])
    masker = Masker.for_tokenizer(tokenizer, 0.5, whole_words=True)
    _, positions = masker.mask(row, np.random.default_rng(seed))
    chosen = set(positions.tolist())
    for i in range(1, len(row) - 1):
        if support.TOKENS[row[i]].startswith("##"):
            assert (i in chosen) == (i - 1 in chosen)


def test_the_shares_are_those_of_the_paper():
    masker = Masker.for_tokenizer(support.tiny_tokenizer())
    random = np.random.default_rng(0)
    row = np.array([2, *[8] * 126, 3])
    fates = {"mask": 0, "same": 0, "other": 0}
    for _ in range(500):
        hidden, positions = masker.mask(row, random)
        assert len(positions) == 19  # 15 % of 128
        for token in hidden[positions]:
            fates["mask" if token == 4 else "same" if token == 8 else "other"] += 1
    total = sum(fates.values())
    draws_other = 0.1 * (len(support.TOKENS) - 2) / len(support.TOKENS)
    assert fates["mask"] / total == pytest.approx(0.8 + 0.1 / len(support.TOKENS), abs=0.015)
    assert fates["other"] / total == pytest.approx(draws_other, abs=0.015)


def test_bad_settings():
    with pytest.raises(ValueError, match="The masking rate must lie between 0 and 1; got 0"):
        Masker.for_tokenizer(support.tiny_tokenizer(), 0)
    bare = kbz.Tokenizer.from_vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(ValueError, match=r"The vocabulary has no \[MASK\]"):
        Masker.for_tokenizer(bare)
