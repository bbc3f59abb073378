"""What tasks share whose classes have names: the head that a checkpoint has, and its labels."""

import numpy as np

from keras_bert_zoo import pretrained
from keras_bert_zoo.data.labels import class_number
from keras_bert_zoo.tasks.classification_head import (
    checked_labels,
    choose_head,
    label_fields,
    saved_head,
)
from keras_bert_zoo.tasks.loading import build_task, split_options
from keras_bert_zoo.tasks.task import Task


class LabelledTask(Task):
    """A task with `num_classes`, `labels` and `dropout`. Abstract.

    A subclass has one head group, and names in `carried` what is taken over from a saved task even
    where its head does not fit.
    """

    carried = ("dropout", "frozen")

    @property
    def class_names(self):
        """The labels; where they have no names, their numbers."""
        return self.labels or tuple(range(self.num_classes))

    def weights_by_class(self, class_weight):
        """The weight of each class, float32 `(C,)`, from a dict of some."""
        weights = np.ones(self.num_classes, "float32")
        for label, weight in class_weight.items():
            number = isinstance(weight, (int, float, np.number)) and np.isfinite(weight)
            if not number or weight < 0:
                raise ValueError(
                    f"class_weight[{label!r}] is {weight!r}; it should be a number, 0 or more."
                )
            weights[class_number(label, self.labels, self.num_classes, "class_weight")] = weight
        return weights

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "num_classes": self.num_classes,
            "labels": None if self.labels is None else list(self.labels),
            "dropout": self.dropout,
        }

    def transformers_fields(self):
        fields = label_fields(self.labels, self.num_classes)
        return {**fields, "classifier_dropout": self.dropout}

    @classmethod
    def from_preset(
        cls,
        source,
        num_classes=None,
        labels=None,
        *,
        load_weights=True,
        dtype=None,
        max_length=None,
        truncation=None,
        ignore=(),
        **options,
    ):
        """The task on a pre-trained model, with its head where it has a fitting one.

        Args:
            source, load_weights, dtype, ignore: as for `Backbone.from_preset`.
            num_classes: int or None. None for the checkpoint's own count, else the number of
                labels, else 2. Another count than the checkpoint's means a new head.
            labels: list of str or None. Other names than the checkpoint's mean a new head.
            max_length: int or None. Longest row in tokens. None for the saved one, else 512 or
                the backbone's longest.
            truncation: str or None. See `Preprocessor`.
            **options: the task's own other arguments, None for the saved ones, else its defaults
                (another kind of head than the checkpoint's, such as `multi_label=True`, means a
                new one); and fields of `EncoderConfig`, as for `Backbone.from_preset`.

        Returns:
            the task. `transfer_report` tells which weights are new.

        Raises:
            ValueError, FileNotFoundError, CheckpointError: as for `Backbone.from_preset`; or the
                labels are the checkpoint's in another order.
        """
        found = pretrained.open_pretrained(source, load_weights, tokenizer=True, ignore=ignore)
        own, overrides = split_options(cls, options)
        given = {**own, "num_classes": num_classes, "labels": checked_labels(labels)}
        saved = saved_head(found, cls.__name__, *cls.head_groups)
        chosen, keep = choose_head(saved, given, cls.carried, source)
        return build_task(
            cls,
            found,
            source,
            chosen,
            heads=cls.head_groups if keep else (),
            load_weights=load_weights,
            dtype=dtype,
            ignore=ignore,
            max_length=max_length,
            truncation=truncation,
            overrides=overrides,
        )
