"""Batches of one size and a few lengths, so that compiled backends re-use their programs."""

import copy
import random

import keras
import numpy as np
from keras import tree

# Bucket lengths as fractions of the longest: six, so at most six programs are compiled.
_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)

# `Batches` sorts by length within windows of this many batches, in evaluation and in training.
SORTING_WINDOW = 64
GROUPING_WINDOW = 8

# What lengths are rounded up to where a new length costs no compilation.
_STEP = 8


def bucket_lengths(max_length):
    """The lengths that rows are padded to, at most six, the last one `max_length`.

    >>> bucket_lengths(128)
    (8, 16, 32, 64, 96, 128)
    """
    rounded = {min(max_length, max(8, -(-int(max_length * f) // 8) * 8)) for f in _FRACTIONS}
    return tuple(sorted(rounded))


def fine_lengths(max_length):
    """The lengths that rows are padded to where nothing is compiled: every multiple of 8.

    >>> fine_lengths(30)
    (8, 16, 24, 30)
    """
    return (*range(_STEP, max_length, _STEP), max_length)


def bucket_for(length, buckets):
    """The smallest bucket that holds a row of `length` tokens."""
    return next(bucket for bucket in buckets if bucket >= length)


class TextExamples:
    """Tokenized texts that `Batches` takes rows from.

    Args:
        preprocessor: Preprocessor.
        texts: list of str or a tuple of two lists. Tokenized at once.
        compiled: bool. Whether each new length costs a compilation, so that they should be few.
        segments: bool. Whether the encoder knows a second segment; if not, all tokens are of the
            first.
    """

    def __init__(self, preprocessor, texts, compiled=True, segments=True):
        self.preprocessor = preprocessor
        self.segments = segments
        self.examples = preprocessor.encode(texts)
        lengths = bucket_lengths if compiled else fine_lengths
        self.buckets = lengths(preprocessor.max_length)
        self.lengths = np.array([len(example) for example in self.examples], "int64")

    def __len__(self):
        return len(self.examples)

    def part(self, where):
        """Some of the examples.

        Args:
            where: slice.
        """
        part = copy.copy(self)
        part.examples, part.lengths = self.examples[where], self.lengths[where]
        return part

    def take(self, indices, rows):
        """The input dict of some examples, filled up to `rows` rows with padding."""
        chosen = [self.examples[i] for i in indices]
        longest = max((len(example) for example in chosen), default=0)
        batch = self.preprocessor.pad(chosen, bucket_for(longest, self.buckets), rows)
        if not self.segments:
            batch["segment_ids"] = np.zeros_like(batch["segment_ids"])
        return batch


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

    def part(self, where):
        """Some of the examples.

        Args:
            where: slice.
        """
        return ArrayExamples({name: array[where] for name, array in self.arrays.items()})

    def take(self, indices, rows):
        """The rows of some examples, filled up to `rows` rows with zeros."""
        return {name: fill_rows(array[indices], rows) for name, array in self.arrays.items()}


def fill_rows(array, rows):
    """The array with zeros added along the first axis, up to `rows`."""
    missing = rows - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing > 0 else array


class Batches(keras.utils.PyDataset):
    """Batches `(x, y, sample_weight)` of examples, each of `batch_size` rows.

    The last batch is filled up with rows that hold padding alone and weigh nothing.

    Args:
        examples: TextExamples or ArrayExamples.
        y: array or nest of arrays with one row for each example, or None.
        sample_weight: as `y`, or None for ones.
        batch_size: int.
        order: str. `"shuffled"` anew in each epoch, with examples of like length in a batch;
            `"sorted"` by length within windows; or `"given"`.
        seed: int or None. Of the shuffling; None draws one, which `keras.utils.set_random_seed`
            governs.

    Raises:
        ValueError: the batch size is no number of rows.
    """

    def __init__(self, examples, y, sample_weight, batch_size, order, seed=None):
        super().__init__()
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got {batch_size!r}.")
        self.examples, self.y, self.sample_weight = examples, y, sample_weight
        self.batch_size, self.order = int(batch_size), order
        if seed is None:
            seed = random.randrange(2**32)
        self._random = np.random.default_rng(seed)
        self.indices = self._indices()

    def _indices(self):
        count = len(self.examples)
        if self.order == "shuffled":
            return self._shuffled(self._random.permutation(count))
        if self.order == "sorted":
            return self._sorted(np.arange(count), SORTING_WINDOW)
        return np.arange(count)

    def _shuffled(self, indices):
        """A random order whose batches hold like lengths and themselves come in random order."""
        whole = len(indices) // self.batch_size * self.batch_size
        batches = self._sorted(indices[:whole], GROUPING_WINDOW).reshape(-1, self.batch_size)
        self._random.shuffle(batches)
        return np.concatenate([batches.ravel(), indices[whole:]])

    def _sorted(self, indices, batches):
        """The order sorted by length within windows of a number of batches."""
        window = batches * self.batch_size
        parts = [indices[start : start + window] for start in range(0, len(indices), window)]
        sorts = [part[np.argsort(self.examples.lengths[part], kind="stable")] for part in parts]
        return np.concatenate([indices[:0], *sorts])

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
        weights = self.sample_weight
        if weights is None:
            weights = tree.map_structure(lambda leaf: np.ones(len(leaf), "float32"), self.y)

        def taken(nest):
            return tree.map_structure(lambda leaf: fill_rows(leaf[rows], self.batch_size), nest)

        return x, taken(self.y), taken(weights)

    def __iter__(self):
        """The batches of one epoch."""
        return (self[batch] for batch in range(len(self)))
