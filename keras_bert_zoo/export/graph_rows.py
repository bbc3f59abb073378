"""Rows of a model from token ids, in a TensorFlow graph: truncation, special tokens, padding.

What `tokenizers/packing.py` does for numpy.
"""

import tensorflow as tf

# A row never has fewer columns, so that there is a first token to look at in an empty batch.
_LEAST = 2


def truncated_lengths(first, second, room, strategy):
    """How many tokens of each text to keep; see `tokenizers.packing.truncated_lengths`.

    Args:
        first: int tensor, `(B,)`. Tokens of the first texts.
        second: int tensor, `(B,)`, or None. Tokens of the second texts.
        room: int. Tokens that fit.
        strategy: str.

    Returns:
        tuple of two int tensors, `(B,)`, the second None for single texts.

    Raises:
        tf.errors.InvalidArgumentError: as the graph runs, where one text is to be cut and is too
            short.
    """
    if room == 0:
        return tf.zeros_like(first), None if second is None else tf.zeros_like(second)
    if strategy == "longest_first":
        if second is None:
            return tf.minimum(first, room), None
        shorter = tf.minimum(tf.minimum(first, second), room // 2)
        longer = tf.minimum(tf.maximum(first, second), room - shorter)
        swapped = first > second
        return tf.where(swapped, longer, shorter), tf.where(swapped, shorter, longer)
    lengths = {"only_first": first, "only_second": 0 if second is None else second}
    excess = tf.maximum(first + (0 if second is None else second) - room, 0)
    enough = (excess == 0) | (lengths[strategy] > excess)
    message = f'truncation="{strategy}" would have to cut more tokens than that text has.'
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(enough), [message])]):
        lengths[strategy] -= excess
    return lengths["only_first"], None if second is None else lengths["only_second"]


def head(ids, lengths):
    """The first `lengths` ids of each row of a ragged tensor."""
    places = tf.ragged.range(ids.row_lengths())
    kept = tf.cast(lengths, places.dtype)[:, None]
    return tf.ragged.boolean_mask(ids, places < kept)


def padded_rows(firsts, seconds, special_ids):
    """The input dict of a model.

    Args:
        firsts: int32 ragged tensor, `(B, tokens)`.
        seconds: the same for pairs, or None.
        special_ids: dict of role to id.

    Returns:
        dict of int32 tensors, each `(B, L)`: `token_ids`, `segment_ids` and `padding_mask`.
    """
    count = firsts.nrows()

    def column(role):
        return tf.RaggedTensor.from_tensor(tf.fill([count, 1], special_ids[role]))

    parts = [column("cls"), firsts, column("sep")]
    if seconds is not None:
        parts += [seconds, column("sep")]
    rows = tf.concat(parts, axis=1)
    lengths = tf.cast(rows.row_lengths(), tf.int32)[:, None]
    first_lengths = tf.cast(firsts.row_lengths(), tf.int32)[:, None] + 2
    token_ids = rows.to_tensor(special_ids["pad"])
    width = tf.maximum(tf.shape(token_ids)[1], _LEAST)
    token_ids = tf.pad(token_ids, [[0, 0], [0, width - tf.shape(token_ids)[1]]])
    places = tf.range(width)
    real = places < lengths
    return {
        "token_ids": token_ids,
        "segment_ids": tf.cast(real & (places >= first_lengths), tf.int32),
        "padding_mask": tf.cast(real, tf.int32),
    }
