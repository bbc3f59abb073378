"""The likeliest answers of a context, from the logits of all its windows."""

import dataclasses

import numpy as np

from keras_bert_zoo.data.probabilities import softmax


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


def answers_and_margin(contexts, example, logits, max_answer_length, candidates, threshold=None):
    """The answers of one example, the best first, and by how much none would be better.

    Args:
        contexts, example, logits, max_answer_length, candidates: as for `best_spans`.
        threshold: as for `ranked_answers`.

    Returns:
        tuple of a list of dicts and a float.

    Raises:
        ValueError: logits are not finite.
    """
    spans = best_spans(contexts, example, logits, max_answer_length, candidates)
    none = no_answer_score(contexts, example, logits)
    if not spans or not np.isfinite(none):
        raise ValueError(
            f"Item {example}: the logits are not finite; look whether the training diverged."
        )
    answers = ranked_answers(contexts, example, spans, none, threshold)
    return answers, none - spans[0].score


def ranked_answers(contexts, example, spans, none, threshold):
    """The best spans as texts with probabilities among each other.

    Args:
        contexts: Contexts.
        example: int.
        spans: list of Span, the best first.
        none: float. The score of no answer.
        threshold: float or None. By how much `none` must exceed the best span to come first; None
            where every context holds an answer.

    Returns:
        list of dicts `answer`, `start` and `end` (characters) and `score`; no answer is "" at 0.
    """
    text, offsets = contexts.texts[example], contexts.offsets[example]
    places = [(offsets[span.first, 0], offsets[span.last, 1]) for span in spans]
    scores = [span.score for span in spans]
    if threshold is not None:
        places, scores = [*places, (0, 0)], [*scores, none]
    answers = [
        {"answer": text[start:end], "start": int(start), "end": int(end), "score": float(chance)}
        for (start, end), chance in zip(places, softmax(np.array(scores)), strict=True)
    ]
    if threshold is None:
        return answers
    nothing = answers.pop()
    if none - spans[0].score > threshold:
        return [nothing, *answers]
    better = 1 + sum(span.score >= none for span in spans[1:])
    return [*answers[:better], nothing, *answers[better:]]


def logits_of_tokens(contexts, example, outputs):
    """The logits of each token of a context, from the row that shows most of what is around it.

    Args:
        contexts: Contexts.
        example: int.
        outputs: list of dicts of `start` and `end`, float arrays `(L,)`, one for each row.

    Returns:
        float32 array, `(T, 2)`.
    """
    logits = np.zeros((len(contexts.offsets[example]), 2), "float32")
    for token, row in enumerate(contexts.homes[example]):
        window = contexts.windows[row]
        place = token - window.first + window.position
        logits[token] = outputs[row]["start"][place], outputs[row]["end"][place]
    return logits
