"""A tokenizer as a TensorFlow graph, equal to the eager one on every text."""

import itertools
import json
import re
import typing

import numpy as np
import tensorflow as tf

from keras_bert_zoo.export.characters import (
    LETTER,
    SELF,
    SPACE,
    SPECIAL,
    character_table,
)
from keras_bert_zoo.export.graph_wordpiece import GraphWordPiece

# Control characters, which BERT drops. They stand for special tokens, which it keeps whole.
_STAND_INS = [chr(code) for code in (*range(1, 9), *range(14, 32))]
_DROPPED = "\x7f"


class Pieces(typing.NamedTuple):
    """The pieces of texts: int32 ragged tensors, each `(B, pieces)`.

    Args:
        ids: token ids.
        words: the word of its text that a piece belongs to, from 0.
        starts, ends: where a piece stands in its text, in characters.
        byte_starts, byte_ends: the same in bytes.
    """

    ids: tf.RaggedTensor
    words: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    byte_starts: tf.RaggedTensor
    byte_ends: tf.RaggedTensor


class GraphTokenizer(tf.Module):
    """Texts to pieces, in a graph of TensorFlow's own ops: no library of further ops is needed.

    Args:
        tokenizer: Tokenizer.
        vocabulary_file: Path. Where to write the vocabulary.

    Raises:
        ValueError: the tokenizer does what the graph cannot express.
    """

    def __init__(self, tokenizer, vocabulary_file):
        super().__init__()
        engine = tokenizer.engine
        if not json.loads(engine.normalizer.__getstate__())["clean_text"]:
            raise ValueError("A tokenizer with clean_text=False cannot be exported.")
        self.added = _added_tokens(engine)
        stand_ins = _STAND_INS[: len(self.added)]
        table = character_table(engine, stand_ins)
        self.starts = _constant(table.starts)
        self.firsts = _constant(table.firsts)
        # Both in one number, to halve what is stored.
        self.outputs = _constant(table.outputs * 4 + table.kinds)
        special = np.zeros((32, 2), "int32")  # for each stand-in the id and length of its token
        for stand_in, (token, number) in zip(stand_ins, self.added.items(), strict=True):
            special[ord(stand_in)] = number, len(token)
        self.special = _constant(special)
        self.wordpiece = GraphWordPiece(engine, vocabulary_file)
        # In the graph once, however often it is called; see Service.
        signature = [tf.TensorSpec([None], tf.string)]
        function = tf.function(self._pieces, input_signature=signature, autograph=False)
        self._function = lambda texts: function(texts)

    def __call__(self, texts):
        """The pieces of texts.

        Args:
            texts: string tensor, `(B,)`. UTF-8; what is not stands for characters that BERT drops.

        Returns:
            Pieces.
        """
        return self._function(texts)

    def _pieces(self, texts):
        characters, byte_starts = tf.strings.unicode_decode_with_offsets(
            self._with_stand_ins(texts), "UTF-8", errors="replace"
        )
        rows = tf.cast(characters.value_rowids(), tf.int32)  # (characters,)
        codes, kinds, sources = self._normalised(characters.flat_values)
        begins = _begin_words(kinds, tf.gather(rows, sources))
        kept = kinds != SPACE
        codes, kinds, sources, begins = (
            tf.boolean_mask(part, kept) for part in (codes, kinds, sources, begins)
        )
        first_of = tf.where(begins)[:, 0]  # (words,)
        pieces = self.wordpiece(tf.RaggedTensor.from_row_starts(codes, first_of, validate=False))

        words, first, last, ids = tf.unstack(pieces, axis=1)  # (pieces,) each
        first_of = tf.cast(first_of, tf.int32)
        begin = tf.gather(first_of, words)
        start = tf.gather(sources, begin + first)
        end = tf.gather(sources, begin + last - 1)
        ids, end = self._with_special(tf.gather(codes, begin), tf.gather(kinds, begin), ids, end)

        count = tf.size(texts)
        row = tf.gather(rows, start)
        row_of_words = tf.gather(rows, tf.gather(sources, first_of))
        words -= tf.gather(tf.searchsorted(row_of_words, tf.range(count)), row)
        begin = tf.gather(tf.cast(characters.row_starts(), tf.int32), row)
        byte_starts = tf.cast(byte_starts.flat_values, tf.int32)
        columns = (
            ids,
            words,
            start - begin,
            end + 1 - begin,
            tf.gather(byte_starts, start),
            tf.gather(_byte_ends(byte_starts, rows, texts), end),
        )
        rows = tf.RaggedTensor.from_value_rowids(
            ids, tf.cast(row, tf.int64), tf.cast(count, tf.int64), validate=False
        )
        return Pieces(*(rows.with_flat_values(column) for column in columns))

    def texts_of(self, ids):
        """The tokens of ids: a string tensor of the same shape."""
        return self.wordpiece.tokens(ids)

    def _with_stand_ins(self, texts):
        """Texts in which a stand-in begins each special token, as long as before."""
        texts = tf.strings.regex_replace(texts, "[\\x00-\\x08\\x0e-\\x1f]", _DROPPED)
        for stand_in, token in zip(_STAND_INS, self.added, strict=False):
            filled = stand_in + _DROPPED * (len(token) - 1)
            texts = tf.strings.regex_replace(texts, re.escape(token), filled)
        return texts

    def _normalised(self, characters):
        """What becomes of characters: code points, their kinds, and which character each is of."""
        ranges = tf.searchsorted(self.starts, characters, side="right") - 1
        firsts = tf.gather(self.firsts, ranges)
        counts = tf.gather(self.firsts, ranges + 1) - firsts
        sources = tf.repeat(tf.range(tf.size(characters)), counts)
        # The place in `outputs`: the first one of the range, and on from there.
        begins = tf.cumsum(counts, exclusive=True)
        places = tf.range(tf.size(sources)) + tf.gather(firsts - begins, sources)
        outputs = tf.gather(self.outputs, places)
        codes = outputs // 4
        codes = tf.where(codes == SELF, tf.gather(characters, sources), codes)
        return codes, outputs % 4, sources

    def _with_special(self, codes, kinds, ids, ends):
        """Ids and last characters of pieces, mended where the word is a special token."""
        special = kinds == SPECIAL
        found = tf.gather(self.special, tf.where(special, codes, 0))
        ids = tf.where(special, found[:, 0], ids)
        return ids, ends + tf.where(special, found[:, 1] - 1, 0)


def _added_tokens(engine):
    """The tokens that are kept whole in text, the longest first, with their ids."""
    found = {}
    for number, token in engine.get_added_tokens_decoder().items():
        if token.single_word or token.lstrip or token.rstrip or token.normalized:
            raise ValueError(
                f"The added token {token.content!r} cannot be exported: the graph knows none with "
                "single_word, lstrip, rstrip or normalized."
            )
        if not token.content.isascii():
            raise ValueError(
                f"The added token {token.content!r} cannot be exported: it is not ASCII."
            )
        found[token.content] = number
    for one, other in itertools.permutations(found, 2):
        if any(one.endswith(other[:n]) for n in range(1, min(len(one), len(other)))):
            raise ValueError(
                f"The added tokens {one!r} and {other!r} cannot be exported together: they may "
                "overlap in a text."
            )
    if len(found) > len(_STAND_INS):
        raise ValueError(
            f"A tokenizer with {len(found)} added tokens cannot be exported; the graph takes "
            f"{len(_STAND_INS)}."
        )
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _begin_words(kinds, rows):
    """Whether each character is the first of a word; letters join the letter before them."""
    letter = kinds == LETTER
    joined = letter[1:] & letter[:-1] & (rows[1:] == rows[:-1])
    return tf.concat([tf.ones_like(letter[:1]), ~joined], 0)


def _byte_ends(byte_starts, rows, texts):
    """Where each character ends in its text, in bytes."""
    following = tf.concat([rows[1:], tf.fill(tf.shape(rows[:1]), -1)], 0)
    next_starts = tf.roll(byte_starts, -1, axis=0)
    return tf.where(following == rows, next_starts, tf.gather(tf.strings.length(texts), rows))


def _constant(values):
    """An array that is stored once, however many functions read it."""
    return tf.Variable(values, trainable=False, dtype=tf.int32)
