"""Fills Keras variables on PyTorch with one copy of each array; `Variable.assign` makes two."""

import warnings

import numpy as np
import torch

SHARED = (np.float16, np.float32, np.float64)


def fill(variable, arrays):
    """Gives a variable its value.

    Args:
        variable: Keras variable.
        arrays: list of numpy arrays that make it up, side by side along the last axis.
    """
    with torch.no_grad():
        places = variable.value.chunk(len(arrays), dim=-1) if len(arrays) > 1 else [variable.value]
        for place, array in zip(places, arrays, strict=True):
            place.copy_(_as_tensor(array))


def _as_tensor(array):
    """A tensor over the array's own memory; over a copy where PyTorch lacks its type or strides."""
    array = np.asarray(array)
    if array.dtype not in SHARED or any(s < 0 or s % array.itemsize for s in array.strides):
        array = np.array(array, np.float64, order="C")  # exact for every other type
    with warnings.catch_warnings():  # the tensor is only read
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
