"""From rows of several choices to rows of one, and back."""

import keras
from keras import ops

# The logit of a choice that is not there: float16 holds it.
ABSENT = -3e4


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class FlattenChoices(keras.layers.Layer):
    """Makes each choice a row of its own.

    Call arguments:
        inputs: `(B, N, L)`.

    Returns:
        `(B * N, L)`.
    """

    def call(self, inputs):
        return ops.reshape(inputs, (-1, ops.shape(inputs)[2]))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((None, inputs.shape[2]), dtype=inputs.dtype)


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class GroupChoices(keras.layers.Layer):
    """Puts the scores of a prompt's choices side by side; absent choices get no chance.

    Call arguments:
        scores: float, `(B * N, 1)`.
        padding_mask: `(B, N, L)`. All 0 where a choice is absent.

    Returns:
        float, `(B, N)`. Next to minus infinity for absent choices.
    """

    def call(self, scores, padding_mask):
        present = ops.any(ops.not_equal(padding_mask, 0), axis=-1)  # (B, N)
        scores = ops.reshape(scores, ops.shape(present))
        return ops.where(present, scores, ops.cast(ABSENT, scores.dtype))

    def compute_output_spec(self, scores, padding_mask):
        return keras.KerasTensor(padding_mask.shape[:2], dtype=scores.dtype)
