"""Classes, several labels, or a number for a text or a pair of texts."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo import pretrained
from keras_bert_zoo.data import labels as label_data
from keras_bert_zoo.layers.activations import initializer
from keras_bert_zoo.tasks.classification_head import (
    PROBLEM_TYPES,
    checked_classes,
    checked_labels,
    choose_head,
    label_fields,
    saved_head,
)
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class TextClassifier(Task):
    """Sentence and pair classification, multi-label classification and regression.

    Args:
        backbone: Backbone with a pooler.
        num_classes: int. Classes, C; 1 means regression. Defaults to the number of labels, else 2.
        labels: list of str or None. The names of the classes, in order.
        multi_label: bool. Whether an example may have any number of the labels.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        dropout: float or None. Dropout before the last layer; None for the encoder's rate.
        threshold: float. With `multi_label`, from which probability `classify` names a label.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`.

    Returns:
        float, `(B, C)`. Logits; the number itself for regression.

    Raises:
        ValueError: the arguments do not fit together.

    Source: Devlin et al. 2018, §4.1.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=8, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> classifier = kbz.TextClassifier(backbone, labels=["no", "yes"], preprocessor=preprocessor)
    >>> history = classifier.fit(["good film", "bad film"], ["yes", "no"], verbose=0)
    >>> classifier.predict(["good", "bad", "film"]).shape
    (3, 2)
    """

    head_groups = ("text_classifier",)

    def __init__(
        self,
        backbone,
        num_classes=None,
        labels=None,
        multi_label=False,
        preprocessor=None,
        dropout=None,
        threshold=0.5,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        num_classes, labels = checked_classes(num_classes, labels)
        if labels is not None and len(labels) == 1 and not multi_label:
            raise ValueError(
                "One label can be read in two ways: for yes or no pass multi_label=True, for a "
                "number (regression) pass num_classes=1 without labels."
            )
        if not isinstance(threshold, (int, float, np.floating)) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold must lie between 0 and 1; got {threshold!r}.")
        if not backbone.config.pooler:
            raise ValueError("TextClassifier needs a backbone with pooler=True.")

        # === Layers ===
        config = backbone.config
        rate = config.dropout if dropout is None else dropout
        head_dropout = keras.layers.Dropout(rate, dtype=backbone.dtype_policy, name="head_dropout")
        head = keras.layers.Dense(
            num_classes,
            kernel_initializer=initializer(config.initializer_range),
            dtype=backbone.dtype_policy,
            name="text_classifier",
        )

        # === Functional model ===
        pooled = backbone(backbone.input)["pooled_output"]  # (B, D)
        logits = head(head_dropout(pooled))  # (B, C)

        # === Task ===
        self.num_classes = num_classes
        self.labels = labels
        self.multi_label = bool(multi_label)
        self.dropout = dropout
        self.threshold = float(threshold)
        super().__init__(
            backbone,
            outputs=logits,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    @property
    def problem(self):
        """`"multi_class"`, `"multi_label"` or `"regression"`."""
        if self.multi_label:
            return "multi_label"
        return "regression" if self.num_classes == 1 else "multi_class"

    # === Training ===

    def default_compile(self):
        losses = {
            "multi_class": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "multi_label": keras.losses.BinaryCrossentropy(from_logits=True),
            "regression": keras.losses.MeanSquaredError(),
        }
        metrics = {
            "multi_class": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            "multi_label": [keras.metrics.BinaryAccuracy(threshold=0.0, name="binary_accuracy")],
            "regression": [keras.metrics.MeanAbsoluteError(name="mean_absolute_error")],
        }
        return {
            "optimizer": create_optimizer(5e-5),
            "loss": losses[self.problem],
            "metrics": metrics[self.problem],
        }

    def encode_labels(self, y):
        if self.problem == "regression":
            return label_data.encode_numbers(y)
        encode = {
            "multi_class": label_data.encode_classes,
            "multi_label": label_data.encode_label_sets,
        }[self.problem]
        return encode(y, self.labels, self.num_classes)

    def class_weights(self, y, class_weight):
        if self.problem != "multi_class":
            raise ValueError("class_weight needs one class an example; use sample_weight.")
        weights = np.ones(self.num_classes, "float32")
        for label, weight in class_weight.items():
            number = label_data.class_number(label, self.labels, self.num_classes, "class_weight")
            weights[number] = weight
        return weights[y]

    def refuse_texts_as_labels(self, y):
        if self.labels is None or not set(y) <= set(self.labels):
            super().refuse_texts_as_labels(y)

    # === Prediction ===

    def classify(self, texts, batch_size=None):
        """Labels for texts or pairs.

        Args:
            texts: list of str, or a tuple of two lists.
            batch_size: int. Defaults to 32.

        Returns:
            list of dict, one a text. `label` (its name, or the class number where the classes have
            no names) and `score` (its probability); with `multi_label`, `labels` (those above the
            threshold, the likeliest first) and `scores` (a probability for each label); for
            regression, `score` (the number).
        """
        logits = self.predict(texts, batch_size=batch_size).astype("float32")
        names = self.labels or tuple(range(self.num_classes))
        if self.problem == "regression":
            return [{"score": float(row[0])} for row in logits]
        if self.problem == "multi_label":
            return [self._label_set(row, names) for row in _numpy(ops.sigmoid, logits)]
        probabilities = _numpy(ops.softmax, logits)
        best = probabilities.argmax(axis=-1)
        return [
            {"label": names[number], "score": float(row[number])}
            for row, number in zip(probabilities, best, strict=True)
        ]

    def _label_set(self, row, names):
        scores = {name: float(score) for name, score in zip(names, row, strict=True)}
        chosen = sorted((n for n in names if scores[n] >= self.threshold), key=scores.get)
        return {"labels": chosen[::-1], "scores": scores}

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "num_classes": self.num_classes,
            "labels": None if self.labels is None else list(self.labels),
            "multi_label": self.multi_label,
            "dropout": self.dropout,
            "threshold": self.threshold,
        }

    def transformers_fields(self):
        return {
            **label_fields(self.labels, self.num_classes),
            "problem_type": PROBLEM_TYPES[self.problem],
            "classifier_dropout": self.dropout,
        }

    @classmethod
    def from_preset(
        cls,
        source,
        num_classes=None,
        labels=None,
        multi_label=None,
        *,
        load_weights=True,
        dtype=None,
        max_length=None,
        truncation=None,
        ignore=(),
        dropout=None,
        threshold=None,
        frozen=None,
        **overrides,
    ):
        """A classifier on a pre-trained model, with its head where it has a fitting one.

        Args:
            source: as for `Backbone.from_preset`.
            num_classes: int or None. None for the checkpoint's own count, else the number of
                labels, else 2; 1 for regression. Another count than the checkpoint's means a new
                head.
            labels: list of str or None. Other names than the checkpoint's mean a new head.
            multi_label: bool or None. None for the checkpoint's own kind, else False.
            load_weights, dtype, ignore, **overrides: as for `Backbone.from_preset`.
            max_length: int or None. Longest row in tokens. None for the saved one, else 512 or
                the backbone's longest.
            truncation: str or None. See `Preprocessor`.
            dropout, threshold, frozen: as for the class; None for the saved ones, else its
                defaults.

        Returns:
            TextClassifier. `transfer_report` tells which weights are new.

        Raises:
            ValueError: as for `Backbone.from_preset`; or the labels are the checkpoint's in
                another order.
        """
        found = pretrained.open_pretrained(source, load_weights, tokenizer=True, ignore=ignore)
        saved = saved_head(found, cls.__name__, "text_classifier")
        given = {
            "num_classes": num_classes,
            "labels": checked_labels(labels),
            "multi_label": multi_label,
            "dropout": dropout,
            "threshold": threshold,
            "frozen": frozen,
        }
        chosen, keep = choose_head(saved, given, ("dropout", "threshold", "frozen"), source)
        return cls._load(
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


def _numpy(function, array):
    return ops.convert_to_numpy(function(array))
