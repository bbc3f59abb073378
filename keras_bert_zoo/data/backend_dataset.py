"""Hands batches to the backend's `fit`; with TensorFlow, as a `tf.data.Dataset`."""

import itertools

import keras
import numpy as np


def is_tf_dataset(data):
    """Whether an object is a `tf.data.Dataset`, without importing TensorFlow."""
    return hasattr(data, "as_numpy_iterator") and hasattr(data, "element_spec")


def is_stream(data):
    """Whether an object is a dataset that yields batches: tf.data or PyDataset.

    Raises:
        ValueError: it is a dataset of another kind.
    """
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):
        raise ValueError(
            "A torch DataLoader is not read; pass lists, a keras.utils.PyDataset or a "
            "tf.data.Dataset."
        )
    return is_tf_dataset(data) or isinstance(data, keras.utils.PyDataset)


def for_backend(batches):
    """The form of our batches that the backend's trainer takes.

    Args:
        batches: PyDataset of tuples of numpy arrays, or of dicts of such, that can be iterated.

    Returns:
        The same, or with TensorFlow a `tf.data.Dataset` whose shapes are open: Keras itself would
        fix them by the first two batches, and fail at the first longer one.

    Raises:
        ValueError: there is no batch, or the first one is wrong.
    """
    if keras.backend.backend() != "tensorflow":
        # What is wrong shows here: raised within JAX's `fit`, it would cost the model its weights.
        _first(batches)
        return batches
    return as_tf_dataset(batches)


def as_tf_dataset(batches):
    """A `tf.data.Dataset` over such batches, each epoch in the order of that epoch.

    Raises:
        ValueError: there is no batch.
    """
    import tensorflow as tf

    signature = keras.tree.map_structure(
        lambda leaf: tf.TensorSpec([None] * np.ndim(leaf), np.asarray(leaf).dtype), _first(batches)
    )
    epochs = itertools.count()

    def walk():
        # tf.data stops asking after the last batch, so an epoch's end shows when the next begins.
        if next(epochs):
            batches.on_epoch_end()
        batches.on_epoch_begin()
        yield from batches

    dataset = tf.data.Dataset.from_generator(walk, output_signature=signature)
    if batches.num_batches is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches.num_batches))
    return dataset.prefetch(2)


def _first(batches):
    first = next(iter(batches), None)
    if first is None:
        raise ValueError("The dataset yields no batches.")
    return first
