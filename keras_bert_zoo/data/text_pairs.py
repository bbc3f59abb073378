"""Pairs of texts that are encoded apart: the rows of a pair stand one after the other."""

import numpy as np

from keras_bert_zoo.data.batching import fill_rows
from keras_bert_zoo.data.labels import encode_numbers, example_weights


class PairedExamples:
    """Pairs that `Batches` takes rows from; a batch of n pairs has 2n rows.

    Args:
        examples: TextExamples. The first and second texts in turn.
        labels: array, one a pair.
        weights: float array, one a pair.
    """

    def __init__(self, examples, labels=None, weights=None):
        self.examples, self.labels, self.weights = examples, labels, weights
        self.lengths = examples.lengths.reshape(-1, 2).max(axis=1)
        self.count = len(self.lengths)
        self.owners = np.arange(self.count)

    def __len__(self):
        return len(self.lengths)

    def take(self, indices, rows):
        """Raises: single texts are what vectors are made of."""
        raise ValueError("Each text gets a vector of its own: let the dataset yield texts.")

    def part(self, where):
        """Some of the pairs.

        Args:
            where: slice.
        """
        first, last, _ = where.indices(len(self))
        rows = self.examples.part(slice(2 * first, 2 * last))
        return PairedExamples(rows, self.labels[where], self.weights[where])

    def batch(self, indices, rows):
        """Some pairs as `(x, y, sample_weight)`; each pair's label and weight stand twice."""
        twice = np.stack([2 * indices, 2 * indices + 1], axis=1).ravel()
        x = self.examples.take(twice, 2 * rows)
        y, weights = (
            fill_rows(np.repeat(values[indices], 2), 2 * rows)
            for values in (self.labels, self.weights)
        )
        return x, y, weights

    def labelled(self, y, sample_weight):
        """The pairs with labels and weights.

        Args:
            y: cosines that the pairs should have; None for pairs that belong together.
            sample_weight: float array, one a pair, or None.

        Returns:
            PairedExamples. Its labels are float32, or int32 where there are no scores.

        Raises:
            ValueError: another number of scores, or one that is no cosine.
        """
        labels = np.zeros(len(self), "int32") if y is None else encode_numbers(y)[:, 0]
        if len(labels) != len(self):
            raise ValueError(f"There are {len(self)} examples but {len(labels)} labels.")
        wrong = np.flatnonzero(np.abs(labels) > 1)
        if len(wrong):
            raise ValueError(
                f"y[{wrong[0]}] is {labels[wrong[0]]}; scores are cosines, from -1 to 1. Divide "
                "them by their largest."
            )
        return PairedExamples(self.examples, labels, example_weights(sample_weight, self.count))
