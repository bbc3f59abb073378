"""Words, pieces and windows."""

import itertools

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.words import (
    sentence_windows,
    word_windows,
    words_of_lists,
    words_of_texts,
)

LENGTHS = st.lists(st.integers(1, 5), max_size=40)


@settings(max_examples=300)
@given(lengths=LENGTHS, room=st.integers(5, 12), stride=st.integers(0, 14))
def test_windows_cover_every_word_and_fit(lengths, room, stride):
    windows = word_windows(lengths, room, stride)
    covered = set()
    for first, last in windows:
        assert sum(lengths[first:last]) <= room
        covered.update(range(first, last))
    assert covered == set(range(len(lengths)))
    for (_, before), (first, last) in itertools.pairwise(windows):
        assert last > before, "a window reaches beyond the one before it"
        assert sum(lengths[first:before]) <= min(stride, room // 2)


def test_neighbours_share_as_much_as_they_may():
    assert word_windows([1] * 10, room=4, stride=2) == [(0, 4), (2, 6), (4, 8), (6, 10)]
    assert word_windows([1] * 10, room=4, stride=0) == [(0, 4), (4, 8), (8, 10)]
    assert word_windows([], room=4, stride=2) == [(0, 0)]


@settings(max_examples=100)
@given(counts=st.lists(st.integers(0, 25), min_size=1, max_size=4), stride=st.integers(0, 6))
def test_each_word_has_its_place_with_most_context(counts, stride):
    tokenizer = support.tiny_tokenizer()
    lists = [["warmer" if i % 3 else "film" for i in range(count)] for count in counts]
    words = words_of_lists(tokenizer, lists)
    sentences = sentence_windows(words, None, 10, stride, 2, 3)
    assert len(sentences) == len(counts)
    for number, (sentence, places) in enumerate(zip(words, sentences.places, strict=True)):
        mine = np.flatnonzero(sentences.owners == number)
        assert len(places) == len(sentence)
        for word, place in zip(sentence, places, strict=True):
            row = sentences.rows[place.row].token_ids
            assert row[place.position : place.position + place.pieces].tolist() == word.pieces
            assert place.row in mine
    assert all(len(row) <= 10 for row in sentences.rows)


def test_a_word_in_two_windows_belongs_to_that_with_more_context():
    words = words_of_lists(support.tiny_tokenizer(), [["good"] * 6])
    sentences = sentence_windows(words, None, 6, 2, 2, 3)  # windows (0, 4) and (2, 6)
    rows = [place.row for place in sentences.places[0]]
    assert rows == [0, 0, 0, 1, 1, 1]


def test_a_word_without_a_piece_is_unknown_and_not_lost():
    ((first, second),) = words_of_lists(support.tiny_tokenizer(), [["\u200b", "film"]])
    assert first.pieces == [support.TOKENS.index("[UNK]")]
    assert second.pieces == [support.TOKENS.index("film")]


def test_a_word_longer_than_a_window_keeps_its_first_pieces():
    words = words_of_lists(support.tiny_tokenizer(), [["warmer" + "er" * 9, "film"]])
    sentences = sentence_windows(words, None, 6, 2, 2, 3)
    assert [place.pieces for place in sentences.places[0]] == [4, 1]
    assert len(words[0][0].pieces) > 4


def test_words_of_texts_stand_where_their_offsets_say():
    text = "  The WARMER film,\tagain… 好film"
    (words,) = words_of_texts(support.tiny_tokenizer(), [text])
    found = [text[word.start : word.end] for word in words]
    assert found == ["The", "WARMER", "film", ",", "again", "…", "好", "film"]
    assert [len(word.pieces) for word in words][:3] == [1, 2, 1]


def test_special_tokens_in_a_text_are_words():
    (words,) = words_of_texts(support.tiny_tokenizer(), ["good [MASK] [MASK]film"])
    assert [len(word.pieces) for word in words] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "sentences, message",
    [
        ("good film", "Sentences are a list of lists of words; got str"),
        ([["good"], "film"], "Item 1 is 'film'; each sentence is a list of words"),
        ([["good"], ["film", 3]], "Item 1: Item 1 is no text but int"),
        (7, "Sentences are a list of lists of words; got int"),
    ],
)
def test_what_is_no_list_of_words(sentences, message):
    with pytest.raises(ValueError, match=message):
        words_of_lists(support.tiny_tokenizer(), sentences)
