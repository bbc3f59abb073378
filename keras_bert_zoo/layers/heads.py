"""The two pre-training heads: masked language model and next sentence."""

import keras
from keras import ops

from keras_bert_zoo.layers.activations import activation_function, for_training
from keras_bert_zoo.layers.dense import Dense, affine
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.layers.normalization import LayerNormalization


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class MaskedLMHead(keras.layers.Layer):
    """Predicts tokens from hidden states, with the token embeddings as the decoder.

    Args:
        embeddings: `EncoderEmbeddings`, or a `keras.layers.Embedding`. The layer of the model
            that holds the token table, `(V, E)`, whose transpose decodes. It must be a layer of
            the model itself: of one inside another layer, loading would make a second.
        activation: str. One of `config.ACTIVATIONS`. Defaults to `"gelu"`.
        layer_norm_epsilon: float. Defaults to 1e-12.
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        sequence_output: float, `(B, L, D)`.
        mask_positions: int, `(B, P)`, optional. Where to predict; everywhere when absent. Only
            these positions are decoded, which saves most of the work at P << L.

    Returns:
        float, `(B, P, V)`, or `(B, L, V)` without `mask_positions`. Logits.

    Source: Google's `run_pretraining.get_masked_lm_output`.
    """

    def __init__(
        self,
        embeddings,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.embeddings = embeddings
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.activate = activation_function(activation)

    @classmethod
    def for_encoder(cls, config, embeddings, **kwargs):
        """The head as an encoder's own code makes it.

        Args:
            config: EncoderConfig.
            embeddings: EncoderEmbeddings of that encoder.
            **kwargs: as for `keras.layers.Layer`.
        """
        return cls(
            embeddings,
            activation=config.activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            **kwargs,
        )

    @property
    def token_embedding(self):
        """The layer whose table decodes."""
        return getattr(self.embeddings, "token_embedding", self.embeddings)

    def build(self, sequence_output_shape, mask_positions_shape=None):
        if not self.embeddings.built:
            self.embeddings.build((None, None))
        embedding_dim = self.token_embedding.output_dim
        self.dense = Dense(
            embedding_dim,
            kernel_initializer=initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.dense.build(sequence_output_shape)
        self.norm.build((*sequence_output_shape[:-1], embedding_dim))
        self.bias = self.add_weight(
            shape=(self.token_embedding.input_dim,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, sequence_output, mask_positions=None, training=False):
        if mask_positions is not None:
            mask_positions = ops.cast(mask_positions, "int32")
            sequence_output = ops.take_along_axis(
                sequence_output, ops.expand_dims(mask_positions, -1), axis=1
            )  # (B, P, D)
        activate = for_training(self.activate) if training else self.activate
        transformed = activate(self.dense(sequence_output))
        transformed = self.norm(transformed, training=training)  # (B, P, E)
        table = ops.cast(self.token_embedding.embeddings, self.compute_dtype)  # (V, E)
        if getattr(self.token_embedding, "quantization_mode", None) is not None:
            scale = ops.cast(self.token_embedding.embeddings_scale, self.compute_dtype)
            table = table / ops.reshape(scale, (-1, 1))
        bias = ops.cast(self.bias, self.compute_dtype)
        return affine(transformed, ops.transpose(table), bias)  # (B, P, V)

    def compute_output_shape(self, sequence_output_shape, mask_positions_shape=None):
        batch, length, _ = sequence_output_shape
        if mask_positions_shape is not None:
            length = mask_positions_shape[1]
        return (batch, length, self.token_embedding.input_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "embeddings": keras.saving.serialize_keras_object(self.embeddings),
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        embeddings = keras.saving.deserialize_keras_object(config.pop("embeddings"))
        return cls(embeddings, **config)


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class NextSentenceHead(keras.layers.Layer):
    """Tells whether the second segment follows the first in its document.

    Args:
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        pooled_output: float, `(B, D)`.

    Returns:
        float, `(B, 2)`. Logits; class 0 is "is the next", as in Google's code.

    Source: Google's `run_pretraining.get_next_sentence_output`.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range

    def build(self, pooled_shape):
        self.dense = Dense(
            2,
            kernel_initializer=initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build(pooled_shape)
        self.built = True

    def call(self, pooled_output):
        return self.dense(pooled_output)  # (B, 2)

    def compute_output_shape(self, pooled_shape):
        return (pooled_shape[0], 2)

    def get_config(self):
        return {**super().get_config(), "initializer_range": self.initializer_range}
