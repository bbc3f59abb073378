"""From the logits of pieces to labels of words and labelled spans of texts."""

import numpy as np

from keras_bert_zoo.data.label_schemes import spans
from keras_bert_zoo.data.probabilities import softmax

AGGREGATIONS = ("none", "simple", "first", "average", "max")


def pieces_of_words(sentences, outputs):
    """The logits of each word's pieces, from the row that the word belongs to.

    Args:
        sentences: Sentences.
        outputs: list of arrays, each `(L, C)`, one a row.

    Returns:
        list of lists of arrays, each `(pieces, C)`: one a word, for each sentence.
    """
    return [
        [outputs[p.row][p.position : p.position + p.pieces] for p in places]
        for places in sentences.places
    ]


def units(sentences, pieces, aggregation, num_classes):
    """What gets one label each: pieces, or words.

    Args:
        sentences: Sentences.
        pieces: what `pieces_of_words` gave.
        aggregation: str. One of `AGGREGATIONS`.
        num_classes: int.

    Returns:
        list with a pair for each sentence: a list of `(start, end)`, and logits, float32
        `(units, C)`.
    """
    return [
        _units_of(words, logits, aggregation, num_classes)
        for words, logits in zip(sentences.words, pieces, strict=True)
    ]


def _units_of(words, pieces, aggregation, num_classes):
    if not words:
        return [], np.zeros((0, num_classes), "float32")
    if aggregation in ("none", "simple"):
        offsets = [
            offset
            for word, logits in zip(words, pieces, strict=True)
            for offset in word.offsets[: len(logits)]
        ]
        return offsets, np.concatenate(pieces)
    merge = {"first": _first, "average": _average, "max": _surest}[aggregation]
    return [(word.start, word.end) for word in words], np.stack([merge(p) for p in pieces])


def _first(logits):
    return logits[0]


def _average(logits):
    return np.log(softmax(logits).mean(axis=0) + 1e-30)


def _surest(logits):
    return logits[softmax(logits).max(axis=-1).argmax()]


def labelled_spans(texts, units, labels, names, naming):
    """Spans of each text.

    Args:
        texts: list of str.
        units: what `units` gave.
        labels: list of int arrays, each `(units,)`.
        names: tuple. The names of the classes.
        naming: str. What `naming_of` or `scheme_of` says of them; `"plain"` joins nothing.

    Returns:
        list of lists of dicts `text`, `label`, `score`, `start` and `end`.
    """
    found = []
    for text, (offsets, logits), numbers in zip(texts, units, labels, strict=True):
        chosen = [names[number] for number in numbers]
        scores = [softmax(row)[number] for row, number in zip(logits, numbers, strict=True)]
        joined = (
            [(label, i, i + 1) for i, label in enumerate(chosen) if label != "O"]
            if naming == "plain"
            else spans(chosen, naming)
        )
        found.append(
            [
                {
                    "text": text[offsets[first][0] : offsets[last - 1][1]],
                    "label": label,
                    "score": float(np.mean(scores[first:last])),
                    "start": int(offsets[first][0]),
                    "end": int(offsets[last - 1][1]),
                }
                for label, first, last in joined
            ]
        )
    return found
