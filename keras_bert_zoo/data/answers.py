"""Answers to questions, in the forms that callers and files have them."""

import numpy as np


def read_answer(answer, where):
    """One answer as `(text, start)`, start None where it is not given; None for no answer.

    Args:
        answer: as for `read_answers`; of several the first counts.
        where: str. What to call it in an error.

    Raises:
        ValueError: as for `read_answers`.
    """
    return next(iter(read_answers(answer, where)), None)


def read_answers(answer, where):
    """All answers to a question, each `(text, start)`, start None where it is not given.

    Args:
        answer: None, "" or an empty list for no answer; a text; `(text, start)`; a dict of `text`
            and `start` (or `answer_start`), or of lists of them side by side; or a list of these.
        where: str. What to call it in an error.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(answer, dict):
        answer = _of_dict(answer, where)
    if isinstance(answer, list):
        return [found for one in answer for found in read_answers(one, where)]
    text, start = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    whole = isinstance(start, (int, np.integer)) and not isinstance(start, bool)
    if text is None or (isinstance(text, str) and not text):
        return []
    if not isinstance(text, str) or not (start is None or whole):
        raise ValueError(
            f"{where} is {answer!r}; an answer is a text, (text, start), a dict of text and "
            "start, a list of these, or None."
        )
    return [(text, start)]


def _of_dict(answer, where):
    """A dict as the pair that it is, or as a list of pairs."""
    if "text" not in answer:
        raise ValueError(f"{where} is {answer!r}; an answer's dict has a text, and a start.")
    text, start = answer["text"], answer.get("start", answer.get("answer_start"))
    if not isinstance(text, (list, tuple, np.ndarray)):
        return text, start
    return list(zip(text, [None] * len(text) if start is None else start, strict=True))


def reference_texts(y):
    """The texts of all answers to each question.

    Args:
        y: list with one item a question, each as for `read_answers`.

    Returns:
        list of lists of str.

    Raises:
        ValueError: as for `read_answers`.
    """
    return [[text for text, _ in read_answers(one, f"y[{i}]")] for i, one in enumerate(y)]
