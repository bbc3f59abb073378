"""Both of BERT's pre-training objectives over one encoder."""

import keras
import numpy as np
from keras import ops, tree

from keras_bert_zoo.data.labels import example_weights
from keras_bert_zoo.layers.heads import MaskedLMHead, NextSentenceHead
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Pretrainer(Task):
    """Masked language model and next sentence prediction, on batches that are masked already.

    Args:
        backbone: Backbone with a pooler.
        preprocessor: Preprocessor or None. Its tokenizer travels with the model.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`, and
            mask_positions: int, `(B, P)`. Where tokens were masked; the weights of positions that
                only fill up a row belong in `sample_weight`.

    Returns:
        dict of `masked_lm`, float, `(B, P, V)`, and `next_sentence`, float, `(B, 2)`. Logits;
        class 0 of the latter is "is the next".

    Raises:
        ValueError: the backbone has no pooler.

    Source: Devlin et al. 2018, §3.1; Google's `run_pretraining.py`.
    """

    head_groups = ("masked_lm", "next_sentence")

    def __init__(self, backbone, preprocessor=None, frozen="nothing", name=None, trainable=True):
        if not backbone.config.pooler:
            raise ValueError("Pretrainer needs a backbone with pooler=True.")
        config = backbone.config

        # === Layers ===
        masked_lm = MaskedLMHead.for_encoder(
            config, backbone.embeddings, dtype=backbone.dtype_policy, name="masked_lm"
        )
        next_sentence = NextSentenceHead(
            config.initializer_range, dtype=backbone.dtype_policy, name="next_sentence"
        )

        # === Functional model ===
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        encoded = backbone(backbone.input)
        outputs = {
            "masked_lm": masked_lm(encoded["sequence_output"], positions),  # (B, P, V)
            "next_sentence": next_sentence(encoded["pooled_output"]),  # (B, 2)
        }
        super().__init__(
            backbone,
            outputs=outputs,
            inputs={**backbone.input, "mask_positions": positions},
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    def default_compile(self):
        return {
            "optimizer": create_optimizer(1e-4),
            "loss": {
                name: keras.losses.SparseCategoricalCrossentropy(from_logits=True)
                for name in self.head_groups
            },
            "weighted_metrics": {
                name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
                for name in self.head_groups
            },
        }

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
        if not isinstance(y, dict) or set(y) != set(self.head_groups):
            raise ValueError(f"Labels must be a dict of {' and '.join(self.head_groups)}.")
        y = tree.map_structure(lambda leaf: np.asarray(leaf, "int32"), y)
        for name, most in (("masked_lm", self.config.vocabulary_size), ("next_sentence", 2)):
            wrong = np.argwhere((y[name] < 0) | (y[name] >= most))
            if len(wrong):
                where = ", ".join(map(str, wrong[0]))
                raise ValueError(
                    f"y[{name!r}][{where}] is {y[name][tuple(wrong[0])]}; it should be from 0 to "
                    f"{most - 1}. What does not count gets a sample weight of 0."
                )
        return y

    def encode_weights(self, sample_weight, y):
        if not isinstance(sample_weight, dict):
            weights = example_weights(sample_weight, len(y["next_sentence"]))
            return dict.fromkeys(self.head_groups, weights)
        if set(sample_weight) != set(self.head_groups):
            raise ValueError(
                f"Sample weights must be an array, or a dict of {' and '.join(self.head_groups)}."
            )
        for name, weights in sample_weight.items():
            by_row = weights.size == len(weights)
            if not by_row and weights.shape != y[name].shape:
                raise ValueError(
                    f"sample_weight[{name!r}] has the shape {weights.shape}; it should have one "
                    f"weight an example, or the shape {y[name].shape} of the labels."
                )
        return sample_weight


def _by_position(sample_weight, y_pred):
    """The weights, those of rows made to hold for each position of their row."""
    if not isinstance(sample_weight, dict):
        return sample_weight
    # Not by asking for the rank: TensorFlow forgets it where both kinds were seen.
    rows = ops.shape(y_pred["next_sentence"])[0]
    by_position = ops.reshape(sample_weight["masked_lm"], (rows, -1))  # (B, 1) or (B, P)
    return {**sample_weight, "masked_lm": by_position}
