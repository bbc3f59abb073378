"""The likeliest answers of a context, from the logits of all its windows."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Span:
    """An answer that a context offers.

    Args:
        first, last: int. Its tokens, both included.
        score: float. The logit of its start and that of its end, added.
    """

    first: int
    last: int
    score: float


def best_spans(contexts, example, logits, max_answer_length, count):
    """The best answers of one example, over all its windows.

    A span is taken from the window that shows most of what stands around its first token, as in
    Google's `run_squad.py`; but all spans are weighed, not only those of the best starts and ends.

    Args:
        contexts: Contexts.
        example: int.
        logits: list of `(start, end)` for each row of `contexts`, float arrays `(L,)`.
        max_answer_length: int. In tokens.
        count: int. How many.

    Returns:
        list of Span, the best first; no two with the same tokens.
    """
    found = []
    for row in contexts.rows_of(example):
        window, home = contexts.windows[row], contexts.homes[example]
        where = slice(window.position, window.position + window.last - window.first)
        start, end = (np.asarray(part, "float64")[where] for part in logits[row])
        mine = np.flatnonzero(home[window.first : window.last] == row)
        lengths = np.arange(max_answer_length)
        last = mine[:, None] + lengths  # (starts, lengths)
        inside = last < len(end)
        scores = start[mine][:, None] + end[np.minimum(last, len(end) - 1)]
        scores = np.where(inside, scores, -np.inf).ravel()
        best = np.argsort(-scores, kind="stable")[:count]
        for index in best[np.isfinite(scores[best])]:
            first = int(mine[index // max_answer_length])
            final = first + int(index % max_answer_length)
            found.append(Span(window.first + first, window.first + final, float(scores[index])))
    return sorted(found, key=lambda span: -span.score)[:count]


def no_answer_score(contexts, example, logits):
    """The score of the answer that is none: of `[CLS]`, in the window where it is least."""
    return min(
        float(logits[row][0][0]) + float(logits[row][1][0]) for row in contexts.rows_of(example)
    )
