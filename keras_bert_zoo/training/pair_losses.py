"""Losses of pairs of vectors."""

import keras
from keras import ops

from keras_bert_zoo.layers.pooling import to_unit_length

# How sharply the seconds of a batch are told apart (sentence-transformers' `scale`).
SCALE = 20.0


def mean_pair_loss(vectors, scores, sample_weight, real):
    """The loss of a batch whose rows are the first and the second of each pair in turn.

    Args:
        vectors: float, `(2B, D)`.
        scores: `(2B,)`. Float for the cosine that each pair should have; int32 for pairs that
            belong together and have none.
        sample_weight: float, `(2B,)`.
        real: bool, `(2B,)`. False for rows that only fill up the batch.

    Returns:
        float scalar, the weighted mean over pairs.
    """
    pairs = to_unit_length(ops.reshape(ops.cast(vectors, "float32"), (-1, 2, vectors.shape[-1])))
    firsts, seconds = pairs[:, 0], pairs[:, 1]  # (B, D)
    scores, weight, real = (
        ops.reshape(each, (-1, 2))[:, 0] for each in (scores, sample_weight, real)
    )
    if keras.backend.standardize_dtype(scores.dtype) == "int32":
        losses = in_batch_losses(firsts, seconds, real)
    else:
        losses = cosine_losses(firsts, seconds, scores)
    return ops.sum(losses * weight) / ops.maximum(ops.sum(weight), keras.config.epsilon())


def cosine_losses(firsts, seconds, scores):
    """How far each pair's cosine is from its score, squared.

    Args:
        firsts, seconds: float, `(B, D)`, of the length 1.
        scores: float, `(B,)`.

    Returns:
        float, `(B,)`.

    Source: Reimers & Gurevych 2019, §3, the regression objective.
    """
    return ops.square(ops.sum(firsts * seconds, axis=-1) - scores)


def in_batch_losses(firsts, seconds, real):
    """How surely each first finds its second among those of the batch: a cross-entropy.

    Args:
        firsts, seconds: float, `(B, D)`, of the length 1.
        real: bool, `(B,)`. False for pairs that only fill up the batch.

    Returns:
        float, `(B,)`.

    Source: Henderson et al. 2017, §4.4.
    """
    scores = ops.matmul(firsts, ops.transpose(seconds)) * SCALE  # (B, B)
    scores = ops.where(real, scores, -1e9)
    return ops.logsumexp(scores, axis=-1) - ops.diagonal(scores)
