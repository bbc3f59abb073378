"""Losses of pairs of vectors."""

from keras import ops

# How sharply the seconds of a batch are told apart (sentence-transformers' `scale`).
SCALE = 20.0


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
