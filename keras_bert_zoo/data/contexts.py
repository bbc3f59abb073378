"""Questions with their contexts, and the windows that they are run in."""

import dataclasses

import numpy as np

from keras_bert_zoo.tokenizers.packing import PackedText

# Least room for the context, beside the question.
LEAST_ROOM = 8


@dataclasses.dataclass(frozen=True)
class Window:
    """Some tokens of a context in one row.

    Args:
        first, last: int. The tokens `first` to `last - 1` of the context.
        position: int. Where the first of them stands in the row.
    """

    first: int
    last: int
    position: int


@dataclasses.dataclass(frozen=True)
class Contexts:
    """Contexts in windows.

    Args:
        texts: list of str.
        offsets: list of int arrays, each `(T, 2)`. Where the tokens of each context stand in it,
            in characters.
        rows: list of PackedText. `[CLS] question [SEP] window [SEP]`.
        owners: int array. The example of each row.
        windows: list of Window, one a row.
        homes: list of int arrays, each `(T,)`. For each token of a context the row that shows most
            of what stands around it.
    """

    texts: list
    offsets: list
    rows: list
    owners: np.ndarray
    windows: list
    homes: list

    def __len__(self):
        return len(self.texts)

    def rows_of(self, example):
        """The numbers of an example's rows."""
        first, last = np.searchsorted(self.owners, [example, example + 1])
        return range(first, last)


def context_windows(tokenizer, questions, texts, max_length, stride):
    """Questions with the windows of their contexts.

    Args:
        tokenizer: Tokenizer.
        questions, texts: lists of str.
        max_length: int. Longest row.
        stride: int. Tokens that neighbouring windows share; at most half of a window.

    Returns:
        Contexts.

    Raises:
        ValueError: a context is empty, or a question leaves it no room; the message names it.
    """
    special = tokenizer.special_ids
    question_ids = tokenizer.tokenize(questions)
    context_ids, offsets = tokenizer.tokenize_with_offsets(texts)
    rows, owners, windows, homes = [], [], [], []
    for i, (question, context) in enumerate(zip(question_ids, context_ids, strict=True)):
        if not context:
            raise ValueError(f"Item {i}: the context is empty; got {texts[i]!r}.")
        room = max_length - len(question) - 3
        if room < min(LEAST_ROOM, len(context)):
            raise ValueError(
                f"Item {i}: the question has {len(question)} tokens, which leaves {max(room, 0)} "
                f"of {max_length} for the context. Shorten it, or raise max_length."
            )
        home, best = np.zeros(len(context), "int64"), np.full(len(context), -1.0)
        for first, last in token_windows(len(context), room, stride):
            row = [special["cls"], *question, special["sep"]]
            windows.append(Window(first, last, len(row)))
            # Google's `_check_is_max_context`: the longer window wins among equals.
            inside = np.arange(last - first)
            around = np.minimum(inside, inside[::-1]) + 0.01 * (last - first)
            better = around > best[first:last]
            best[first:last][better] = around[better]
            home[first:last][better] = len(rows)
            packed = [*row, *context[first:last], special["sep"]]
            rows.append(PackedText(np.asarray(packed, "int32"), len(row)))
            owners.append(i)
        homes.append(home)
    offsets = [np.asarray(spans, "int64").reshape(-1, 2) for spans in offsets]
    return Contexts(list(texts), offsets, rows, np.asarray(owners, "int64"), windows, homes)


def token_windows(count, room, stride):
    """The windows `(first, last)` over `count` tokens, each of `room` tokens but the last.

    >>> token_windows(10, room=4, stride=1)
    [(0, 4), (3, 7), (6, 10)]
    """
    step = room - min(stride, room // 2)
    last_start = max(0, count - room)
    starts = [*range(0, last_start, step), -(-last_start // step) * step]
    return [(start, min(start + room, count)) for start in starts]
