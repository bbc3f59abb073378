"""BERT's pre-training objectives over one encoder."""

import keras
import numpy as np
from keras import ops, tree

from keras_bert_zoo.data.checks import check_flag
from keras_bert_zoo.data.labels import example_weights
from keras_bert_zoo.data.pretraining.batches import PretrainingBatches
from keras_bert_zoo.layers.heads import MaskedLMHead, NextSentenceHead
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.training.checkpoints import TrainingCheckpoints
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Pretrainer(Task):
    """Masked language model and a judgement of sentence pairs, learned together.

    `PretrainingBatches` are what it learns from; arrays that are masked already will do as well.

    Args:
        backbone: Backbone, with a pooler unless `sentence_pairs` is False.
        preprocessor: Preprocessor or None. Its tokenizer travels with the model.
        sentence_pairs: bool. Whether the second objective is learned too: next sentence, or the
            order of sentences, as the data has it. False for masked language model alone, which
            needs no pooler.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`, and
            mask_positions: int, `(B, P)`. Where tokens were masked; the weights of positions that
                only fill up a row belong in `sample_weight`.

    Returns:
        dict of `masked_lm`, float, `(B, P, V)`, and with sentence pairs `next_sentence`, float,
        `(B, 2)`. Logits; class 0 of the latter is "is the next", or "in order".

    Raises:
        ValueError: the backbone has no pooler, but the second objective needs it.

    Source: Devlin et al. 2018, §3.1; Google's `run_pretraining.py`.
    """

    head_groups = ("masked_lm", "next_sentence")
    by_position = True

    def __init__(
        self,
        backbone,
        preprocessor=None,
        sentence_pairs=True,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        if check_flag("sentence_pairs", sentence_pairs) and not backbone.config.pooler:
            raise ValueError(
                "Pretrainer needs a backbone with pooler=True, or sentence_pairs=False."
            )
        config = backbone.config

        # === Layers ===
        masked_lm = MaskedLMHead.for_encoder(
            config, backbone.embeddings, dtype=backbone.dtype_policy, name="masked_lm"
        )

        # === Functional model ===
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        encoded = backbone(backbone.input)
        outputs = {"masked_lm": masked_lm(encoded["sequence_output"], positions)}  # (B, P, V)
        if sentence_pairs:
            next_sentence = NextSentenceHead(
                config.initializer_range, dtype=backbone.dtype_policy, name="next_sentence"
            )
            outputs["next_sentence"] = next_sentence(encoded["pooled_output"])  # (B, 2)
        super().__init__(
            backbone,
            outputs=outputs,
            encoded=encoded,
            inputs={**backbone.input, "mask_positions": positions},
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    @property
    def sentence_pairs(self):
        """Whether the second objective is there."""
        return "next_sentence" in self.output

    @property
    def _unused(self):
        return () if self.sentence_pairs else ("pooler",)

    def task_config(self):
        return {**super().task_config(), "sentence_pairs": self.sentence_pairs}

    def default_compile(self):
        return {
            "optimizer": create_optimizer(1e-4),
            "loss": {
                # Means over what counts: hidden tokens, and rows.
                name: keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, reduction="mean_with_sample_weight"
                )
                for name in self.output
            },
            "weighted_metrics": {
                name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
                for name in self.output
            },
        }

    def fit(self, x=None, *arguments, checkpoints=None, callbacks=None, initial_epoch=0, **options):
        """As `TextModel.fit`; on `PretrainingBatches`, with a training that can be interrupted.

        Args:
            x: PretrainingBatches, another dataset, or id arrays.
            *arguments, callbacks, initial_epoch, **options: as for `TextModel.fit`.
            checkpoints: str, Path or None. A folder for the training's state, written at the end
                of each epoch. Where it holds one already, the training goes on from there, on
                whichever backend, with the batches that would have come next; `epochs` counts
                from the first beginning.

        Returns:
            `keras.callbacks.History`, of the epochs before as well.

        Raises:
            CheckpointError: the state is of another model, optimizer or data, or damaged.
            ValueError: `checkpoints` without PretrainingBatches, whose batches can be found again;
                batches that do not fit the model; `steps_per_epoch` beside the batches' own
                `steps`, or `initial_epoch` beside `checkpoints`.
        """
        for data in (x, options.get("validation_data")):
            if isinstance(data, PretrainingBatches):
                self._check_batches(data)
        kept, before = [], None
        if checkpoints is not None:
            if not isinstance(x, PretrainingBatches):
                raise ValueError("checkpoints need PretrainingBatches as x.")
            if initial_epoch:
                raise ValueError("checkpoints know the initial_epoch: leave it out.")
            keeper = TrainingCheckpoints(checkpoints, x.identity)
            initial_epoch = keeper.restore(self)
            kept, before = [keeper], list(keeper.logged)
            x.epoch = initial_epoch
        if isinstance(x, PretrainingBatches):
            if options.get("steps_per_epoch") is not None:
                raise ValueError("Give PretrainingBatches their steps instead of steps_per_epoch.")
            kept.append(_EpochOfBatches(x, initial_epoch))
        history = super().fit(
            x,
            *arguments,
            callbacks=[*kept, *tree.flatten(callbacks or [])],
            initial_epoch=initial_epoch,
            **options,
        )
        if before is not None:
            _prepend(history, before)
        return history

    def _check_batches(self, batches):
        """Raises where batches do not fit the model."""
        if batches.max_length > self.config.max_sequence_length:
            raise ValueError(
                f"The rows have up to {batches.max_length} tokens; the backbone's "
                f"max_sequence_length is {self.config.max_sequence_length}."
            )
        largest = max(int(batches.masker.ordinary_ids.max()), batches.masker.mask_id)
        if largest >= self.config.vocabulary_size:
            raise ValueError(
                f"The rows are of a vocabulary with ids up to {largest}; the backbone's has "
                f"{self.config.vocabulary_size} tokens."
            )
        first = batches.rows[0]
        if self.sentence_pairs and first.first_length == len(first):
            raise ValueError(
                "The rows have one segment, so there is no pair to judge: make the Pretrainer with "
                "sentence_pairs=False."
            )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        weight = _by_position(sample_weight, y_pred)
        return super().compute_loss(x, y, y_pred, weight, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, y_pred, _by_position(sample_weight, y_pred))

    def samples(self):
        raise NotImplementedError(
            "Pretrainer is not exported: write it with export_to_transformers and read the folder "
            "as MaskedLM, NextSentencePredictor or TextEmbedder."
        )

    def encode_labels(self, y):
        if not isinstance(y, dict) or not set(self.output) <= set(y) <= set(self.head_groups):
            raise ValueError(f"Labels must be a dict of {' and '.join(self.output)}.")
        y = {name: np.asarray(y[name], "int32") for name in self.output}
        for name, labels in y.items():
            most = self.config.vocabulary_size if name == "masked_lm" else 2
            wrong = np.argwhere((labels < 0) | (labels >= most))
            if len(wrong):
                where = ", ".join(map(str, wrong[0]))
                raise ValueError(
                    f"y[{name!r}][{where}] is {labels[tuple(wrong[0])]}; it should be from 0 to "
                    f"{most - 1}. What does not count gets a sample weight of 0."
                )
        return y

    def encode_weights(self, sample_weight, y):
        if not isinstance(sample_weight, dict):
            weights = example_weights(sample_weight, len(y["masked_lm"]))
            return dict.fromkeys(self.output, weights)
        if not set(self.output) <= set(sample_weight) <= set(self.head_groups):
            raise ValueError(
                f"Sample weights must be an array, or a dict of {' and '.join(self.output)}."
            )
        sample_weight = {name: sample_weight[name] for name in self.output}
        for name, weights in sample_weight.items():
            by_row = weights.size == len(weights)
            if not by_row and weights.shape != y[name].shape:
                raise ValueError(
                    f"sample_weight[{name!r}] has the shape {weights.shape}; it should have one "
                    f"weight an example, or the shape {y[name].shape} of the labels."
                )
        return sample_weight


class _EpochOfBatches(keras.callbacks.Callback):
    """Tells batches which epoch it is; they go on from where an earlier `fit` left them.

    The batches cannot count by themselves: on TensorFlow Keras walks them once before the first.
    """

    def __init__(self, batches, initial_epoch):
        super().__init__()
        self.batches = batches
        self.before = batches.epoch - initial_epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = self.before + epoch

    def on_epoch_end(self, epoch, logs=None):
        self.batches.epoch = self.before + epoch + 1


def _prepend(history, logged):
    """Puts epochs of an earlier part of a training before those of a History."""
    history.epoch = [*range(len(logged)), *history.epoch]
    for logs in reversed(logged):
        for name, value in logs.items():
            history.history.setdefault(name, []).insert(0, value)


def _by_position(sample_weight, y_pred):
    """The weights, those of rows made to hold for each position of their row."""
    if not isinstance(sample_weight, dict):
        return sample_weight
    # Not by asking for the rank: TensorFlow forgets it where both kinds were seen.
    rows, positions, _ = ops.shape(y_pred["masked_lm"])
    by_position = ops.reshape(sample_weight["masked_lm"], (rows, -1))  # (B, 1) or (B, P)
    by_position = ops.broadcast_to(by_position, (rows, positions))
    return {**sample_weight, "masked_lm": by_position}
