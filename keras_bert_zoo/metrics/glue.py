"""The metrics of GLUE's nine tasks, and each of them by itself.

scikit-learn and SciPy do the work and are imported when first needed. Source: Wang et al. 2018,
table 1.
"""

import importlib

import numpy as np

from keras_bert_zoo.spelling import did_you_mean

AVERAGES = ("binary", "macro", "micro", "weighted")


def accuracy(true, predicted):
    """The share of right predictions.

    Args:
        true, predicted: classes, `(N,)`: numbers or names.

    Raises:
        ValueError: the two do not match, or are empty.
    """
    true, predicted = paired_classes(true, predicted)
    return float(np.mean(true == predicted))


def f1(true, predicted, average="binary", positive=1):
    """The F1 of classes; 0 where it would divide by zero.

    Args:
        true, predicted: classes, `(N,)`: numbers or names.
        average: str. `"binary"`: of the positive class alone; `"macro"`: the mean over the classes
            that occur; `"micro"`: all counted together; `"weighted"`: the mean weighted by the
            true count.
        positive: the class that counts in `"binary"`.

    Raises:
        ImportError: scikit-learn is missing.
        ValueError: the two do not match, more than two classes occur in `"binary"`, or there is no
            such average.
    """
    if average not in AVERAGES:
        raise ValueError(
            f"average must be one of {', '.join(AVERAGES)}; got {average!r}."
            + did_you_mean(average, AVERAGES)
        )
    true, predicted = paired_classes(true, predicted)
    metrics = library("sklearn.metrics", "scikit-learn")
    if average != "binary":
        return float(metrics.f1_score(true, predicted, average=average, zero_division=0.0))
    others = sorted(set(np.concatenate([true, predicted]).tolist()) - {positive})
    if len(others) > 1 or (true.dtype.kind in "US") != isinstance(positive, str):
        raise ValueError(
            f"Binary F1 takes two classes, one of them positive={positive!r}; the others here are "
            f"{', '.join(map(repr, others))}. Name another positive class, or take "
            'average="macro".'
        )
    return float(
        metrics.f1_score(true == positive, predicted == positive, pos_label=True, zero_division=0.0)
    )


def matthews(true, predicted):
    """Matthews' correlation coefficient, of two or more classes; 0 where all are one class.

    Args:
        true, predicted: classes, `(N,)`: numbers or names.

    Raises:
        ImportError: scikit-learn is missing.
        ValueError: the two do not match, or are empty.
    """
    true, predicted = paired_classes(true, predicted)
    metrics = library("sklearn.metrics", "scikit-learn")
    if len(set(true.tolist())) == 1 or len(set(predicted.tolist())) == 1:
        return 0.0  # scikit-learn gives the same, with a warning where both are one class.
    return float(metrics.matthews_corrcoef(true, predicted))


def pearson(true, predicted):
    """Pearson's correlation coefficient; NaN where either side is constant.

    Args:
        true, predicted: numbers, `(N,)` or `(N, 1)`.

    Raises:
        ImportError: SciPy is missing.
        ValueError: the two do not match, or are no finite numbers.
    """
    return correlation("pearsonr", true, predicted)


def spearman(true, predicted):
    """Spearman's rank correlation coefficient; NaN where either side is constant.

    Args:
        true, predicted: numbers, `(N,)` or `(N, 1)`.

    Raises:
        ImportError: SciPy is missing.
        ValueError: the two do not match, or are no finite numbers.
    """
    return correlation("spearmanr", true, predicted)


METRICS = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
# Task -> its metrics. MNLI's matched and mismatched halves are scored one by one.
TASKS = {
    "cola": ("matthews",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "qqp": ("accuracy", "f1"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}


def glue_scores(task, true, predicted):
    """The metrics of one GLUE task.

    Args:
        task: str. `"cola"`, `"sst2"`, `"mrpc"`, `"stsb"`, `"qqp"`, `"mnli"`, `"qnli"`, `"rte"` or
            `"wnli"`; capitals and dashes do not matter.
        true: `(N,)`. Class numbers or names, as `formats.read_glue` gives them, or for STS-B
            numbers. F1 is that of class 1.
        predicted: `(N,)`, the same; the classes themselves, not logits.

    Returns:
        dict of metric -> float, such as `{"accuracy": 0.86, "f1": 0.9}`.

    Raises:
        ImportError: scikit-learn or SciPy is missing.
        ValueError: there is no such task, or the two do not match.

    >>> glue_scores("RTE", [0, 1, 1, 0], [0, 1, 0, 0])
    {'accuracy': 0.75}
    """
    name = str(task).lower().replace("-", "").replace("_", "")
    if name not in TASKS:
        raise ValueError(
            f"task must be one of {', '.join(TASKS)}; got {task!r}." + did_you_mean(name, TASKS)
        )
    if "f1" in TASKS[name]:
        true, predicted = (_numbered(classes) for classes in (true, predicted))
    return {metric: METRICS[metric](true, predicted) for metric in TASKS[name]}


def _numbered(classes):
    """Classes that are called "0" and "1", as in GLUE's files, as numbers."""
    array = np.asarray(classes)
    named = array.ndim == 1 and array.size and set(array.tolist()) <= {"0", "1"}
    return array.astype("int64") if named else classes


def library(module, package):
    """A module of an optional package.

    Raises:
        ImportError: the package is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"This metric needs {package}; install it with `pip install {package}`."
        ) from error


def paired(true, predicted):
    """Both as arrays `(N,)`.

    Raises:
        ValueError: they are empty, of different lengths, or not flat.
    """
    arrays = [np.asarray(one) for one in (true, predicted)]
    for i, array in enumerate(arrays):
        if array.ndim == 2 and array.shape[1] == 1:
            arrays[i] = array = array[:, 0]
        if array.ndim != 1:
            raise ValueError(
                f"{('true', 'predicted')[i]} must have the shape (N,); got {array.shape}. For "
                "logits pass their argmax over the last axis."
            )
    if len(arrays[0]) != len(arrays[1]) or not len(arrays[0]):
        raise ValueError(
            "true and predicted must hold as many items, and at least one; got "
            f"{len(arrays[0])} and {len(arrays[1])}."
        )
    return arrays


def paired_classes(true, predicted):
    """Both as arrays `(N,)` of numbers or of names.

    Raises:
        ValueError: they do not match, or one holds names and the other numbers.
    """
    true, predicted = paired(true, predicted)
    # Names from pandas come as objects.
    true, predicted = (
        np.array(one.tolist()) if one.dtype == object else one for one in (true, predicted)
    )
    if (true.dtype.kind in "US") != (predicted.dtype.kind in "US"):
        raise ValueError(
            "true and predicted must be both names or both numbers; got "
            f"{true[0].item()!r} and {predicted[0].item()!r}."
        )
    return true, predicted


def correlation(name, true, predicted):
    """A correlation coefficient of `scipy.stats` as a float."""
    true, predicted = (np.asarray(one, "float64") for one in paired(true, predicted))
    for side, numbers in (("true", true), ("predicted", predicted)):
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            raise ValueError(
                f"{side}[{wrong[0]}] is {numbers[wrong[0]]}, which is no finite number; drop it."
            )
    stats = library("scipy.stats", "scipy")
    if len(true) < 2 or np.ptp(true) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(getattr(stats, name)(true, predicted).statistic)
