"""Vocabularies learned from text."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert_zoo as kbz
from keras_bert_zoo.tokenizers import wordpiece

# Many pieces that occur equally often, so that ties decide.
TEXTS = ["peal seal real zeal deal meal heal veal", "pear sear rear gear dear hear near fear"] * 3

PROGRAM = """
import sys
from keras_bert_zoo.tokenizers import wordpiece
special = dict(pad="[PAD]", unk="[UNK]", cls="[CLS]", sep="[SEP]", mask="[MASK]")
print("|".join(wordpiece.tokens_in_order(wordpiece.train(sys.argv[1:], 60, special))))
"""


def tokens(texts, size, **options):
    return wordpiece.tokens_in_order(kbz.Tokenizer.train(texts, size, **options).engine)


def test_the_same_text_gives_the_same_vocabulary():
    found = {tuple(tokens(TEXTS, 60)) for _ in range(8)}
    assert len(found) == 1
    assert "##ea" in found.pop()


@pytest.mark.slow
def test_in_other_processes_too():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, *TEXTS], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(3)
    ]
    assert runs[0].strip().split("|") == tokens(TEXTS, 60)
    assert len(set(runs)) == 1


def test_the_order_of_texts_does_not_matter():
    assert tokens(TEXTS, 50) == tokens(TEXTS[::-1], 50)


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(alphabet="abcdé 中国人。!", max_size=30), min_size=1, max_size=8),
    size=st.integers(8, 60),
)
def test_any_text(texts, size):
    tokenizer = kbz.Tokenizer.train(texts, size, min_frequency=1)
    names = wordpiece.tokens_in_order(tokenizer.engine)
    assert names[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(set(names)) == len(names) <= size
    # Every character that the vocabulary has room for is in it, as it stands in the text.
    if size == 60:
        ids = [number for text in tokenizer.tokenize(texts) for number in text]
        assert tokenizer.special_ids["unk"] not in ids


def test_rare_characters_can_be_left_out():
    texts = ["安全 " * 500 + "罕", "warm " * 400 + "ж"]
    everything = tokens(texts, 200, min_frequency=1)
    covered = tokens(texts, 200, min_frequency=1, character_coverage=0.999)
    assert {"罕", "ж"} <= set(everything)
    assert {"罕", "ж"}.isdisjoint(covered)
    assert {"安", "全", "warm"} <= set(covered)


def test_a_vocabulary_has_no_more_characters_than_room():
    text = "".join(chr(0x4E00 + i) * (400 - i) for i in range(300))
    found = tokens([text], 105)
    assert len(found) == 105
    assert found[5:] == sorted(chr(0x4E00 + i) for i in range(100))  # the commonest


def test_characters_within_words_need_room_for_both_forms():
    """`a` and `##a`: four characters fill eight places."""
    text = "abcdefgh bcdefgha cdefghab defghabc efghabcd fghabcde ghabcdef habcdefg " * 3
    words = " abcd dcba"  # so that these four are the commonest
    found = tokens([text + words * 5], 13, min_frequency=1)
    assert sorted(found[5:]) == ["##a", "##b", "##c", "##d", "a", "b", "c", "d"]
    assert len(tokens([text + words * 5], 14)) <= 14
    assert len(tokens(TEXTS, 6)) <= 6


@pytest.mark.parametrize("texts", ["one text", b"one text"])
def test_one_text_is_refused(texts):
    with pytest.raises(ValueError, match=r"learned from a list of texts; got one\. Write \[text\]"):
        kbz.Tokenizer.train(texts, 60)


def test_a_size_without_room_is_refused():
    with pytest.raises(ValueError, match="must be more than the 5 special tokens; got 5"):
        kbz.Tokenizer.train(TEXTS, 5)


@pytest.mark.parametrize("coverage", [0, 1.5])
def test_coverage_out_of_range(coverage):
    with pytest.raises(ValueError, match=r"character_coverage must lie in \(0, 1\]"):
        kbz.Tokenizer.train(TEXTS, 60, character_coverage=coverage)
