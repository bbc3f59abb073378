"""A model's outputs for batches; on CPUs in parts that fit in their caches."""

import functools
import math

import keras
import numpy as np
from keras import tree

from keras_bert_zoo.data.batching import fill_rows
from keras_bert_zoo.data.lengths import bucket_for
from keras_bert_zoo.layers.devices import MOST_NUMBERS, is_cpu

# Inputs with a column for each token.
_BY_TOKEN = ("token_ids", "segment_ids", "padding_mask")


def run_whole(model, batches):
    """The outputs for each batch, one after the other.

    Args:
        model: TextModel.
        batches: iterable of pairs: an input dict, and the numbers of its rows; rows that have none
            only fill up the batch.

    Yields:
        the numbers of a batch's rows, int array; their output, nest of numpy arrays; and True.
    """
    return map(functools.partial(_run_part, model), ((*batch, True) for batch in batches))


def run_in_parts(model, batches, lengths):
    """As `run_whole`, faster on CPUs: part by part, and on PyTorch two parts at a time.

    Args:
        model, batches: as there.
        lengths: rising ints or None. How long the outputs of a part may be, where that need not be
            as long as its batch.

    Yields:
        as there, for each part of a batch; instead of True whether it is the batch's last.
    """
    run = functools.partial(_run_part, model)
    parts = (part for batch in batches for part in _parts(model, *batch, lengths))
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.tasks import torch_lanes

        if torch_lanes.suits(model):
            return torch_lanes.run(run, parts)
    return map(run, parts)


def _parts(model, inputs, numbers, lengths):
    """Yields the input dict of some rows, their numbers, and whether they are the batch's last."""
    rows, stop = len(inputs["token_ids"]), 0
    while stop < max(len(numbers), 1):
        start, left = stop, rows - stop
        rest = _trimmed(_some(inputs, slice(start, rows)), lengths)
        most = min(_most_rows(model, rest), rows)
        if model.shapes_cost:  # one number of rows for each length
            stop = start + most
            part = {name: fill_rows(array[:most], most) for name, array in rest.items()}
        else:  # parts about alike, each as long as it must be
            stop = start + -(-left // -(-left // most))
            part = _trimmed(_some(rest, slice(stop - start)), lengths)
        yield part, numbers[start:stop], stop >= len(numbers)


def _most_rows(model, inputs):
    """So many rows that what lies between the layers of a feed-forward network is no larger."""
    rows, *axes = inputs["token_ids"].shape
    if not is_cpu() or keras.distribution.distribution() is not None:
        return rows
    return max(1, MOST_NUMBERS // (math.prod(axes) * model.config.intermediate_dim))


def _some(inputs, rows):
    return {name: array[rows] for name, array in inputs.items()}


def _trimmed(inputs, lengths):
    """The inputs as long as the shortest of some lengths that holds all real tokens."""
    if lengths is None:
        return inputs
    mask = inputs["padding_mask"]
    (real,) = np.nonzero(mask.reshape(-1, mask.shape[-1]).any(axis=0))
    columns = slice(bucket_for(real[-1] + 1 if len(real) else 1, lengths))
    return {
        name: array[..., columns] if name in _BY_TOKEN else array for name, array in inputs.items()
    }


def _run_part(model, part):
    inputs, numbers, is_last = part
    real = slice(len(numbers))
    output = model.predict_on_batch(inputs)
    return numbers, tree.map_structure(lambda leaf: _plain(leaf)[real], output), is_last


def _plain(output):
    """An output as numpy; bfloat16, which few numpy routines know, as float32."""
    array = np.asarray(output)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
