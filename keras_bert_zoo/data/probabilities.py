"""Probabilities from logits, in numpy."""

import numpy as np


def softmax(logits):
    """Probabilities along the last axis."""
    return np.exp(log_softmax(logits))


def log_softmax(logits):
    """Their logarithms."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
