"""Keras metrics that follow from counting which class was taken for which.

For regression Keras has `keras.metrics.PearsonCorrelation`, but that averages over batches or
columns; the coefficient of a whole set is `metrics.glue.pearson`, through
`metrics.callback.PredictionMetrics`.
"""

import keras
from keras import ops

from keras_bert_zoo.spelling import did_you_mean

AVERAGES = ("binary", "macro", "micro")


class ConfusionMetric(keras.metrics.Metric):
    """A metric of class numbers and logits, from the sums of a confusion matrix. Abstract.

    Items whose weight is 0, or whose label is no class (such as -100), leave no trace.

    Args:
        num_classes: int. At least 2.
        name: str.
        dtype: str or None.

    Raises:
        ValueError: there are fewer than two classes.
    """

    def __init__(self, num_classes, name, dtype=None):
        super().__init__(name=name, dtype=dtype)
        if num_classes < 2:
            raise ValueError(f"{type(self).__name__} needs num_classes >= 2; got {num_classes!r}.")
        self._direction = "up"  # what EarlyStopping(mode="auto") reads
        self.num_classes = int(num_classes)
        # Rows: the labels; columns: the predictions.
        self.matrix = self.add_variable((num_classes, num_classes), "zeros", name="matrix")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: int, `(B,)` or `(B, 1)`; or one label an item, `(B, L)`.
            y_pred: logits or probabilities, `(B, C)` or `(B, L, C)`.
            sample_weight: `(B,)` or `(B, 1)`, or of the shape of the labels; None for ones.

        Raises:
            ValueError: the shapes do not fit.
        """
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.convert_to_tensor(y_true)
        shape = tuple(y_pred.shape)
        if len(shape) < 2 or shape[-1] != self.num_classes:
            raise ValueError(
                f"{self.name} wants logits with the last axis num_classes={self.num_classes}; got "
                f"the shape {shape}."
            )
        if len(y_true.shape) == len(shape) and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        if len(y_true.shape) != len(shape) - 1:
            raise ValueError(
                f"{self.name} wants one class number for each row of logits {shape}; got labels of "
                f"the shape {tuple(y_true.shape)}. For one-hot labels use keras.metrics.F1Score, "
                "or pass their argmax."
            )
        y_true = ops.cast(y_true, "int32")
        is_class = ops.logical_and(y_true >= 0, y_true < self.num_classes)
        weight = ops.cast(is_class, self.dtype)
        if sample_weight is not None:
            weight = weight * self._weights_like(sample_weight, y_true)
        guess = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        # A sum over cells, not a product of one-hots: accelerators multiply in lower precision.
        cell = ops.where(is_class, y_true, 0) * self.num_classes + guess
        counts = ops.segment_sum(
            ops.reshape(weight, (-1,)), ops.reshape(cell, (-1,)), self.num_classes**2
        )
        counts = ops.reshape(counts, (self.num_classes, self.num_classes))
        self.matrix.assign_add(ops.cast(counts, self.dtype))

    def _weights_like(self, sample_weight, y_true):
        weight = ops.cast(ops.convert_to_tensor(sample_weight), self.dtype)
        rank = len(y_true.shape)
        if len(weight.shape) == rank + 1 and weight.shape[-1] == 1:
            weight = ops.squeeze(weight, -1)
        while len(weight.shape) < rank:
            weight = ops.expand_dims(weight, -1)
        if len(weight.shape) > rank:
            raise ValueError(
                f"{self.name} wants a weight for each row or each label, labels being "
                f"{tuple(y_true.shape)}; got weights of the shape {tuple(weight.shape)}."
            )
        return ops.broadcast_to(weight, ops.shape(y_true))

    def _sums(self):
        """The right, true and predicted weight of each class, `(C,)` each."""
        matrix = ops.convert_to_tensor(self.matrix)
        return ops.diagonal(matrix), ops.sum(matrix, axis=1), ops.sum(matrix, axis=0)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class MatthewsCorrelation(ConfusionMetric):
    """Matthews' correlation coefficient of two or more classes, from labels and logits.

    0 where all labels or all predictions are one class.

    Args:
        num_classes: int. At least 2.
        name: str.
        dtype: str or None.

    Source: Gorodkin 2004.
    """

    def __init__(self, num_classes, name="matthews_correlation", dtype=None):
        super().__init__(num_classes, name, dtype)

    def result(self):
        right, true, predicted = self._sums()
        total = ops.sum(true)

        def summed(first, second):
            """The sum over the classes of products, each factor a part of the whole."""
            return ops.sum(_divided(first, total) * _divided(second, total))

        # Differences are taken of counts, which float32 holds exactly: of shares they would cancel
        # where one class is rare.
        rejected = total - true - predicted + right
        covariance = summed(right, rejected) - summed(true - right, predicted - right)
        spread = summed(true, total - true) * summed(predicted, total - predicted)
        return _divided(covariance, ops.sqrt(spread))


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class SparseF1Score(ConfusionMetric):
    """F1 from class numbers and logits, where `keras.metrics.F1Score` takes one-hot labels.

    Args:
        num_classes: int. At least 2.
        average: str. `"binary"`: of the positive class alone; `"macro"`: the mean of the classes
            that occur among labels or predictions; `"micro"`: all counted together, which for one
            class an example is the accuracy.
        positive: int. The class that counts in `"binary"`.
        name: str.
        dtype: str or None.

    Raises:
        ValueError: there is no such average or no such positive class.
    """

    def __init__(self, num_classes, average="binary", positive=1, name="f1_score", dtype=None):
        super().__init__(num_classes, name, dtype)
        if average not in AVERAGES:
            raise ValueError(
                f"average must be one of {', '.join(AVERAGES)}; got {average!r}."
                + did_you_mean(average, AVERAGES)
            )
        if not 0 <= positive < num_classes:
            raise ValueError(
                f"positive must be a class number from 0 to {num_classes - 1}; got {positive!r}."
            )
        self.average = average
        self.positive = int(positive)

    def result(self):
        right, true, predicted = self._sums()
        if self.average == "micro":
            return _divided(ops.sum(right), ops.sum(true))
        f1 = _divided(2 * right, true + predicted)  # (C,)
        if self.average == "binary":
            return f1[self.positive]
        occurs = ops.cast(true + predicted > 0, f1.dtype)
        return _divided(ops.sum(f1), ops.sum(occurs))

    def get_config(self):
        return {**super().get_config(), "average": self.average, "positive": self.positive}


def _divided(numerator, denominator):
    """The quotient, 0 where the denominator is 0."""
    empty = ops.equal(denominator, 0)
    return ops.where(empty, 0.0, numerator / ops.where(empty, 1.0, denominator))
