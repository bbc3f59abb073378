"""Questions on a context, with answers that are spans of it: SQuAD and CMRC."""

from keras_bert_zoo.data.formats.lines import read_json
from keras_bert_zoo.spelling import did_you_mean

# Our names -> the file's: `context` is in the paragraph, the others in the question.
SQUAD_KEYS = {"context": "context", "question": "question", "id": "id"}
CMRC_LIST_KEYS = {"context": "context_text", "question": "query_text", "id": "query_id"}
KINDS = {str: "a string", list: "a list", dict: "an object", bool: "true or false", int: "a number"}


def read_squad(path):
    """The questions of a SQuAD file, version 1.1 or 2.0.

    Args:
        path: str or path. The file is read as a whole.

    Yields:
        dict: id, question and context, str; answers, a list of `(text, start)`, where start counts
        characters of the context, empty for a question without an answer or a file without
        answers; is_impossible, bool, False in version 1.1.

    Raises:
        ValueError: the file is not JSON, or not laid out like SQuAD; an answer is not where it is
            said to be. Files with such answers can be read with `read_cmrc`.
    """
    for where, paragraph in _squad_paragraphs(read_json(path), path):
        yield from _questions(paragraph, SQUAD_KEYS, where, _stated_start)


def read_cmrc(path):
    """The questions of a CMRC 2018 file, in SQuAD's layout or in the list of its first release.

    An answer that is not where the file says, or for which it says nothing (-1), is looked for in
    the context: its place nearest to the stated one counts.

    Args:
        path: str or path. The file is read as a whole.

    Yields:
        dict: as `read_squad`, but start is None for an answer that the context does not hold.

    Raises:
        ValueError: the file is not JSON, or has neither layout.
    """
    content = read_json(path)
    if isinstance(content, list):
        paragraphs, keys = _items(content, path, ""), CMRC_LIST_KEYS
    else:
        paragraphs, keys = _squad_paragraphs(content, path), SQUAD_KEYS
    for where, paragraph in paragraphs:
        yield from _questions(paragraph, keys, where, _found_start)


def find_answer(context, text, start=None):
    """Where an answer stands in its context.

    Args:
        context: str.
        text: str.
        start: int or None. Where it is said to stand; negative or None if that is unknown.

    Returns:
        int, the place nearest to `start`, the first where that is unknown; None if there is none.

    >>> find_answer("to be or not to be", "be", 15)
    16
    >>> find_answer("to be or not to be", "be")
    3
    """
    if not text:
        return None
    wanted = max(start or 0, 0)
    before = context.rfind(text, 0, wanted + len(text))
    after = context.find(text, wanted)
    found = [place for place in (before, after) if place >= 0]
    return min(found, key=lambda place: abs(place - wanted), default=None)


def _squad_paragraphs(content, path):
    if not isinstance(content, dict):
        raise ValueError(
            f'{path} holds {_kind(content)}; SQuAD needs an object with "data". For the list of '
            "CMRC use read_cmrc."
        )
    for where, article in _items(_member(content, "data", list, str(path)), path, "data"):
        yield from _items(_member(article, "paragraphs", list, where), where, "paragraphs", ".")


def _questions(paragraph, keys, where, place):
    context = _member(paragraph, keys["context"], str, where)
    for at, question in _items(_member(paragraph, "qas", list, where), where, "qas", "."):
        answers = _member(question, "answers", list, at) if "answers" in question else []
        impossible = (
            _member(question, "is_impossible", bool, at) if "is_impossible" in question else False
        )
        if impossible and answers:
            raise ValueError(f"{at}: is_impossible is true, but there are {len(answers)} answers.")
        yield {
            "id": _member(question, keys["id"], str, at),
            "question": _member(question, keys["question"], str, at),
            "context": context,
            "answers": [
                place(context, answer, f"{at}.answers[{i}]") for i, answer in enumerate(answers)
            ],
            "is_impossible": impossible,
        }


def _stated_start(context, answer, where):
    _check_kind(answer, dict, where)
    text = _member(answer, "text", str, where)
    start = _member(answer, "answer_start", int, where)
    if not text or start < 0 or not context.startswith(text, start):
        raise ValueError(
            f'{where}: "{text}" is not at answer_start {start} of the context. Correct the file, '
            "or use read_cmrc, which looks for answers."
        )
    return text, start


def _found_start(context, answer, where):
    if isinstance(answer, str):
        return answer, find_answer(context, answer)
    _check_kind(answer, dict, where)
    text = _member(answer, "text", str, where)
    start = _member(answer, "answer_start", int, where) if "answer_start" in answer else None
    return text, find_answer(context, text, start)


def _items(values, where, name, joint=", "):
    """Pairs of a place such as `dev.json, data[0].paragraphs[2]` and the object there."""
    for i, value in enumerate(values):
        place = f"{where}{joint}{name}[{i}]"
        _check_kind(value, dict, place)
        yield place, value


def _member(holder, key, kind, where):
    if key not in holder:
        raise ValueError(
            f'{where} has no "{key}"; it has {", ".join(holder) or "nothing"}.'
            + did_you_mean(key, holder)
        )
    _check_kind(holder[key], kind, f"{where}.{key}")
    return holder[key]


def _check_kind(value, kind, where):
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} is {_kind(value)}; it must be {KINDS[kind]}.")


def _kind(value):
    return KINDS.get(type(value), f"{value!r}")
