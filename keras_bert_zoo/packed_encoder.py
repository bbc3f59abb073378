"""The encoder over rows that several examples share, with the outputs of a row for each."""

from keras import ops

from keras_bert_zoo.plain_encoder import last_hidden_states, outputs_of


def encode_packed(backbone, inputs, training=None, only=None):
    """The outputs of a backbone for examples that are laid side by side while they are encoded.

    Tokens look at those of their own example alone, and keep their own positions, so the numbers
    are those of the examples by themselves.

    Args:
        backbone: Backbone.
        inputs: dict of the backbone's inputs, `(N, M)`, and of
            packed_rows: int, `(B, L)`. Which token lies there, `n * M + m`; -1 for none.
            packed_places: int, `(N, M)`. Where each token lies, `b * L + l`; -1 for none.
        training: bool or None.
        only: str or None. The one output that is wanted.

    Returns:
        dict, as `Backbone` gives it for `(N, M)`; zeros at padding, also where padding comes first
        and a pooler reads it.

    Source: Krell et al. 2021, §3.2.
    """
    backbone.embeddings.check_length(inputs["token_ids"].shape[1])
    rows, places = inputs["packed_rows"], inputs["packed_places"]
    width = ops.shape(inputs["token_ids"])[1]
    real = ops.greater_equal(rows, 0)  # (B, L)

    def packed(values):
        taken = ops.take(ops.reshape(values, (-1,)), ops.maximum(rows, 0))
        return ops.where(real, taken, ops.zeros_like(taken))

    def unpacked(hidden):
        flat = ops.reshape(hidden, (-1, hidden.shape[-1]))
        taken = ops.take(flat, ops.maximum(places, 0), axis=0)  # (N, M, D)
        return ops.where(ops.expand_dims(places >= 0, -1), taken, ops.zeros_like(taken))

    examples = ops.where(real, ops.floor_divide(rows, width), -1)
    same = ops.equal(ops.expand_dims(examples, 2), ops.expand_dims(examples, 1))  # (B, L, L)
    mask = ops.logical_and(same, ops.expand_dims(real, 1))
    hidden = last_hidden_states(
        backbone,
        packed(inputs["token_ids"]),
        packed(inputs["segment_ids"]),
        ops.expand_dims(mask, 1),
        position_ids=ops.where(real, ops.mod(rows, width), 0),
        training=training,
    )
    return outputs_of(backbone, unpacked(hidden), only)
