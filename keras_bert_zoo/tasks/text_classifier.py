"""Classes, several labels, or a number for a text or a pair of texts."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.data import labels as label_data
from keras_bert_zoo.data.batching import TextExamples
from keras_bert_zoo.data.checks import check_flag
from keras_bert_zoo.export.samples import SECOND_TEXTS, TEXTS
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.tasks.classification_head import (
    PROBLEM_TYPES,
    checked_classes,
)
from keras_bert_zoo.tasks.export_cases import best_names
from keras_bert_zoo.tasks.labelled_task import LabelledTask
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class TextClassifier(LabelledTask):
    """Sentence and pair classification, multi-label classification and regression.

    Args:
        backbone: Backbone with a pooler.
        num_classes: int. Classes, C; 1 means regression. Defaults to the number of labels, else 2.
        labels: list of str or None. The names of the classes, in order.
        multi_label: bool. Whether an example may have any number of the labels.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        dropout: float or None. Dropout before the last layer; None for the encoder's rate.
        threshold: float. With `multi_label`, from which probability `classify` names a label.
        pairs: bool. Whether an export takes pairs. `fit` sets it by the texts it is given.
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
    carried = ("dropout", "threshold", "pairs", "frozen")

    def __init__(
        self,
        backbone,
        num_classes=None,
        labels=None,
        multi_label=False,
        preprocessor=None,
        dropout=None,
        threshold=0.5,
        pairs=False,
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
        head_dropout = Dropout(rate, dtype=backbone.dtype_policy, name="head_dropout")
        head = keras.layers.Dense(
            num_classes,
            kernel_initializer=initializer(config.initializer_range),
            dtype=backbone.dtype_policy,
            name="text_classifier",
        )

        # === Functional model ===
        encoded = backbone(backbone.input, only="pooled_output")
        logits = head(head_dropout(encoded["pooled_output"]))  # (B, C)

        # === Task ===
        self.num_classes = num_classes
        self.labels = labels
        self.multi_label = check_flag("multi_label", multi_label)
        self.dropout = None if dropout is None else float(dropout)
        self.threshold = float(threshold)
        self.pairs = check_flag("pairs", pairs)
        super().__init__(
            backbone,
            outputs=logits,
            encoded=encoded,
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

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        if training and isinstance(examples, TextExamples) and len(examples):
            packed = examples.examples[0]
            self.pairs = packed.first_length < len(packed)
        return super().encode_targets(examples, y, sample_weight, training, class_weight)

    def encode_labels(self, y):
        if self.problem == "regression":
            return label_data.encode_numbers(y)
        encode = {
            "multi_class": label_data.encode_classes,
            "multi_label": label_data.encode_label_sets,
        }[self.problem]
        return encode(y, self.labels, self.num_classes)

    def fit_bias(self, y):
        """Sets the head's bias to what fits labels best where texts are ignored.

        Worth doing before `fit` where labels are many and rare: else the encoder learns first how
        rare they are, and may come to give every text the same vector on the way.

        Args:
            y: labels, as for `fit`.

        Raises:
            ValueError: there are no labels, or they do not fit the task.

        Source: Lin et al. 2017 (focal loss), §4.1, of which this is the form for any task.
        """
        y = self.encode_labels(y)
        if not len(y):
            raise ValueError("fit_bias needs labels; got none.")
        if self.problem == "regression":
            bias = np.mean(y, axis=0).reshape(1)
        elif self.problem == "multi_label":
            # Half an example more on each side, so that none is certain.
            chances = (np.sum(y, axis=0) + 0.5) / (len(y) + 1)
            bias = np.log(chances / (1 - chances))
        else:
            counts = np.bincount(y, minlength=self.num_classes) + 0.5
            bias = np.log(counts / counts.sum())
        self.get_layer("text_classifier").bias.assign(bias)

    def class_weights(self, y, class_weight):
        if self.problem != "multi_class":
            raise ValueError("class_weight needs one class an example; use sample_weight.")
        return self.weights_by_class(class_weight)[y]

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
        names = self.class_names
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

    # === Export ===

    @property
    def text_inputs(self):
        return ("text", "text_pair") if self.pairs else ("text",)

    def service(self, folder):
        from keras_bert_zoo.export.services.classes import ClassService

        return ClassService(
            self, folder, self.class_names, self.problem, self.threshold, self.pairs
        )

    def served(self, x):
        logits = self.predict(x)
        named = self.problem != "regression"
        return {"logits": logits, **(best_names(logits, self.class_names) if named else {})}

    def samples(self):
        return (list(TEXTS), list(SECOND_TEXTS)) if self.pairs else list(TEXTS)

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "multi_label": self.multi_label,
            "threshold": self.threshold,
            "pairs": self.pairs,
        }

    def transformers_fields(self):
        return {**super().transformers_fields(), "problem_type": PROBLEM_TYPES[self.problem]}


def _numpy(function, array):
    return ops.convert_to_numpy(function(array))
