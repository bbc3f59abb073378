"""What a checkpoint's classification head is, and whether it is the one that is asked for."""

import logging

import numpy as np

from keras_bert_zoo.checkpoints.errors import CheckpointError

logger = logging.getLogger("keras_bert_zoo")

# Our names of the problems -> those of transformers.
PROBLEM_TYPES = {
    "regression": "regression",
    "multi_label": "multi_label_classification",
    "multi_class": "single_label_classification",
}


def checked_labels(labels):
    """The labels as a tuple of distinct names.

    Raises:
        ValueError: they are one string, not strings, or not distinct.
    """
    if labels is None:
        return None
    labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
    names = isinstance(labels, (list, tuple)) and all(isinstance(label, str) for label in labels)
    if not names:
        raise ValueError(f"labels must be a list of names; got {labels!r}.")
    repeated = {label for label in labels if list(labels).count(label) > 1}
    if repeated or not labels:
        raise ValueError(f"labels must be distinct names; got {list(labels)!r}.")
    return tuple(labels)


def saved_head(found, class_name, group):
    """What a checkpoint says of its classification head, as our arguments; None without a head.

    Args:
        found: Pretrained.
        class_name: str. Our task, as our own format names it.
        group: str. Its group in the tables of checkpoints.

    Raises:
        CheckpointError: it is of a kind that is not supported.
    """
    if found.task is not None:
        return dict(found.task["config"]) if found.task["class"] == class_name else None
    foreign = found.foreign
    if foreign is None or group not in foreign.head_groups() or not foreign.has_group(group):
        return None
    fields = found.task_fields
    names = foreign.names()
    bias = next(r for r in foreign.dialect.groups[group] if r.ours.endswith("bias"))
    count = len(foreign.tensors[names[bias.theirs]])
    if count > 1 and fields.get("problem_type") == PROBLEM_TYPES["regression"]:
        raise CheckpointError(
            f"{found.source}: a head for the regression of {count} numbers is not supported; load "
            "the encoder alone with Backbone.from_preset."
        )
    named = {int(number): name for number, name in (fields.get("id2label") or {}).items()}
    labels = [named.get(i, f"LABEL_{i}") for i in range(count)]
    generic = labels == [f"LABEL_{i}" for i in range(count)] or len(named) != count
    return {
        "num_classes": count,
        "labels": None if generic else labels,
        "multi_label": fields.get("problem_type") == PROBLEM_TYPES["multi_label"],
        "dropout": fields.get("classifier_dropout"),
    }


def choose_head(saved, given, carried, source):
    """The task's arguments on a checkpoint, and whether its head is kept.

    Args:
        saved: dict or None. What `saved_head` found.
        given: dict. What the caller asks for; None where nothing is said.
        carried: tuple of str. What is taken over even without the head.
        source: str.

    Returns:
        tuple of a dict and a bool.

    Raises:
        ValueError: as for `head_fits`.
    """
    keep = saved is not None and head_fits(saved, given, source)
    if saved is not None and not keep:
        logger.warning("%s: its classification head does not fit and is left out.", source)
    if given["num_classes"] is None and given["labels"] is None:
        carried = (*carried, "num_classes", "labels")  # another kind of head on the same classes
    chosen = {
        name: value
        for name, value in (saved or {}).items()
        if name in given and (keep or name in carried)
    }
    chosen.update({name: value for name, value in given.items() if value is not None})
    return chosen, keep


def head_fits(saved, given, source):
    """Whether a saved head is of the kind, and has the classes, that are asked for.

    Raises:
        ValueError: it has the same labels in another order.
    """
    for kind in ("multi_label", "crf"):
        # Foreign checkpoints have no CRF: theirs is the head below it.
        if given.get(kind) is not None and given[kind] != saved.get(kind, given[kind]):
            return False
    labels, names = given["labels"], saved["labels"]
    wanted = given["num_classes"] if given["num_classes"] is not None else labels and len(labels)
    if wanted is not None and wanted != saved["num_classes"]:
        return False
    if labels is None or names is None or list(labels) == list(names):
        return True
    if set(labels) == set(names):
        raise ValueError(
            f"{source} has the labels in the order {', '.join(names)}; pass them so, or not at all."
        )
    return False


def label_fields(labels, num_classes):
    """The names of classes as a `config.json` of transformers has them."""
    names = labels or [f"LABEL_{i}" for i in range(num_classes)]
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


def checked_classes(num_classes, labels):
    """The number of classes and their names, checked.

    Raises:
        ValueError: either is wrong, or they do not agree.
    """
    labels = checked_labels(labels)
    if num_classes is None:
        num_classes = 2 if labels is None else len(labels)
    whole = isinstance(num_classes, (int, np.integer)) and not isinstance(num_classes, bool)
    if not whole or num_classes < 1:
        raise ValueError(f"num_classes must be a whole number of at least 1; got {num_classes!r}.")
    if labels is not None and len(labels) != num_classes:
        raise ValueError(f"num_classes is {num_classes}, but there are {len(labels)} labels.")
    return int(num_classes), labels
