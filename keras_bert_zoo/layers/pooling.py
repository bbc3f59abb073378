"""From the hidden states of a text to one vector."""

import keras

from keras_bert_zoo.layers.activations import initializer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Pooler(keras.layers.Layer):
    """A dense tanh layer over the first token's hidden state.

    Args:
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        sequence_output: float, `(B, L, D)`.

    Returns:
        float, `(B, D)`.

    Source: Google's `modeling.BertModel`, scope `pooler`.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range

    def build(self, sequence_shape):
        self.dense = keras.layers.Dense(
            sequence_shape[-1],
            activation="tanh",
            kernel_initializer=initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((sequence_shape[0], sequence_shape[-1]))
        self.built = True

    def call(self, sequence_output):
        return self.dense(sequence_output[:, 0])  # (B, D)

    def compute_output_shape(self, sequence_shape):
        return (sequence_shape[0], sequence_shape[-1])

    def get_config(self):
        return {**super().get_config(), "initializer_range": self.initializer_range}
