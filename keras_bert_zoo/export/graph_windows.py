"""Windows of long texts in a TensorFlow graph: what `data/contexts.py` and `data/words.py` do."""

import typing

import tensorflow as tf

from keras_bert_zoo.data.contexts import LEAST_ROOM


class Windows(typing.NamedTuple):
    """The rows that texts are run in, and where each token stands in them.

    Args:
        owners: int32, `(rows,)`. The text of each row.
        tokens: int32 ragged tensor, `(rows, tokens)`. Which tokens of all texts a row holds.
        home_rows: int32, `(tokens,)`. For each token of all texts the row that shows most of what
            stands around it.
        home_places: int32, `(tokens,)`. Which of the tokens of that row it is.
    """

    owners: tf.Tensor
    tokens: tf.RaggedTensor
    home_rows: tf.Tensor
    home_places: tf.Tensor

    @property
    def lengths(self):
        """The tokens of each row, int32 `(rows,)`."""
        return tf.cast(self.tokens.row_lengths(), tf.int32)

    def take(self, values):
        """The values, one a token, of each row's tokens: a ragged tensor from a ragged tensor."""
        return self.tokens.with_flat_values(tf.gather(values.flat_values, self.tokens.flat_values))


def context_windows(tokens, room, stride):
    """The windows of contexts.

    Args:
        tokens: ragged tensor, `(B, tokens)`.
        room: int32, `(B,)`. Tokens that fit beside each question.
        stride: int. Tokens that neighbouring windows share; at most half of a window.

    Returns:
        Windows.

    Raises:
        tf.errors.InvalidArgumentError: as the graph runs, where a context is empty or a question
            leaves it no room.
    """
    counts = tf.cast(tokens.row_lengths(), tf.int32)  # (B,)
    checks = [
        tf.debugging.Assert(tf.reduce_all(counts > 0), ["A context is empty."]),
        tf.debugging.Assert(
            tf.reduce_all(room >= tf.minimum(counts, LEAST_ROOM)),
            ["A question is too long: it leaves its context too little room."],
        ),
    ]
    with tf.control_dependencies(checks):
        step = room - tf.minimum(stride, room // 2)
    numbers = tf.maximum(counts - room + step - 1, 0) // step + 1  # windows of each context
    owners = tf.repeat(tf.range(tf.size(counts)), numbers)  # (rows,)
    within = tf.range(tf.size(owners)) - tf.gather(tf.cumsum(numbers, exclusive=True), owners)
    first = within * tf.gather(step, owners)
    last = tf.minimum(first + tf.gather(room, owners), tf.gather(counts, owners))
    begin = tf.gather(_row_starts(tokens), owners)
    rows = tf.ragged.range(begin + first, begin + last)

    # As in Google's `_check_is_max_context`: the longer window wins among equals.
    places = _places(rows)
    left, right = places, tf.gather(last - first, _owners(rows)) - 1 - places
    around = 100 * tf.minimum(left, right) + tf.gather(last - first, _owners(rows))
    return _with_homes(owners, rows, around, tf.reduce_sum(counts))


def sentence_windows(words, room, stride):
    """The windows of sentences, which are cut between words.

    Args:
        words: int32 ragged tensor, `(B, pieces)`. The word that each piece belongs to; no word
            has more than `room`.
        room: int. Pieces that fit into a row.
        stride: int. Most pieces that a window shares with the one before it.

    Returns:
        Windows. All pieces of a word have the same home.
    """
    stride = min(stride, room // 2)
    ends = _word_ends(words)  # (B, words + 1): pieces up to each word
    total = tf.cast(words.row_lengths(), tf.int32)

    def search(values, side):
        return tf.searchsorted(ends, values[:, None], side=side)[:, 0]

    def at(numbers):
        return tf.gather(ends, numbers, batch_dims=1)

    def step(going, first, found):
        last = search(at(first) + room, "right") - 1
        rows = tf.stack([tf.range(tf.size(first)), at(first), at(last)], 1)
        found = tf.concat([found, tf.boolean_mask(rows, going)], 0)
        going &= at(last) < total
        beyond = tf.minimum(last + 1, tf.shape(ends)[1] - 1)
        again = tf.maximum(search(at(last) - stride, "left"), search(at(beyond) - room, "left"))
        first = tf.where(going, tf.maximum(again, first + 1), first)
        return going, first, found

    none = tf.zeros([0, 3], tf.int32)
    start = tf.zeros_like(total)
    _, _, found = tf.while_loop(
        lambda going, *_: tf.reduce_any(going),
        step,
        (tf.ones_like(total, tf.bool), start, none),
        shape_invariants=(total.shape, start.shape, tf.TensorShape([None, 3])),
    )
    found = tf.gather(found, tf.argsort(found[:, 0], stable=True))
    owners, first, last = tf.unstack(found, axis=1)
    begin = tf.gather(_row_starts(words), owners)
    rows = tf.ragged.range(begin + first, begin + last)

    # How much stands around a piece's whole word.
    firsts, lasts = (tf.cast(tf.where(mask)[:, 0], tf.int32) for mask in _word_edges(words))
    word_of = tf.cumsum(tf.cast(_word_edges(words)[0], tf.int32)) - 1
    numbers = tf.gather(word_of, rows.flat_values)
    around = tf.minimum(
        tf.gather(firsts, numbers) - tf.gather(begin + first, _owners(rows)),
        tf.gather(begin + last, _owners(rows)) - 1 - tf.gather(lasts, numbers),
    )
    return _with_homes(owners, rows, around, tf.size(words.flat_values))


def without_long_words(pieces, room):
    """Pieces without those at the end of words that have more than `room`."""
    starts = tf.where(_word_edges(pieces.words)[0])[:, 0]
    flat = tf.range(tf.size(pieces.words.flat_values), dtype=starts.dtype)
    first = tf.gather(starts, tf.searchsorted(starts, flat, side="right") - 1)
    kept = pieces.words.with_flat_values(flat - first < room)
    return pieces._make(tf.ragged.boolean_mask(part, kept) for part in pieces)


def _with_homes(owners, rows, around, count):
    """Windows, from how much each row shows around each of its tokens; of equals the first row."""
    tokens = rows.flat_values
    most = tf.math.unsorted_segment_max(around, tokens, count)
    best = tf.cast(tf.where(around == tf.gather(most, tokens))[:, 0], tf.int32)
    tokens_of_best = tf.gather(tokens, best)
    home = tf.math.unsorted_segment_min(best, tokens_of_best, count)  # the first among equals
    return Windows(owners, rows, tf.gather(_owners(rows), home), tf.gather(_places(rows), home))


def _row_starts(ragged):
    return tf.cast(ragged.row_starts(), tf.int32)


def _owners(ragged):
    """The row of each flat value."""
    return tf.cast(ragged.value_rowids(), tf.int32)


def _places(ragged):
    """The place of each flat value in its row."""
    return tf.range(tf.size(ragged.flat_values)) - tf.gather(_row_starts(ragged), _owners(ragged))


def _word_edges(words):
    """Whether each piece is the first and whether it is the last of its word."""
    flat, owners = words.flat_values, _owners(words)
    changes = (flat[1:] != flat[:-1]) | (owners[1:] != owners[:-1])
    edge = tf.ones_like(flat[:1], tf.bool)
    return tf.concat([edge, changes], 0), tf.concat([changes, edge], 0)


def _word_ends(words):
    """How many pieces lie before the end of each word, int32 `(B, words + 1)`, from 0 on."""
    last = words.with_flat_values(_word_edges(words)[1])
    ends = tf.ragged.boolean_mask(words.with_flat_values(_places(words) + 1), last)
    return tf.pad(ends.to_tensor(default_value=tf.int32.max // 2), [[0, 0], [1, 0]])
