"""Labels of words: from what callers pass to class numbers, and from classes to spans."""

import logging

import numpy as np

from keras_bert_zoo.data.label_schemes import allowed, labels_of_spans, naming_of
from keras_bert_zoo.data.labels import class_number

logger = logging.getLogger("keras_bert_zoo")


def encode_tags(y, sentences, labels, num_classes):
    """One class a word.

    Args:
        y: list with one item a sentence: a list with a label (name or number) for each word; or,
            for a text, a list of spans `(start, end, type)` in characters, or dicts of `start`,
            `end` and `label`.
        sentences: Sentences.
        labels: tuple of str or None.
        num_classes: int.

    Returns:
        list of int32 arrays, each `(words,)`.

    Raises:
        ValueError: another number of items, an unknown label, or spans that do not fit the text;
            the message names the item.
    """
    if len(y) != len(sentences):
        raise ValueError(f"There are {len(sentences)} examples but {len(y)} labels.")
    encoded = []
    for i, (tags, words) in enumerate(zip(y, sentences.words, strict=True)):
        if isinstance(tags, (str, bytes, dict, set)) or not hasattr(tags, "__len__"):
            raise ValueError(f"y[{i}] is {tags!r}; it should be a list with a label a word.")
        if _are_spans(tags) or (sentences.texts is not None and len(tags) == 0):
            if sentences.texts is None:
                raise ValueError(
                    f"y[{i}] is a list of spans, which need texts; with lists of words pass a "
                    "label a word."
                )
            tags = _tags_of_spans(tags, words, sentences.texts[i], labels, f"y[{i}]")
        if len(tags) != len(words):
            raise ValueError(f"Item {i} has {len(words)} words but {len(tags)} labels.")
        numbers = [
            class_number(tag, labels, num_classes, f"y[{i}][{j}]") for j, tag in enumerate(tags)
        ]
        encoded.append(np.array(numbers, "int32"))
    return encoded


def check_sequences(numbers, names):
    """Raises where labels follow one another as their scheme does not allow.

    Args:
        numbers: list of int arrays, one a sentence.
        names: tuple. The names of the classes, or their numbers.

    Raises:
        ValueError: the message names the item.
    """
    start, steps, end = allowed([str(name) for name in names])
    for i, row in enumerate(numbers):
        wrong = np.flatnonzero(~steps[row[:-1], row[1:]])
        problem = None
        if len(row) and not start[row[0]]:
            problem = f"y[{i}][0] is {names[row[0]]!r}, which may not begin a sentence"
        elif len(wrong):
            before, after = names[row[wrong[0]]], names[row[wrong[0] + 1]]
            problem = f"y[{i}][{wrong[0] + 1}] is {after!r}, which may not follow {before!r}"
        elif len(row) and not end[row[-1]]:
            problem = f"y[{i}][{len(row) - 1}] is {names[row[-1]]!r}, which may not end a sentence"
        if problem:
            raise ValueError(
                f"{problem}. A CRF gives such sequences no chance: mend the labels (begin each "
                "span with B), or train without crf=True."
            )


def _are_spans(tags):
    return len(tags) > 0 and all(isinstance(tag, (dict, tuple, list)) for tag in tags)


def _tags_of_spans(spans, words, text, labels, where):
    """A label name a word, from spans of characters."""
    if labels is None:
        raise ValueError(f"{where} is a list of spans, which need labels with names.")
    found = []
    for span in spans:
        start, end, kind = _span_parts(span, where)
        whole = all(isinstance(n, (int, np.integer)) for n in (start, end))
        if not whole or not isinstance(kind, str):
            raise ValueError(
                f"{where}: a span is (start, end, type), two whole numbers and a name; got "
                f"{span!r}."
            )
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"{where}: the span ({start}, {end}) does not lie in the text of {len(text)} "
                "characters."
            )
        inside = [i for i, word in enumerate(words) if word.start < end and word.end > start]
        if not inside:
            raise ValueError(
                f"{where}: the span ({start}, {end}) holds no word: {text[start:end]!r}."
            )
        first, last = words[inside[0]], words[inside[-1]]
        if first.start < start or last.end > end:
            logger.warning(
                "%s: the span (%d, %d) begins or ends within a word, and is widened to %r.",
                where, start, end, text[first.start : last.end],
            )  # fmt: skip
        found.append((kind, inside[0], inside[-1] + 1))
    naming = naming_of(labels)
    if naming != "plain":
        return labels_of_spans(found, len(words), naming, where)
    # As BIO, for its check of overlaps; then without its prefixes.
    tags = labels_of_spans(found, len(words), "BIO", where)
    return [tag if tag == "O" else tag[2:] for tag in tags]


def _span_parts(span, where):
    try:
        if isinstance(span, dict):
            return span["start"], span["end"], span["label"]
        start, end, kind = span
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: a span is (start, end, type), or a dict of start, end and label; got "
            f"{span!r}."
        ) from error
    return start, end, kind


def in_rows(numbers, sentences):
    """Classes and weights for each token of each row.

    Args:
        numbers: list of int arrays, each `(words,)`.
        sentences: Sentences.

    Returns:
        tuple of two lists with an array `(length,)` for each row: int32 classes, and float32
        weights, 1 at the first piece of each word in the row that it belongs to, else 0.
    """
    classes = [np.zeros(len(row), "int32") for row in sentences.rows]
    weights = [np.zeros(len(row), "float32") for row in sentences.rows]
    for sentence, places in zip(numbers, sentences.places, strict=True):
        for number, place in zip(sentence, places, strict=True):
            classes[place.row][place.position] = number
            weights[place.row][place.position] = 1
    return classes, weights


def from_array(y, lengths, num_classes):
    """The same from an array of one class a token, of which negative ones do not count.

    Args:
        y: int array, `(N, L)`.
        lengths: `(N, L)`, the shape of the ids.
        num_classes: int.

    Raises:
        ValueError: another shape, or a number that is no class.
    """
    y = np.asarray(y)
    if y.shape != tuple(lengths) or y.dtype.kind not in "iu":
        raise ValueError(
            f"With id arrays y needs a class number a token, of the shape {tuple(lengths)}, "
            f"negative where none counts; got {y.dtype} of the shape {y.shape}."
        )
    if y.max(initial=-1) >= num_classes:
        raise ValueError(f"y holds {y.max()}; the classes are numbered 0 to {num_classes - 1}.")
    return list(np.maximum(y, 0).astype("int32")), list((y >= 0).astype("float32"))
