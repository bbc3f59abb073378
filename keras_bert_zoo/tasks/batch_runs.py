"""A model's outputs for batches; on CPUs in parts that fit in their caches."""

import functools
import itertools
import math

import keras
import numpy as np
from keras import tree

from keras_bert_zoo.data.batching import fill_rows
from keras_bert_zoo.layers.devices import is_cpu

# Most numbers between the two layers of a feed-forward network: 16 MiB in float32.
MOST_NUMBERS = 4 * 2**20
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


def run_in_parts(model, batches, trim):
    """As `run_whole`, faster on CPUs: part by part, and on PyTorch two parts at a time.

    Args:
        model, batches: as there.
        trim: bool. Whether the outputs of a part may be as long as its own longest row.

    Yields:
        as there, for each part of a batch; instead of True whether it is the batch's last.
    """
    run = functools.partial(_run_part, model)
    parts = (part for batch in batches for part in _parts(model, *batch, trim))
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.tasks import torch_lanes

        if torch_lanes.suits(model):
            return torch_lanes.run(run, parts)
    return map(run, parts)


def _parts(model, inputs, numbers, trim):
    """Yields the input dict of some rows, their numbers, and whether they are the batch's last."""
    rows = len(inputs["token_ids"])
    for part in _slices(rows, len(numbers), _most_rows(model, inputs), model.shapes_cost):
        size = part.stop - part.start
        chosen = {name: fill_rows(array[part], size) for name, array in inputs.items()}
        if trim and not model.shapes_cost:
            chosen = _trimmed(chosen)
        yield chosen, numbers[part], part.stop >= len(numbers)


def _most_rows(model, inputs):
    rows, *axes = inputs["token_ids"].shape
    if not is_cpu() or keras.distribution.distribution() is not None:
        return rows
    return max(1, MOST_NUMBERS // (math.prod(axes) * model.config.intermediate_dim))


def _slices(rows, real, most, same_size):
    """Slices of at most so many rows, about alike or of one size, until all real rows are in.

    Those of one size may go beyond the last row.
    """
    if rows <= most:
        return [slice(0, rows)]
    if same_size:
        borders = range(0, rows + most, most)
    else:
        borders = np.linspace(0, rows, -(-rows // most) + 1).astype(int).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(borders) if a < max(real, 1)]


def _trimmed(inputs):
    """The inputs without the columns that hold padding alone."""
    mask = inputs["padding_mask"]
    (real,) = np.nonzero(mask.reshape(-1, mask.shape[-1]).any(axis=0))
    columns = slice(0, real[-1] + 1 if len(real) else 1)
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
