"""Sentences as words, words as pieces, and the windows that long sentences are run in."""

import dataclasses

import numpy as np

from keras_bert_zoo.tokenizers.packing import PackedText
from keras_bert_zoo.tokenizers.texts import check_texts


@dataclasses.dataclass(frozen=True)
class Word:
    """One word of a sentence.

    Args:
        pieces: list of int. Token ids, at least one.
        offsets: list of `(start, end)`, one a piece, in characters of the text; of the word where
            the sentence was given as words.
    """

    pieces: list
    offsets: list

    @property
    def start(self):
        return self.offsets[0][0]

    @property
    def end(self):
        return self.offsets[-1][1]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a word stands in the rows that are run.

    Args:
        row: int.
        position: int. Of its first piece.
        pieces: int. How many of its pieces are there.
    """

    row: int
    position: int
    pieces: int


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Sentences in windows; each word belongs to one of them, that with most context around it.

    Args:
        words: list of lists of Word.
        texts: list of str, or None where words were given.
        rows: list of PackedText. The windows.
        owners: int array. The sentence of each row.
        places: list of lists of Place, one for each word.
    """

    words: list
    texts: list | None
    rows: list
    owners: np.ndarray
    places: list

    def __len__(self):
        return len(self.words)


def words_of(tokenizer, x):
    """The words of texts, or of sentences that are given as words.

    Args:
        tokenizer: Tokenizer.
        x: iterable of str, or of lists of str.

    Returns:
        tuple of a list with a list of Word for each, and the list of texts, None for words.

    Raises:
        ValueError: an item is neither, or of another kind than the first.
    """
    if hasattr(x, "__iter__") and not isinstance(x, (str, bytes, dict)):
        x = list(x)
    if isinstance(x, list) and x and isinstance(x[0], (str, bytes)):
        texts = check_texts(x)
        return words_of_texts(tokenizer, texts), texts
    return words_of_lists(tokenizer, x), None


def words_of_texts(tokenizer, texts):
    """The words that BERT's own splitting finds in texts: a list of Word for each.

    Args:
        tokenizer: Tokenizer.
        texts: list of str.

    Raises:
        ValueError: an item is no text.
    """
    sentences = []
    for encoding in tokenizer.engine.encode_batch(texts, add_special_tokens=False):
        words, before = [], None
        pieces = zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True)
        for piece, offset, number in pieces:
            if number is None or number != before:  # special tokens in a text have no number
                words.append(Word([], []))
            words[-1].pieces.append(piece)
            words[-1].offsets.append(offset)
            before = number
        sentences.append(words)
    return sentences


def words_of_lists(tokenizer, sentences):
    """As `words_of_texts`, from lists of words. A word without a piece becomes `[UNK]`.

    Raises:
        ValueError: an item is no list of words; the message names it.
    """
    sentences = check_words(sentences)
    flat = [word for sentence in sentences for word in sentence]
    distinct = list(dict.fromkeys(flat))
    ids, offsets = tokenizer.tokenize_with_offsets(distinct)
    unknown = tokenizer.special_ids["unk"]
    known = {
        word: Word(pieces or [unknown], spans or [(0, len(word))])
        for word, pieces, spans in zip(distinct, ids, offsets, strict=True)
    }
    return [[known[word] for word in sentence] for sentence in sentences]


def check_words(sentences):
    """Sentences as lists of words.

    Raises:
        ValueError: an item is no list of words; the message names it.
    """
    if isinstance(sentences, (str, bytes, dict)) or not hasattr(sentences, "__iter__"):
        raise ValueError(f"Sentences are a list of lists of words; got {type(sentences).__name__}.")
    checked = []
    for i, sentence in enumerate(sentences):
        if isinstance(sentence, (str, bytes, dict)) or not hasattr(sentence, "__iter__"):
            raise ValueError(
                f"Item {i} is {sentence!r}; each sentence is a list of words, or each a text: not "
                "both kinds together."
            )
        try:
            checked.append(check_texts(sentence))
        except ValueError as error:
            raise ValueError(f"Item {i}: {error}") from error
    return checked


def refuse_texts(words):
    """Raises ValueError where a sentence that should be a list of words is a text."""
    if any(isinstance(sentence, (str, bytes)) for sentence in words):
        raise ValueError("words must be a list with a list of words for each sentence; got texts.")


def sentence_windows(words, texts, max_length, stride, cls_id, sep_id):
    """Sentences as rows of at most `max_length` tokens, the long ones in overlapping windows.

    Args:
        words: list of lists of Word.
        texts: list of str or None.
        max_length: int. Special tokens included.
        stride: int. Most pieces that a window shares with the one before it.
        cls_id, sep_id: int.

    Returns:
        Sentences. Windows are cut between words; of a word that is longer than a whole window the
        first pieces are run.
    """
    rows, owners, places = [], [], []
    room = max_length - 2
    for number, sentence in enumerate(words):
        lengths = [min(len(word.pieces), room) for word in sentence]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
        found = [None] * len(sentence)
        best = [-1] * len(sentence)
        for first, last in word_windows(lengths, room, stride):
            ids = [cls_id]
            for i in range(first, last):
                left, right = starts[i] - starts[first], starts[last] - starts[i + 1]
                if min(left, right) > best[i]:
                    best[i] = min(left, right)
                    found[i] = Place(len(rows), len(ids), lengths[i])
                ids += sentence[i].pieces[:room]
            ids.append(sep_id)
            rows.append(PackedText(np.asarray(ids, "int32"), len(ids)))
            owners.append(number)
        places.append(found)
    return Sentences(words, texts, rows, np.asarray(owners, "int64"), places)


def word_windows(lengths, room, stride):
    """The words `first` to `last - 1` of each window.

    Args:
        lengths: list of int. Pieces of each word, none above `room`.
        room: int. Most pieces of a window.
        stride: int. Most pieces that a window shares with the one before it; at most half of it.

    Returns:
        list of `(first, last)`, at least one.

    >>> word_windows([1, 1, 2, 1], room=3, stride=1)
    [(0, 2), (1, 3), (3, 4)]
    """
    stride = min(stride, room // 2)
    windows, first = [], 0
    while True:
        last, pieces = first, 0
        while last < len(lengths) and pieces + lengths[last] <= room:
            pieces += lengths[last]
            last += 1
        windows.append((first, last))
        if last == len(lengths):
            return windows
        begin, shared = last, 0
        while begin - 1 > first and shared + lengths[begin - 1] <= stride:
            begin -= 1
            shared += lengths[begin]
        # A window must reach beyond the one before it.
        while shared and shared + lengths[last] > room:
            shared -= lengths[begin]
            begin += 1
        first = begin
