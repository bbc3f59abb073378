"""Checks of numbers and flags that callers pass."""

import numpy as np


def check_count(name, number):
    """Raises ValueError for what is no whole number above 0."""
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not whole or number < 1:
        raise ValueError(f"{name} must be a whole number, at least 1; got {number!r}.")


def check_stride(stride):
    """Raises ValueError for what is no number of tokens."""
    if not isinstance(stride, (int, np.integer)) or isinstance(stride, bool) or stride < 0:
        raise ValueError(f"stride must be a number of tokens, at least 0; got {stride!r}.")


def check_flag(name, flag):
    """The flag as a bool.

    Raises:
        ValueError: it is something else, as an argument at the wrong place is.
    """
    if not isinstance(flag, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {flag!r}.")
    return bool(flag)
