"""The vectors that come nearest to others, and the texts that they are of."""

import numpy as np


def cosines(firsts, seconds):
    """The cosine of each vector with each other.

    Args:
        firsts, seconds: arrays, `(N, D)` and `(M, D)`.

    Returns:
        array, `(N, M)`; 0 for vectors that are zero.
    """
    return _unit(firsts) @ _unit(seconds).T


def _unit(vectors):
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def nearest(queries, vectors, count, block_size=65536):
    """The nearest vectors by cosine, compared block by block.

    Args:
        queries: array, `(N, D)`.
        vectors: array, `(M, D)`.
        count: int. How many for each query.
        block_size: int. Vectors that are compared at once.

    Returns:
        tuple of two arrays, each `(N, min(count, M))`: the numbers of the vectors, the nearest
        first and equal ones in order, and their cosines.
    """
    scores = np.zeros((len(queries), 0), "float32")
    numbers = np.zeros((len(queries), 0), "int64")
    for start in range(0, len(vectors), block_size):
        block = cosines(queries, vectors[start : start + block_size])  # (N, block)
        of_block = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        scores = np.concatenate([scores, block], axis=1)
        numbers = np.concatenate([numbers, of_block], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        scores, numbers = (np.take_along_axis(a, best, axis=1) for a in (scores, numbers))
    return numbers, scores


def nearest_texts(queries, vectors, corpus, count, block_size=65536):
    """The texts whose vectors come nearest, as `TextEmbedder.search` returns them.

    Args:
        queries, vectors, count, block_size: as for `nearest`.
        corpus: list of str, `(M,)`.
    """
    numbers, scores = nearest(queries, vectors, count, block_size)
    return [
        [
            {"index": int(i), "score": float(score), "text": corpus[i]}
            for i, score in zip(*row, strict=True)
        ]
        for row in zip(numbers, scores, strict=True)
    ]


def check_vectors(vectors, count, size):
    """Raises ValueError for vectors that are not those of a corpus."""
    if vectors.shape != (count, size):
        raise ValueError(
            f"vectors has the shape {vectors.shape}; the corpus has {count} texts, and each vector "
            f"{size} numbers."
        )
    if not np.isfinite(vectors).all():
        raise ValueError("vectors holds numbers that are not finite.")
