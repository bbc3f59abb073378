"""Fills Keras variables with arrays of files: with one copy of each, or none."""

import concurrent.futures
import itertools
import os

import keras
import numpy as np

from keras_bert_zoo import memory

# The type in which a variable's value is gathered: its own, which can be taken over as it lies; of
# bfloat16, which numpy lacks, float32. Any other type's numbers are exact in float64.
GATHERED_IN = {"float16": "float16", "float32": "float32", "bfloat16": "float32"}
THREADS = min(8, os.cpu_count() or 1)
STRIPE = 32  # rows that are turned at a time: as many float32 as two lines of the cache hold


def fill(values):
    """Gives variables their values.

    An array that lies in a mapped file (`memory.is_mapped`) becomes the variable's own memory where
    the backend takes it as it lies: nothing is read before it is used. PyTorch takes turned
    matrices too; see `training.torch_steps.lay_in_order`. Of all others nothing is kept. Several
    threads copy, as the first touch of fresh memory takes longer than the copy itself. Of what is
    copied twice, as bfloat16 is, and weights that go to a GPU, a few lie in memory at a time.

    Args:
        values: iterable of pairs of a Keras variable and a list of numpy arrays that make it up,
            side by side along the last axis. Each array is for one variable, once.
    """
    values = iter(values)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        while some := list(itertools.islice(values, 4 * THREADS)):
            copies = []
            for variable, arrays in some:
                if _can_be_kept(variable, arrays):
                    _hand_over(variable, *arrays)
                else:
                    copies.append((variable, pool.submit(_copied, variable, arrays)))
            for variable, copy in copies:
                _hand_over(variable, copy.result())


def _copied(variable, arrays):
    """A variable's value as one array of its own.

    On PyTorch turned matrices stay turned, as those do that lie in a file.
    """
    shape, dtype = tuple(variable.shape), _gathered_in(variable)
    if keras.backend.backend() == "torch" and all(map(_is_turned, arrays)):
        whole = memory.empty(shape[::-1], dtype).T
    else:
        whole = memory.empty(shape, dtype)
    places = [whole] if len(arrays) == 1 else np.split(whole, len(arrays), axis=-1)
    for place, array in zip(places, arrays, strict=True):
        _copy(np.asarray(array), place)
    return whole


def _is_turned(array):
    return array.ndim == 2 and abs(array.strides[0]) < abs(array.strides[1])


def _gathered_in(variable):
    return GATHERED_IN.get(variable.dtype, "float64")


def _can_be_kept(variable, arrays):
    """Whether one array lies in a file, and as the backend takes it over."""
    array, *others = arrays
    if others or array.dtype != _gathered_in(variable) or not memory.is_mapped(array):
        return False
    as_made = array.flags.c_contiguous and array.ctypes.data % memory.ALIGNMENT == 0
    return as_made or keras.backend.backend() == "torch"


def _copy(array, place):
    """Copies an array; a matrix that lies turned, and shall not, in stripes."""
    if _is_turned(array) and not _is_turned(place):
        for start in range(0, array.shape[1], STRIPE):
            place[:, start : start + STRIPE] = array[:, start : start + STRIPE]
    else:
        place[...] = array


def _hand_over(variable, array):
    """Makes an array, which nothing else holds, the variable's own memory where that can be."""
    backend, place = keras.backend.backend(), variable.value
    if backend == "torch" and place.device.type == "cpu" and variable.dtype == array.dtype.name:
        import torch

        place.data = torch.from_numpy(array)
        return
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.executing_eagerly():
            array = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    variable.assign(array)
