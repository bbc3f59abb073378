"""Batches of one size and a few lengths, so that compiled backends re-use their programs."""

import random

import keras
import numpy as np
from keras import tree

# Bucket lengths as fractions of the longest: six, so at most six programs are compiled.
_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)

# `Batches` sorts by length within windows of this many batches.
SORTING_WINDOW = 64


def bucket_lengths(max_length):
    """The lengths that rows are padded to, at most six, the last one `max_length`.

    >>> bucket_lengths(128)
    (8, 16, 32, 64, 96, 128)
    """
    rounded = {min(max_length, max(8, -(-int(max_length * f) // 8) * 8)) for f in _FRACTIONS}
    return tuple(sorted(rounded))


def bucket_for(length, buckets):
    """The smallest bucket that holds a row of `length` tokens."""
    return next(bucket for bucket in buckets if bucket >= length)


class TextExamples:
    """Tokenized texts that `Batches` takes rows from.

    Args:
        preprocessor: Preprocessor.
        texts: list of str or a tuple of two lists. Tokenized at once.
    """

    def __init__(self, preprocessor, texts):
        self.preprocessor = preprocessor
        self.examples = preprocessor.encode(texts)
        self.buckets = bucket_lengths(preprocessor.max_length)
        self.lengths = np.array([len(example) for example in self.examples], "int64")

    def __len__(self):
        return len(self.examples)

    def take(self, indices, rows):
        """The input dict of some examples, filled up to `rows` rows with padding."""
        chosen = [self.examples[i] for i in indices]
        longest = max((len(example) for example in chosen), default=0)
        return self.preprocessor.pad(chosen, bucket_for(longest, self.buckets), rows)


class ArrayExamples:
    """Ready arrays that `Batches` takes rows from.

    Args:
        arrays: dict of numpy arrays with one first axis.
    """

    def __init__(self, arrays):
        self.arrays = arrays
        self.lengths = np.asarray(arrays["padding_mask"]).astype(bool).sum(axis=-1)

    def __len__(self):
        return len(self.lengths)

    def take(self, indices, rows):
        """The rows of some examples, filled up to `rows` rows with zeros."""
        return {name: fill_rows(array[indices], rows) for name, array in self.arrays.items()}


def fill_rows(array, rows):
    """The array with zeros added along the first axis, up to `rows`."""
    missing = rows - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing > 0 else array


class Batches(keras.utils.PyDataset):
    """Batches `(x, y, sample_weight)` of examples, each of `batch_size` rows.

    The last batch is filled up with rows that hold padding alone and weigh nothing. So that they
    do not thin out the mean loss either, real rows are weighted up: in training so that each
    batch's loss is the mean over its real rows; in evaluation so that the mean over the batches is
    the mean over the examples.

    Args:
        examples: TextExamples or ArrayExamples.
        y: array or nest of arrays with one row for each example, or None.
        sample_weight: as `y`, or None for ones.
        batch_size: int.
        order: str. `"shuffled"` anew in each epoch, `"sorted"` by length within windows, or
            `"given"`.
        training: bool. Which of the two means the weights make.
        seed: int or None. Of the shuffling; None draws one, governed by `keras.utils.set_random_seed`.
    """

    def __init__(self, examples, y, sample_weight, batch_size, order, training, seed=None):
        super().__init__()
        self.examples, self.y, self.sample_weight = examples, y, sample_weight
        self.batch_size, self.order, self.training = batch_size, order, training
        if seed is None:
            seed = random.randrange(2**32)  # keras.utils.set_random_seed governs it
        self._random = np.random.default_rng(seed)
        self.indices = self._indices()

    def _indices(self):
        count = len(self.examples)
        if self.order == "shuffled":
            return self._random.permutation(count)
        indices = np.arange(count)
        if self.order == "sorted":
            window = SORTING_WINDOW * self.batch_size
            parts = [indices[start : start + window] for start in range(0, count, window)]
            sorts = [part[np.argsort(self.examples.lengths[part], kind="stable")] for part in parts]
            indices = np.concatenate(sorts) if sorts else indices
        return indices

    def on_epoch_end(self):
        if self.order == "shuffled":
            self.indices = self._indices()

    def __len__(self):
        return -(-len(self.examples) // self.batch_size)

    def rows(self, batch):
        """The example numbers of a batch's real rows."""
        return self.indices[batch * self.batch_size : (batch + 1) * self.batch_size]

    def __getitem__(self, batch):
        rows = self.rows(batch)
        x = self.examples.take(rows, self.batch_size)
        if self.y is None:
            return (x,)
        y = tree.map_structure(lambda leaf: fill_rows(leaf[rows], self.batch_size), self.y)
        if self.training:
            scale = self.batch_size / len(rows)
        else:
            scale = len(self) * self.batch_size / len(self.examples)
        return x, y, self._weights(rows, scale)

    def _weights(self, rows, scale):
        weights = self.sample_weight
        if weights is None:
            weights = tree.map_structure(lambda leaf: np.ones(len(leaf), "float32"), self.y)
        return tree.map_structure(
            lambda leaf: fill_rows((leaf[rows] * scale).astype("float32"), self.batch_size), weights
        )
