"""Several short examples in one row: less padding where examples of all lengths are mixed."""

import numpy as np

# Shared rows are at least so long: in shorter ones too much would be left over.
_ROW_LENGTH = 128


class ExamplePacking:
    """Lays the examples of a batch side by side in rows, as `Backbone` takes them.

    Args:
        rows_step: int. What the number of rows is a multiple of, so that compiled backends meet
            few shapes.
    """

    def __init__(self, rows_step=1):
        self.rows_step = rows_step

    def __call__(self, inputs):
        """The inputs of a batch, each `(N, M)`, with `packed_rows` and `packed_places`."""
        real = np.asarray(inputs["padding_mask"]) != 0  # (N, M)
        count, width = real.shape
        length = max(width, _ROW_LENGTH)
        rows = best_fit(real.sum(axis=1), length)
        height = max(-(-len(rows) // self.rows_step), 1) * self.rows_step
        packed_rows = np.full((height, length), -1, "int32")
        packed_places = np.full((count, width), -1, "int32")
        for row, examples in enumerate(rows):
            tokens = [example * width + np.flatnonzero(real[example]) for example in examples]
            tokens = np.concatenate(tokens)
            packed_rows[row, : len(tokens)] = tokens
            packed_places.flat[tokens] = row * length + np.arange(len(tokens))
        return {**inputs, "packed_rows": packed_rows, "packed_places": packed_places}


def best_fit(lengths, row_length):
    """Which examples share a row: the longest first, each where it leaves least room.

    Args:
        lengths: list of int, none above `row_length`. Those of 0 have no row.
        row_length: int.

    Returns:
        list of lists of example numbers.

    >>> best_fit([5, 9, 3, 1], 10)
    [[1, 3], [0, 2]]
    """
    rows, room = [], []
    for example in sorted(range(len(lengths)), key=lambda example: -lengths[example]):
        length = int(lengths[example])
        if length:
            fitting = [row for row in range(len(rows)) if room[row] >= length]
            if not fitting:
                rows.append([])
                room.append(row_length)
            row = min(fitting, key=room.__getitem__, default=len(rows) - 1)
            rows[row].append(example)
            room[row] -= length
    return rows
