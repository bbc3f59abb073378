"""Training on batches that may be filled up with rows of padding alone."""

import functools

import keras
from keras import ops, tree

from keras_bert_zoo.encoder_inputs import EncoderModel

# Reductions that divide by the number of rows, filled ones included.
_MEAN_REDUCTIONS = ("sum_over_batch_size", "mean")


class FilledBatchModel(EncoderModel):
    """A model whose loss and metrics are those of the real rows. Abstract.

    So that compiled backends meet few shapes, partial batches are filled up with rows that hold
    padding alone and have the sample weight 0. Here they leave no trace: losses that are means
    are means over the real rows, the epoch's loss counts each batch by its real rows, and no
    metric sees the others.

    A subclass gives `default_compile`.
    """

    # Whether labels and weights stand for positions, of which most may not count.
    by_position = False
    # What to say where the loss cannot be chosen.
    own_loss = None

    def default_compile(self):
        """A dict of `optimizer`, `loss` and `metrics` or `weighted_metrics`."""
        raise NotImplementedError

    def count_for_loss(self, real, sample_weight):
        """By how much a batch's loss counts in that of the epoch.

        Args:
            real: float32, `(B,)`. 1 for each row with a real token, else 0.
            sample_weight: nest of arrays, or None.
        """
        return ops.sum(real)

    def weights_of_metrics(self, real, y, sample_weight):
        """The weights for metrics that are to take no sample weights; as for `count_for_loss`."""
        return tree.map_structure(lambda _: real, y)

    def compile(
        self, optimizer="auto", loss="auto", *, metrics="auto", weighted_metrics=None, **kwargs
    ):
        """As `keras.Model.compile`, with defaults that fit the task.

        Args:
            optimizer, loss, metrics: as for Keras; `"auto"` is the task's own choice.
            weighted_metrics: as for Keras. Instead of `metrics`, not beside them.
            **kwargs: as for Keras.

        Raises:
            ValueError: both kinds of metrics are given.
        """
        # A partial, since Keras would track the metrics in a plain dict a second time.
        self._given = functools.partial(
            dict,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            **kwargs,
        )
        defaults = self.default_compile()
        if _is_auto(loss) and "loss_weights" in defaults:
            kwargs.setdefault("loss_weights", defaults["loss_weights"])
        if not _is_auto(loss) and self.own_loss:
            raise ValueError(f"{type(self).__name__} {self.own_loss}; leave loss at its default.")
        loss = defaults["loss"] if _is_auto(loss) else tree.map_structure(_on_logits, loss)
        if self.by_position:
            loss = tree.map_structure(_over_weights, loss)
        if _is_auto(metrics):
            metrics = None if weighted_metrics else defaults.get("metrics")
            weighted_metrics = weighted_metrics or defaults.get("weighted_metrics")
        if metrics and weighted_metrics:
            raise ValueError("Pass either metrics or weighted_metrics, not both.")
        # All go to Keras as weighted ones, so that rows which only fill up a batch never count;
        # `compute_metrics` chooses the weights.
        self._metrics_are_weighted = bool(weighted_metrics)
        self._loss_is_mean = all(
            getattr(one, "reduction", _MEAN_REDUCTIONS[0]) in _MEAN_REDUCTIONS
            for one in tree.flatten(loss)
        )
        super().compile(
            optimizer=defaults["optimizer"] if _is_auto(optimizer) else optimizer,
            loss=loss,
            # Given None, Keras would keep the metrics of an earlier compile.
            weighted_metrics=weighted_metrics or metrics or [],
            **kwargs,
        )
        # Past Keras's tracking, which would list the tracker among the metrics twice.
        object.__setattr__(self, "_loss_tracker", RealRowsMean(name="loss"))

    def compile_again(self):
        """Compiles as before, with the optimizer in its first state."""
        optimizer = self.optimizer
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        fresh = type(optimizer).from_config(optimizer.get_config())
        self.compile(**{**self._given(), "optimizer": fresh})

    def get_compile_config(self):
        config = super().get_compile_config()
        if config and not self._metrics_are_weighted:
            config["metrics"], config["weighted_metrics"] = config["weighted_metrics"], None
        if config:
            config["optimizer_built"] = self.optimizer.built
        return config

    def compile_from_config(self, config):
        config = dict(config)
        built = config.pop("optimizer_built", True)
        given = keras.saving.deserialize_keras_object(config)
        if self.own_loss:
            given["loss"] = "auto"
        self.compile(**given)
        if built:  # its variables can only be loaded where they exist
            self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if isinstance(x, dict) and sample_weight is not None and self._loss_is_mean:
            share = ops.mean(_real_rows(x))
            sample_weight = tree.map_structure(lambda leaf: leaf / share, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(x, dict):
            sample_weight = ones_for_none(sample_weight, y)
            real = _real_rows(x)  # (B,)
            self._loss_tracker.weigh(self.count_for_loss(real, sample_weight))
            if not self._metrics_are_weighted:
                sample_weight = self.weights_of_metrics(real, y, sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)


class RealRowsMean(keras.metrics.Mean):
    """The mean loss of batches, each counted by its real rows.

    Keras updates it with a batch's loss and all of its rows, filled ones included, just before
    `compute_metrics`, which then tells the real ones by `weigh`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._loss = None

    def update_state(self, values, sample_weight=None):
        self._loss = values

    def weigh(self, rows):
        """Takes the latest loss in, with so many rows."""
        if self._loss is not None:
            super().update_state(self._loss, sample_weight=rows)
            self._loss = None


def _on_logits(loss):
    """A loss that takes logits, which is what the models here give.

    Raises:
        ValueError: it is set to take probabilities.
    """
    if isinstance(loss, str):
        found = keras.losses.get(loss)
        name = getattr(found, "__name__", type(found).__name__)
        named = {
            "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
            "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
            "binary_crossentropy": keras.losses.BinaryCrossentropy,
            "binary_focal_crossentropy": keras.losses.BinaryFocalCrossentropy,
            "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
        }
        return named[name](from_logits=True) if name in named else loss
    if isinstance(loss, keras.losses.Loss) and loss.get_config().get("from_logits") is False:
        raise ValueError(
            f"{type(loss).__name__} is set to take probabilities, but this model gives logits; "
            "pass from_logits=True."
        )
    return loss


def _over_weights(loss):
    """A mean loss as the mean over what counts, whatever the number of positions."""
    if not isinstance(loss, keras.losses.Loss) or loss.reduction not in _MEAN_REDUCTIONS:
        return loss
    return type(loss).from_config({**loss.get_config(), "reduction": "mean_with_sample_weight"})


def ones_for_none(sample_weight, y):
    """The sample weights; ones for each label where there are none."""
    if sample_weight is not None:
        return sample_weight
    return tree.map_structure(lambda leaf: ops.ones_like(leaf, dtype="float32"), y)


def _is_auto(argument):
    return isinstance(argument, str) and argument == "auto"


def _real_rows(x):
    """1 for each row with a real token, else 0: float32, `(B,)`."""
    mask = x.get("padding_mask")
    if mask is None:
        mask = ops.ones_like(x["token_ids"])
    real = ops.any(ops.not_equal(mask, 0), axis=tuple(range(1, len(mask.shape))))
    return ops.cast(real, "float32")
