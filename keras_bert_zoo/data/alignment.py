"""Where answers lie in their contexts: the labels that a reader learns from."""

import dataclasses

import numpy as np

from keras_bert_zoo.data.answers import read_answer


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


def answer_labels(y, contexts, no_answer):
    """Labels for each row, and for each example whether its answer can be used.

    Args:
        y: list of answers; see `answers.read_answer`.
        contexts: Contexts.
        no_answer: bool. Whether a context may hold none.

    Returns:
        tuple of two int32 arrays, `(rows,)`, a float32 array, `(N,)`, and an AlignmentReport.

    Raises:
        ValueError: answers and contexts do not match, or an answer is missing.
    """
    if len(y) != len(contexts):
        raise ValueError(f"There are {len(contexts)} examples but {len(y)} labels.")
    answers = [read_answer(answer, f"y[{i}]") for i, answer in enumerate(y)]
    lacking = [i for i, answer in enumerate(answers) if answer is None]
    if lacking and not no_answer:
        raise ValueError(
            f"y[{lacking[0]}] has no answer. Make the model with no_answer=True to learn that "
            "a context may hold none."
        )
    spans, report = align(answers, contexts)
    return *span_labels(spans, contexts), (spans[:, 0] != -2).astype("float32"), report


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
