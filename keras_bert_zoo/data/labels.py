"""Labels as the arrays that a loss takes, each checked by its place in the list."""

import numpy as np

from keras_bert_zoo.spelling import did_you_mean


def each(function, nest):
    """A function of each output's array: of those in a dict, else of the one. Lists are arrays."""
    if isinstance(nest, dict):
        return {name: function(value) for name, value in nest.items()}
    return function(nest)


def leaves(nest):
    """The arrays of all outputs, as a list; none for None."""
    if nest is None:
        return []
    return list(nest.values()) if isinstance(nest, dict) else [nest]


def example_weights(sample_weight, count):
    """One weight an example, float32 `(count,)`; ones for None.

    Raises:
        ValueError: there are several for an example.
    """
    if sample_weight is None:
        return np.ones(count, "float32")
    if isinstance(sample_weight, dict) or sample_weight.size != count:
        shape = "a dict" if isinstance(sample_weight, dict) else sample_weight.shape
        raise ValueError(f"This task takes one sample weight an example; got {shape}.")
    return sample_weight.reshape(count)


def label_list(y):
    """Labels as a list or an array, one item an example.

    Raises:
        ValueError: they are none.
    """
    if isinstance(y, (list, tuple)):
        return y
    array = None if isinstance(y, (str, bytes, dict, set)) else np.asarray(y)
    if array is None or array.ndim == 0:
        raise ValueError(f"Labels must be a list with one item an example; got {y!r}.")
    return array


def class_number(label, labels, num_classes, where):
    """The number of one class.

    Args:
        label: int or str.
        labels: tuple of str or None. The names of the classes.
        num_classes: int.
        where: str. What to call the place in an error, such as `"y[3]"`.

    Raises:
        ValueError: there is no such class.
    """
    if isinstance(label, str):
        if labels is None:
            raise ValueError(
                f"{where} is {label!r}, but the classes have no names; pass labels=[…] when the "
                "model is made."
            )
        if label not in labels:
            raise ValueError(
                f"{where} is {label!r}, which is none of the labels {', '.join(labels)}."
                + did_you_mean(label, labels)
            )
        return labels.index(label)
    whole = isinstance(label, (int, np.integer)) and not isinstance(label, (bool, np.bool_))
    whole = whole or (isinstance(label, (float, np.floating)) and float(label).is_integer())
    if not whole or not 0 <= label < num_classes:
        raise ValueError(f"{where} is {label!r}; the classes are numbered 0 to {num_classes - 1}.")
    return int(label)


def encode_classes(y, labels, num_classes):
    """One class an example, int32 `(N,)`, from numbers or names.

    Raises:
        ValueError: a label is no class; or each example has several numbers.
    """
    y = label_list(y)
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    for i, label in enumerate(y):
        if isinstance(label, (list, tuple, set, np.ndarray)):
            raise ValueError(
                f"y[{i}] is {label!r}, but each example needs one class. For one-hot rows pass "
                "their argmax; for several labels an example use multi_label=True."
            )
    numbers = [class_number(label, labels, num_classes, f"y[{i}]") for i, label in enumerate(y)]
    return np.array(numbers, "int32")


def encode_label_sets(y, labels, num_classes):
    """Any number of labels an example, float32 `(N, C)` of 0 and 1.

    Args:
        y: array of 0 and 1, `(N, C)`; or a list with a list or set of names for each example.
        labels: tuple of str or None.
        num_classes: int.

    Raises:
        ValueError: a name is unknown, a number is neither 0 nor 1, or a row has another length.
    """
    y = label_list(y)
    rows = np.zeros((len(y), num_classes), "float32")
    for i, example in enumerate(y):
        if isinstance(example, (set, frozenset)):
            example = sorted(example, key=str)
        if not isinstance(example, (list, tuple, np.ndarray)) or np.ndim(example) != 1:
            raise ValueError(
                f"y[{i}] is {example!r}; with multi_label=True each example needs a list of label "
                f"names, or a row of {num_classes} numbers 0 and 1."
            )
        if all(isinstance(label, str) for label in example):
            for label in example:
                rows[i, class_number(label, labels, num_classes, f"y[{i}]")] = 1
            continue
        if len(example) != num_classes or not set(np.asarray(example).tolist()) <= {0, 1}:
            raise ValueError(
                f"y[{i}] is {list(example)!r}; it should be {num_classes} numbers 0 and 1."
            )
        rows[i] = example
    return rows


def encode_numbers(y):
    """One number an example, float32 `(N, 1)`.

    Raises:
        ValueError: an item is no finite number.
    """
    y = label_list(y)
    for i, number in enumerate(y):
        if isinstance(number, (str, bytes)) or number is None:
            raise ValueError(f"y[{i}] is {number!r}; regression (num_classes=1) needs numbers.")
    try:
        numbers = np.asarray(y, "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(f"Regression (num_classes=1) needs numbers as labels: {error}") from error
    if numbers.ndim == 1:
        numbers = numbers[:, None]
    if numbers.ndim != 2 or numbers.shape[1] != 1:
        raise ValueError(f"Regression needs one number an example; got the shape {numbers.shape}.")
    wrong = np.flatnonzero(~np.isfinite(numbers[:, 0]))
    if len(wrong):
        raise ValueError(f"y[{wrong[0]}] is {numbers[wrong[0], 0]}, which is no finite number.")
    return numbers
