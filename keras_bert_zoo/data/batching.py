"""Batches of one size and a few lengths, so that compiled backends re-use their programs."""

import copy
import random

import keras
import numpy as np
from keras import tree

from keras_bert_zoo.data.lengths import bucket_for, bucket_lengths

# In training examples are sorted by length within windows of this many batches.
GROUPING_WINDOW = 8

# Rows of the one batch of a few examples, where each number of rows costs a compilation.
_FEW_ROWS = (1, 8)


class TextExamples:
    """Packed texts that `Batches` takes rows from.

    Args:
        preprocessor: Preprocessor. Pads.
        examples: list of PackedText.
        compiled: bool. Whether each new length costs a compilation, so that they should be few.
        segments: bool. Whether the encoder knows a second segment; if not, all tokens are of the
            first.
        owners: int array or None. The caller's example that each row comes from, rising, where one
            may have several rows.
        count: int or None. How many examples those are.
        source: what the task that made the rows wants to find again.
    """

    def __init__(
        self,
        preprocessor,
        examples,
        compiled=True,
        segments=True,
        owners=None,
        count=None,
        source=None,
    ):
        self.owners = np.arange(len(examples)) if owners is None else owners
        self.count = len(examples) if count is None else count
        self.source = source
        self.preprocessor = preprocessor
        self.examples = examples
        self.segments = segments
        longest = preprocessor.max_length
        self.buckets = bucket_lengths(longest) if compiled else range(1, longest + 1)
        self.lengths = np.array([len(example) for example in examples], "int64")

    def __len__(self):
        return len(self.examples)

    def part(self, where):
        """Some of the rows.

        Args:
            where: slice.
        """
        part = copy.copy(self)
        part.examples, part.lengths = self.examples[where], self.lengths[where]
        part.owners = self.owners[where]
        return part

    def take(self, indices, rows):
        """The input dict of some rows, filled up to `rows` rows with padding."""
        chosen = [self.examples[i] for i in indices]
        longest = max((len(example) for example in chosen), default=0)
        batch = self.preprocessor.pad(chosen, bucket_for(longest, self.buckets), rows)
        if not self.segments:
            batch["segment_ids"] = np.zeros_like(batch["segment_ids"])
        return batch

    def batch(self, indices, rows):
        """As `Labelled.batch`, without labels."""
        return (self.take(indices, rows),)


class ArrayExamples:
    """Ready arrays that `Batches` takes rows from.

    Args:
        arrays: dict of numpy arrays with one first axis.
    """

    # They stay as long as they are.
    buckets = None

    def __init__(self, arrays):
        self.arrays = arrays
        mask = np.asarray(arrays["padding_mask"]).astype(bool)
        self.lengths = mask.sum(axis=tuple(range(1, mask.ndim)))
        self.count = len(mask)
        self.owners = np.arange(self.count)

    def __len__(self):
        return len(self.lengths)

    def part(self, where):
        """Some of the rows.

        Args:
            where: slice.
        """
        return ArrayExamples({name: array[where] for name, array in self.arrays.items()})

    def take(self, indices, rows):
        """The input dict of some rows, filled up to `rows` rows with zeros."""
        return {name: fill_rows(array[indices], rows) for name, array in self.arrays.items()}

    def batch(self, indices, rows):
        """As `Labelled.batch`, without labels."""
        return (self.take(indices, rows),)


class Labelled:
    """Examples with their labels.

    Args:
        examples: what `Batches` takes rows from.
        y: array, PositionValues, or a dict of such, with one item for each row.
        sample_weight: as `y`, or None for ones.
    """

    def __init__(self, examples, y, sample_weight=None):
        if sample_weight is None:
            sample_weight = tree.map_structure(lambda leaf: np.ones(len(leaf), "float32"), y)
        self.examples, self.y, self.sample_weight = examples, y, sample_weight
        self.lengths = examples.lengths

    def __len__(self):
        return len(self.examples)

    def part(self, where):
        """Some of the rows.

        Args:
            where: slice.
        """
        y, sample_weight = tree.map_structure(
            lambda leaf: leaf[where], (self.y, self.sample_weight)
        )
        return Labelled(self.examples.part(where), y, sample_weight)

    def batch(self, indices, rows):
        """Some rows as `(x, y, sample_weight)`, filled up to `rows` rows that weigh nothing."""
        x = self.examples.take(indices, rows)

        def taken(leaf):
            if isinstance(leaf, PositionValues):
                return leaf.padded(indices, rows, x["token_ids"].shape[-1])
            return fill_rows(leaf[indices], rows)

        y, sample_weight = tree.map_structure(taken, (self.y, self.sample_weight))
        return x, y, sample_weight


class PositionValues:
    """One value a token, for rows of different lengths.

    Args:
        rows: list of arrays, each `(length,)`.
        dtype: str.
    """

    def __init__(self, rows, dtype):
        self.rows, self.dtype = rows, dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, where):
        return PositionValues(self.rows[where], self.dtype)

    def padded(self, indices, rows, length):
        """Some rows as an array `(rows, length)`, with zeros at the end of each."""
        array = np.zeros((rows, length), self.dtype)
        for row, index in enumerate(indices):
            values = self.rows[index]
            array[row, : len(values)] = values
        return array


def fill_rows(array, rows):
    """The array with zeros added along the first axis, up to `rows`."""
    missing = rows - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing > 0 else array


class Batches(keras.utils.PyDataset):
    """Batches of examples, each of `batch_size` rows: `(x,)`, or `(x, y, sample_weight)`.

    The last batch is filled up with rows that hold padding alone and weigh nothing: to the size of
    the others, or, where it is the only one, to the next of a few sizes.

    Args:
        examples: TextExamples, ArrayExamples, Labelled, or what else has their methods.
        batch_size: int.
        order: str. `"shuffled"` anew in each epoch, with examples of like length in a batch;
            `"sorted"` by length, the longest first; or `"given"`.
        seed: int or None. Of the shuffling; None draws one, which `keras.utils.set_random_seed`
            governs.
        fill: bool. False leaves the last batch smaller, where a new shape costs no compilation.
        packing: ExamplePacking or None. Lays the examples of a batch side by side; those that are
            shuffled are then of all lengths.

    Raises:
        ValueError: the batch size is no number of rows.
    """

    def __init__(self, examples, batch_size, order, seed=None, fill=True, packing=None):
        super().__init__()
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got {batch_size!r}.")
        self.examples = examples
        self.batch_size, self.order, self.fill = int(batch_size), order, fill
        self.packing = packing
        if seed is None:
            seed = random.randrange(2**32)
        self._random = np.random.default_rng(seed)
        self.indices = self._indices()

    def _indices(self):
        count = len(self.examples)
        if self.order == "shuffled":
            return self._shuffled(self._random.permutation(count))
        if self.order == "sorted":
            return self._sorted(np.arange(count))
        return np.arange(count)

    def _shuffled(self, indices):
        """A random order whose batches hold like lengths and themselves come in random order."""
        if self.packing is not None:
            return indices
        whole = len(indices) // self.batch_size * self.batch_size
        grouped, window = indices[:whole], GROUPING_WINDOW * self.batch_size
        groups = [self._sorted(grouped[a : a + window]) for a in range(0, whole, window)]
        batches = np.concatenate([indices[:0], *groups]).reshape(-1, self.batch_size)
        self._random.shuffle(batches)
        return np.concatenate([batches.ravel(), indices[whole:]])

    def _sorted(self, indices):
        """The indices with the longest examples first."""
        return indices[np.argsort(-self.examples.lengths[indices], kind="stable")]

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
        x, *labels = self.examples.batch(rows, self._filled_size if self.fill else len(rows))
        return (x if self.packing is None else self.packing(x), *labels)

    @property
    def _filled_size(self):
        enough = (rows for rows in _FEW_ROWS if len(self.examples) <= rows < self.batch_size)
        return next(enough, self.batch_size)

    def __iter__(self):
        """The batches of one epoch."""
        return (self[batch] for batch in range(len(self)))
