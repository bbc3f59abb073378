"""What a checkpoint's classification head is, and whether it is the one that is asked for."""

import numpy as np

from keras_bert_zoo.checkpoints.errors import CheckpointError

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


def saved_head(found):
    """What a checkpoint says of its classification head, as our arguments; None without a head.

    Raises:
        CheckpointError: it is of a kind that is not supported.
    """
    if found.task is not None:
        return dict(found.task["config"]) if found.task["class"] == "TextClassifier" else None
    foreign = found.foreign
    if foreign is None or "text_classifier" not in foreign.head_groups():
        return None
    if not foreign.has_group("text_classifier"):
        return None
    fields = found.task_fields
    names = foreign.names()
    bias = next(r for r in foreign.dialect.groups["text_classifier"] if r.ours.endswith("bias"))
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


def head_fits(saved, num_classes, labels, multi_label, source):
    """Whether a saved head is of the kind, and has the classes, that are asked for.

    Raises:
        ValueError: it has the same labels in another order.
    """
    if multi_label is not None and multi_label != saved["multi_label"]:
        return False
    wanted = num_classes if num_classes is not None else labels and len(labels)
    if wanted is not None and wanted != saved["num_classes"]:
        return False
    names = saved["labels"]
    if labels is None or names is None or list(labels) == list(names):
        return True
    if set(labels) == set(names):
        raise ValueError(
            f"{source} has the labels in the order {', '.join(names)}; pass them so, or not at all."
        )
    return False
