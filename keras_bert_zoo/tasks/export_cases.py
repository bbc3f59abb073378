"""What an export is tried on: samples as its signatures take them, and the task's own answers."""

import numpy as np

from keras_bert_zoo.export.static_shapes import fitted, static_sizes

# How much better the best must be for an export to be held to it.
_CLEAR = 1e-4


def check_cases(task, format="tf_saved_model", options=None):
    """What an export is tried on.

    Args:
        task: Task.
        format: str. As for `Exportable.export`.
        options: dict or None. Those of the export.

    Returns:
        list of triples: a signature, its inputs, and what it should answer.
    """
    options = dict(options or {})
    if format == "tf_saved_model":
        x = fitting_samples(task, options)
        rows = _rows(task, x)
        return [
            ("serving_default", _named(task, x), task.served(x, **options)),
            ("tokens", rows, task.served_rows(rows)),
        ]
    rows = _rows(task, fitting_samples(task, {}))
    if format == "litert":
        rows = fitted(rows, task.input_axes, static_sizes(task, **options))
    return [("tokens", rows, task.served_rows(rows))]


def warmup_requests(task, options):
    """For the server's warm-up: one example, and several; as texts, and as ids.

    Args:
        task: Task.
        options: dict. Those of the export.

    Returns:
        list of pairs of a signature and its inputs.
    """
    x = fitting_samples(task, options)
    several = _named(task, x)
    one = {name: array[:1] for name, array in several.items()}
    return [("serving_default", one), ("serving_default", several), ("tokens", _rows(task, x))]


def fitting_samples(task, options):
    """The samples that the task takes; a short `max_length` may be too short for some."""
    x = task.samples(**options)
    columns = x if isinstance(x, tuple) else (x,)
    fitting, refusal = [], None
    for row in zip(*columns, strict=True):
        try:
            task.encode_texts(tuple([item] for item in row) if isinstance(x, tuple) else [*row])
        except ValueError as error:
            refusal = error
        else:
            fitting.append(row)
    if not fitting:
        raise ValueError(f"The task takes none of the texts it is tried on: {refusal}")
    columns = tuple(list(column) for column in zip(*fitting, strict=True))
    return columns if isinstance(x, tuple) else columns[0]


def _named(task, x):
    """Texts as the inputs of `serving_default`."""
    columns = x if isinstance(x, tuple) else (x,)
    return {n: np.array(column) for n, column in zip(task.text_inputs, columns, strict=True)}


def _rows(task, x):
    """The inputs of the model for texts, all in one batch."""
    examples = task.encode_texts(x)
    inputs = examples.take(np.arange(len(examples)), len(examples))
    return {name: array.astype("int32") for name, array in inputs.items()}


def numbers_alone(outputs):
    """A dict of outputs without those that are texts."""
    return {name: array for name, array in outputs.items() if np.asarray(array).dtype.kind != "U"}


def best_names(logits, names):
    """The names of the likeliest classes as `label`; nothing where rounding might decide on one.

    Args:
        logits: array, `(N, C)`.
        names: tuple of str or int.
    """
    second, first = np.sort(logits, axis=-1)[:, -2:].T
    if (first - second < _CLEAR).any():
        return {}
    return {"label": np.array([str(names[number]) for number in logits.argmax(-1)])}


def clear_answers(ranked):
    """The best answers as `answer`, `start` and `end`; nothing where rounding might decide on one.

    Args:
        ranked: list of lists of dicts, the best two for each question.
    """
    if any(len(two) > 1 and two[0]["score"] - two[1]["score"] < _CLEAR for two in ranked):
        return {}
    return {name: np.array([two[0][name] for two in ranked]) for name in ("answer", "start", "end")}


def padded(rows, value=0.0):
    """Arrays of different lengths as one, filled up with a value.

    Args:
        rows: list of arrays, each `(length, …)`; at least one.
        value: float.
    """
    longest = max(map(len, rows))
    return np.stack(
        [
            np.pad(
                row,
                [(0, longest - len(row))] + [(0, 0)] * (row.ndim - 1),
                constant_values=value,
            )
            for row in rows
        ]
    )
