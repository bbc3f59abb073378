"""Rows of one shape, for formats that take no other."""

import numpy as np


def static_sizes(model, batch=1, length=None, choices=4, masks=1):
    """The size of each axis that a model's inputs may have.

    Args:
        model: a task, with a preprocessor.
        batch: int.
        length: int or None. None for the preprocessor's `max_length`.
        choices, masks: int. Where the task has choices, or masks.

    Returns:
        dict of axis to size.

    Raises:
        ValueError: a size is no whole number above 0, or the length is more than `max_length`.
    """
    most = model.preprocessor.max_length
    length = most if length is None else length
    sizes = {"batch": batch, "length": length, "choices": choices, "masks": masks}
    for name, size in sizes.items():
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number, at least 1; got {size!r}.")
    if length > most:
        raise ValueError(f"length is {length}; the task's max_length is {most}.")
    return sizes


def fitted(rows, axes, sizes):
    """Rows cut, or filled up with 0, to sizes.

    Args:
        rows: dict of arrays.
        axes: dict of input name to the names of its axes.
        sizes: dict of axis to size.

    Returns:
        dict of arrays.
    """
    found = {}
    for name, several in axes.items():
        shape = [sizes[axis] for axis in several]
        part = rows[name][tuple(slice(size) for size in shape)]
        lacking = [(0, size - have) for size, have in zip(shape, part.shape, strict=True)]
        found[name] = np.pad(part, lacking)
    return found
