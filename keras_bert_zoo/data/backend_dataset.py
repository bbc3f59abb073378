"""Hands batches to the backend's `fit`; with TensorFlow, as a `tf.data.Dataset`."""

import keras
import numpy as np


def is_tf_dataset(data):
    """Whether an object is a `tf.data.Dataset`, without importing TensorFlow."""
    return hasattr(data, "as_numpy_iterator") and hasattr(data, "element_spec")


def is_stream(data):
    """Whether an object is a dataset that yields batches: tf.data, PyDataset or a DataLoader."""
    if is_tf_dataset(data) or isinstance(data, keras.utils.PyDataset):
        return True
    return hasattr(data, "batch_size") and hasattr(data, "dataset") and hasattr(data, "__len__")


def for_backend(batches):
    """The form of our batches that the backend's trainer takes.

    Args:
        batches: PyDataset of tuples of numpy arrays, or of dicts of such.

    Returns:
        The same, or with TensorFlow a `tf.data.Dataset` whose shapes are open: Keras itself would
        fix them by the first two batches, and fail at the first longer one.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    return as_tf_dataset(batches, len(batches))


def as_tf_dataset(batches, cardinality=None):
    """A `tf.data.Dataset` over re-iterable batches, each epoch in the order of that epoch.

    Args:
        batches: PyDataset, or iterable that may be walked again.
        cardinality: int or None. Number of batches, where it is known.
    """
    import tensorflow as tf

    first = next(iter(_walk(batches)))
    signature = keras.tree.map_structure(
        lambda leaf: tf.TensorSpec([None] * np.ndim(leaf), np.asarray(leaf).dtype), first
    )
    dataset = tf.data.Dataset.from_generator(lambda: _walk(batches), output_signature=signature)
    if cardinality is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    return dataset.prefetch(2)


def _walk(batches):
    if isinstance(batches, keras.utils.PyDataset):
        batches.on_epoch_end()
        for i in range(len(batches)):
            yield batches[i]
    else:
        yield from batches
