"""Precision, recall and F1 of labelled spans, as conlleval and seqeval count them.

A predicted span is right if its type, its first and its last item are all right.
"""

from keras_bert_zoo.data.label_schemes import scheme_of, spans
from keras_bert_zoo.spelling import did_you_mean

AVERAGES = ("micro", "macro", "weighted")


def entity_f1(true, predicted, average="micro", scheme=None, strict=False):
    """The F1 of labelled spans.

    Args:
        true: list of list of str. The label names of each sentence.
        predicted: list of list of str, as long.
        average: str. `"micro"`: all spans counted together; `"macro"`: the mean of the types;
            `"weighted"`: the mean of the types, weighted by their true spans.
        scheme: str or None. What `data.label_schemes.scheme_of` says of the task's labels; if None
            it is read off the labels given here.
        strict: bool. Count only spans that are well formed (seqeval's `mode="strict"`).

    Returns:
        float in `[0, 1]`; 0 where there are no spans.

    Raises:
        ValueError: the sentences do not match, a label is none of the scheme, or there is no such
            average.

    >>> entity_f1([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "B-PER"]])
    0.5
    """
    if average not in AVERAGES:
        raise ValueError(
            f"average must be one of {', '.join(AVERAGES)}; got {average!r}."
            + did_you_mean(average, AVERAGES)
        )
    return entity_report(true, predicted, scheme, strict)[average]["f1"]


def entity_report(true, predicted, scheme=None, strict=False):
    """Precision, recall, F1 and support of labelled spans, by type and on average.

    Args:
        true, predicted, scheme, strict: as for `entity_f1`.

    Returns:
        dict. `"micro"`, `"macro"` and `"weighted"` each hold a dict of `precision`, `recall`, `f1`
        and `support` (the number of true spans); `"types"` holds one such dict a type. What would
        divide by zero is 0.

    Raises:
        ValueError: the sentences do not match, or a label is none of the scheme.
    """
    counts = span_counts(true, predicted, scheme, strict)
    types = {kind: scores(*counts[kind]) for kind in sorted(counts)}
    report = {"types": types, "micro": scores(*map(sum, zip(*counts.values(), strict=True)))}
    weights = {
        "macro": [1] * len(types),
        "weighted": [row["support"] for row in types.values()],
    }
    for average, weight in weights.items():
        report[average] = {"support": report["micro"]["support"]}
        for name in ("precision", "recall", "f1"):
            values = (row[name] for row in types.values())
            weighted = sum(w * value for w, value in zip(weight, values, strict=True))
            report[average][name] = divided(weighted, sum(weight))
    return report


def span_counts(true, predicted, scheme=None, strict=False):
    """Type -> `[right, predicted, true]`, the numbers of spans.

    Raises:
        ValueError: the sentences do not match, or a label is none of the scheme.
    """
    true, predicted = list(true), list(predicted)
    if len(true) != len(predicted):
        raise ValueError(
            f"true and predicted must hold as many sentences; got {len(true)} and {len(predicted)}."
        )
    for i, pair in enumerate(zip(true, predicted, strict=True)):
        for name, labels in zip(("true", "predicted"), pair, strict=True):
            if isinstance(labels, str):
                raise ValueError(
                    f"{name}[{i}] is {labels!r}; each sentence must be a list of label names. For "
                    "one sentence pass [labels]."
                )
        if len(pair[0]) != len(pair[1]):
            raise ValueError(
                f"true[{i}] has {len(pair[0])} labels and predicted[{i}] has {len(pair[1])}; each "
                "item needs one of both."
            )
    if scheme is None:
        scheme = scheme_of(label for sentence in true + predicted for label in sentence)
    counts = {}
    for labels, guesses in zip(true, predicted, strict=True):
        wanted, got = (set(spans(one, scheme, strict)) for one in (labels, guesses))
        for place, found in enumerate((wanted & got, got, wanted)):
            for kind, _, _ in found:
                counts.setdefault(kind, [0, 0, 0])[place] += 1
    return counts


def scores(right=0, predicted=0, true=0):
    """A dict of precision, recall, F1 and support from three counts."""
    precision, recall = divided(right, predicted), divided(right, true)
    return {
        "precision": precision,
        "recall": recall,
        "f1": divided(2 * precision * recall, precision + recall),
        "support": true,
    }


def divided(numerator, denominator):
    """The quotient, or 0 where it has none."""
    return numerator / denominator if denominator else 0.0
