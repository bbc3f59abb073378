"""What callers pass as texts, checked."""

import numpy as np


def split_pairs(texts):
    """The first texts and, for pairs, the second ones.

    Args:
        texts: list of str, or a tuple of two equally long lists.

    Returns:
        tuple of a list of str and a list of str or None.

    Raises:
        ValueError: two bare strings, a single string, or lists of different lengths.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError("A list of texts is a batch; got one text. Write [text].")
    if isinstance(texts, tuple):
        if len(texts) != 2:
            raise ValueError(f"A tuple means pairs: two lists of texts; got {len(texts)} items.")
        if any(isinstance(part, (str, bytes)) for part in texts):
            raise ValueError(
                "A tuple of two texts can be read in two ways: as one pair, written "
                "([first], [second]), or as a batch of two texts, written [first, second]."
            )
        firsts, seconds = check_texts(texts[0]), check_texts(texts[1])
        if len(firsts) != len(seconds):
            raise ValueError(
                f"Pairs need as many second as first texts; got {len(firsts)} and {len(seconds)}."
            )
        return firsts, seconds
    return check_texts(texts), None


def one_or_many(first, second):
    """Whether two arguments are two texts, and both as a pair of lists.

    Args:
        first, second: two texts, or two lists of texts.

    Returns:
        tuple of a bool and a tuple of two lists.

    Raises:
        ValueError: one is a text and the other is not.
    """
    single = isinstance(first, str)
    if single != isinstance(second, str):
        raise ValueError(
            "Pass two texts, or two lists of texts; got "
            f"{type(first).__name__} and {type(second).__name__}."
        )
    return single, (([first], [second]) if single else (first, second))


def check_texts(texts):
    """A list of str from a list, array or series of texts (bytes are read as UTF-8).

    Raises:
        ValueError: an item is no text; the message names it.
    """
    if isinstance(texts, np.ndarray) and texts.ndim != 1:
        raise ValueError(f"A batch of texts has one axis; got the shape {texts.shape}.")
    if isinstance(texts, (str, bytes, dict)) or not hasattr(texts, "__iter__"):
        raise ValueError(f"A batch of texts is a list of str; got {type(texts).__name__}.")
    checked = []
    for i, text in enumerate(texts):
        if isinstance(text, bytes):
            text = text.decode("utf-8", errors="replace")
        if not isinstance(text, str):
            hint = (
                " For pairs pass a tuple of two lists." if isinstance(text, (tuple, list)) else ""
            )
            raise ValueError(f"Item {i} is no text but {type(text).__name__} ({text!r}).{hint}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"Item {i} holds half of a surrogate pair at character {error.start}, which is no "
                "text."
            ) from error
        checked.append(text)
    return checked
