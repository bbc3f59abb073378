"""Questions with their contexts: the windows they are run in, and where answers lie in them."""

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


@dataclasses.dataclass(frozen=True)
class AlignmentReport:
    """What became of the answers that a model is trained on.

    Args:
        answered: int. Examples with an answer that the tokens can express exactly.
        unanswered: int. Examples without an answer.
        widened: tuple of int. Examples whose answer begins or ends within a token, so that whole
            tokens around it are learned.
        misaligned: tuple of int. Examples whose answer is not where they say; left out.
        divided: tuple of int. Examples whose answer no window holds as a whole; left out.
    """

    answered: int
    unanswered: int
    widened: tuple
    misaligned: tuple
    divided: tuple

    def __str__(self):
        return (
            f"{self.answered} answers match tokens, {self.unanswered} examples have none, "
            f"{len(self.widened)} answers were widened to whole tokens, {len(self.misaligned)} are "
            f"not where they say and were left out{_shown(self.misaligned)}, {len(self.divided)} "
            f"are in no window as a whole and were left out{_shown(self.divided)}"
        )


def _shown(numbers, most=5):
    if not numbers:
        return ""
    return f" (items {', '.join(map(str, numbers[:most]))}{', …' if len(numbers) > most else ''})"


def align(answers, contexts):
    """The first and last token of each answer.

    Args:
        answers: list of `(text, start)`, start None where it is not known, or None for no answer.
        contexts: Contexts.

    Returns:
        tuple of an int array `(N, 2)`, -1 for no answer and -2 for one to be left out, and an
        AlignmentReport.

    Raises:
        ValueError: an answer is not in its context; the message names the item.
    """
    spans = np.full((len(answers), 2), -1)
    widened, misaligned, divided, exact = [], [], [], 0
    for i, answer in enumerate(answers):
        if answer is None:
            continue
        text, start = answer
        context, offsets = contexts.texts[i], contexts.offsets[i]
        if text not in context:
            raise ValueError(
                f"y[{i}]: the answer {text!r} is not in its context. Answers are spans of the "
                "context; for a question without an answer pass None."
            )
        start = context.find(text) if start is None else int(start)
        end = start + len(text)
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
        if start < 0 or context[start:end] != text or not len(inside):
            misaligned.append(i)
            spans[i] = -2
            continue
        windows = [contexts.windows[row] for row in contexts.rows_of(i)]
        if not any(w.first <= inside[0] and inside[-1] < w.last for w in windows):
            divided.append(i)
            spans[i] = -2
            continue
        spans[i] = inside[0], inside[-1]
        if offsets[inside[0], 0] < start or offsets[inside[-1], 1] > end:
            widened.append(i)
        else:
            exact += 1
    report = AlignmentReport(
        exact,
        int((spans[:, 0] == -1).sum()),
        tuple(widened),
        tuple(misaligned),
        tuple(divided),
    )
    return spans, report


def span_labels(spans, contexts):
    """Where the answer begins and ends in each row; 0, the `[CLS]`, in rows that lack it.

    Args:
        spans: int array, `(N, 2)`. What `align` gave.
        contexts: Contexts.

    Returns:
        tuple of two int32 arrays, each `(rows,)`.
    """
    labels = np.zeros((2, len(contexts.rows)), "int32")
    for row, (owner, window) in enumerate(zip(contexts.owners, contexts.windows, strict=True)):
        first, last = spans[owner]
        if window.first <= first and last < window.last:
            labels[:, row] = np.array([first, last]) - window.first + window.position
    return labels[0], labels[1]


def position_labels(y, shape):
    """Labels for id arrays.

    Args:
        y: dict of `start` and `end`, int arrays `(N,)`. Positions in the rows.
        shape: `(N, L)`, that of the ids.

    Returns:
        dict of int32 arrays, `(N,)`.

    Raises:
        ValueError: another form, or a position outside the rows.
    """
    if not isinstance(y, dict) or set(y) != {"start", "end"}:
        raise ValueError("With id arrays y must be a dict of start and end, positions in the rows.")
    labels = {name: np.asarray(values) for name, values in y.items()}
    for name, values in labels.items():
        fits = values.shape == shape[:1] and values.dtype.kind in "iu"
        if not fits or values.min(initial=0) < 0 or values.max(initial=0) >= shape[1]:
            raise ValueError(
                f"y[{name!r}] must hold {shape[0]} positions from 0 to {shape[1] - 1}; got "
                f"{values!r}."
            )
    return {name: values.astype("int32") for name, values in labels.items()}
