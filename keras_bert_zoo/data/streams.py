"""Datasets of texts (tf.data, PyDataset) as re-iterable streams of ready batches."""

import itertools
import threading

import keras
import numpy as np

from keras_bert_zoo.data.backend_dataset import is_tf_dataset


class Stream(keras.utils.PyDataset):
    """Walks a dataset of batches and prepares each.

    Args:
        data: `tf.data.Dataset` or `keras.utils.PyDataset` that yields `x`, `(x, y)` or
            `(x, y, sample_weight)`; `x` a batch of texts, a pair of such, or a dict of id arrays.
        prepare: callable `(x, y, sample_weight, rows) -> tuple`. `rows` is a callable: given the
            rows of this batch, it tells those of the largest so far, which it is to be filled up
            to.
    """

    def __init__(self, data, prepare):
        super().__init__()
        self.data, self.prepare = data, prepare
        self._rows = 0
        self._lock = threading.Lock()

    @property
    def num_batches(self):
        """Batches of an epoch; None where that is not known."""
        if not is_tf_dataset(self.data):
            return self.data.num_batches
        known = int(self.data.cardinality())
        return known if known >= 0 else None

    def __getitem__(self, batch):
        return self._prepared(self.data[batch])

    def on_epoch_begin(self):
        if not is_tf_dataset(self.data):
            self.data.on_epoch_begin()

    def on_epoch_end(self):
        if not is_tf_dataset(self.data):
            self.data.on_epoch_end()

    def __iter__(self):
        """The batches of one epoch."""
        if is_tf_dataset(self.data):
            return map(self._prepared, self.data.as_numpy_iterator())
        count = self.num_batches
        return map(self.__getitem__, itertools.count() if count is None else range(count))

    def _prepared(self, element):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element)
        return self.prepare(as_texts(x), y, sample_weight, self._most_rows)

    def _most_rows(self, rows):
        with self._lock:
            self._rows = max(self._rows, rows)
            return self._rows


def as_texts(x):
    """A batch of a dataset in the form that lists of texts have: lists, not arrays of bytes.

    Raises:
        ValueError: the dataset is not batched.
    """
    if isinstance(x, dict):
        x = {name: np.asarray(value) for name, value in x.items() if value is not None}
        single = any(np.ndim(value) < 2 for value in x.values())
    elif isinstance(x, tuple):
        single = any(isinstance(p, (str, bytes)) or not hasattr(p, "__len__") for p in x)
        x = x if single else tuple(as_texts(part) for part in x)
    elif isinstance(x, list):
        single = not x
    else:
        single = isinstance(x, (str, bytes)) or np.ndim(x) == 0
        x = x if single else list(np.asarray(x, dtype=object))
    if single:
        raise ValueError("The dataset yields single examples; batch it first: dataset.batch(32).")
    return x
