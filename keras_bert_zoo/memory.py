"""Arrays in memory that every backend takes over as it lies."""

import os

import numpy as np

ALIGNMENT = 64  # bytes: XLA and TensorFlow copy what lies otherwise


def empty(shape, dtype):
    """An array of whatever lies in memory.

    No page is allocated before it is written to. Where Linux has huge pages on demand, large arrays
    lie in such, since numpy asks for them: that spares most of the time that fresh pages take.

    Args:
        shape: tuple of ints.
        dtype: str. A float type of numpy's.

    Returns:
        numpy array, in C order.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def is_mapped(array):
    """Whether an array lies in pages of a file that are this process's own once written to.

    Not on Windows, where a file that is mapped cannot be replaced.

    Args:
        array: numpy array. Itself a `numpy.memmap` of mode `"c"`, or a view of one.
    """
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return array.mode == "c" and os.name != "nt"
        array = array.base
    return False
