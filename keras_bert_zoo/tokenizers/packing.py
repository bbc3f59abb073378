"""From the ids of one or two texts to rows of the model: truncation, special tokens, padding."""

import dataclasses

import numpy as np

TRUNCATIONS = ("longest_first", "only_first", "only_second")


@dataclasses.dataclass(frozen=True)
class PackedText:
    """One example, ready to be padded.

    Args:
        token_ids: int32 array, `(length,)`. `[CLS] first [SEP]`, for pairs
            `[CLS] first [SEP] second [SEP]`.
        first_length: int. How many of them belong to segment 0.
    """

    token_ids: np.ndarray
    first_length: int

    def __len__(self):
        return len(self.token_ids)


def truncated_lengths(first, second, room, strategy):
    """How many tokens of each text to keep.

    Args:
        first: int. Tokens of the first text.
        second: int or None. Tokens of the second text; None for a single text.
        room: int. Tokens that fit.
        strategy: str. `"longest_first"` keeps the shorter text whole where it fits in half of the
            room, else cuts both to halves, the odd token going to the longer; `"only_first"` and
            `"only_second"` cut one text and keep the other whole. Where there is no room at all,
            each empties both.

    Returns:
        tuple of the two lengths.

    Raises:
        ValueError: the text to be cut is too short, or there is no second text.

    Source: the Rust library's `truncate_encodings`; an older release of transformers' Python code
    cut token by token, with another result.
    """
    excess = first + (second or 0) - room
    if excess <= 0:
        return first, second
    if room < 0:
        raise ValueError("there is no room for the special tokens.")
    if room == 0:
        return 0, None if second is None else 0
    if strategy == "only_second" and second is None:
        raise ValueError('truncation="only_second" needs a second text.')
    if strategy == "longest_first":
        if second is None:
            return room, None
        shorter, longer = sorted((first, second))
        if 2 * shorter <= room:
            shorter, longer = shorter, room - shorter
        else:
            shorter, longer = room // 2, room - room // 2
        return (longer, shorter) if first > second else (shorter, longer)
    length = first if strategy == "only_first" else second
    if length <= excess:
        raise ValueError(
            f'truncation="{strategy}" would have to cut {excess} tokens from a text of {length}.'
        )
    return (first - excess, second) if strategy == "only_first" else (first, second - excess)


def pack(first, second, max_length, strategy, cls_id, sep_id):
    """One example from the ids of its texts.

    Args:
        first: list of int.
        second: list of int or None.
        max_length: int. Longest row, special tokens included.
        strategy: str. See `truncated_lengths`.
        cls_id, sep_id: int.

    Returns:
        PackedText.
    """
    specials = 2 if second is None else 3
    keep_first, keep_second = truncated_lengths(
        len(first), None if second is None else len(second), max_length - specials, strategy
    )
    row = [cls_id, *first[:keep_first], sep_id]
    first_length = len(row)
    if second is not None:
        row += [*second[:keep_second], sep_id]
    return PackedText(np.asarray(row, "int32"), first_length)


def pad_rows(examples, length, pad_id, rows=None):
    """Rows of one length from examples.

    Args:
        examples: list of PackedText.
        length: int. L; no example may be longer.
        pad_id: int.
        rows: int or None. B; rows beyond the examples hold padding alone. Defaults to the number
            of examples.

    Returns:
        dict of int32 arrays, each `(B, L)`: `token_ids`, `segment_ids` (1 in the second text) and
        `padding_mask` (1 at real tokens).
    """
    shape = (len(examples) if rows is None else rows, length)
    token_ids = np.full(shape, pad_id, "int32")
    segment_ids = np.zeros(shape, "int32")
    padding_mask = np.zeros(shape, "int32")
    for row, example in enumerate(examples):
        token_ids[row, : len(example)] = example.token_ids
        segment_ids[row, example.first_length : len(example)] = 1
        padding_mask[row, : len(example)] = 1
    return {"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask}
