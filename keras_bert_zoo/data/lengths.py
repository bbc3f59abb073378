"""The lengths that rows are padded to: few, since each costs a compiled program."""

import numpy as np

# Bucket lengths as fractions of the longest: six, so at most six programs are compiled.
_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)

# Tokens of padding that other lengths must spare. A model of MiniLM's size runs over as many in the
# time that two or three programs take to compile.
_WORTH_COMPILING = 8192


def bucket_lengths(max_length):
    """The lengths that rows are padded to, at most six, the last one `max_length`.

    >>> bucket_lengths(128)
    (8, 16, 32, 64, 96, 128)
    """
    rounded = {min(max_length, max(8, -(-int(max_length * f) // 8) * 8)) for f in _FRACTIONS}
    return tuple(sorted(rounded))


def fitted_lengths(lengths, buckets):
    """Lengths that pad given rows the least, at most as many as `buckets`.

    Args:
        lengths: int array. How long the rows are.
        buckets: rising ints, the last one no less than any row.

    Returns:
        rising ints, the last one no less than any row; `buckets` itself where others would spare
        too little.

    >>> fitted_lengths(np.array([9, 10, 23] * 1000), (32, 64, 128))
    (16, 24)
    """
    padded = np.asarray(buckets)[np.searchsorted(buckets, lengths)].sum()
    if padded - lengths.sum() < _WORTH_COMPILING:
        return buckets
    in_eights = np.minimum(np.maximum(-(-lengths // 8), 1) * 8, buckets[-1])
    steps, rows = np.unique(in_eights, return_counts=True)
    rows = np.cumsum(rows)  # no longer than each step
    # For the rows up to each step the least sum of their lengths, by one length, two, and so on;
    # and which shorter length that goes with.
    least, shorter = [steps * rows], []
    # A column for each step, a row for each shorter one.
    between = np.where(rows > rows[:, None], steps * (rows - rows[:, None]), np.inf)
    for _ in buckets[1:]:
        sums = least[-1][:, None] + between
        shorter.append(sums.argmin(axis=0))
        least.append(sums.min(axis=0))
    count = int(np.argmin([sums[-1] for sums in least]))
    if padded - least[count][-1] < _WORTH_COMPILING:
        return buckets
    chosen = [len(steps) - 1]
    for found in reversed(shorter[:count]):
        chosen.append(found[chosen[-1]])
    return tuple(int(steps[step]) for step in reversed(chosen))


def bucket_for(length, buckets):
    """The smallest bucket that holds a row of `length` tokens."""
    return next(bucket for bucket in buckets if bucket >= length)
