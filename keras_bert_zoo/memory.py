"""Arrays in memory that every backend takes over as it lies."""

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
