"""Token, position and segment embeddings, summed and normalised."""

import keras
from keras import ops

from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.layers.normalization import LayerNormalization


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class EncoderEmbeddings(keras.layers.Layer):
    """Sums token, position and segment embeddings, then LayerNorm and dropout.

    Args:
        vocabulary_size: int. Number of token ids, V.
        embedding_dim: int. Width of the embeddings, E.
        max_sequence_length: int. Longest input, in tokens.
        num_segments: int. Number of segment ids; 0 for none. Defaults to 2.
        position_offset: int. Row of the position table for the first token. Defaults to 0.
        dropout: float. Dropout rate after the LayerNorm. Defaults to 0.1.
        layer_norm_epsilon: float. Defaults to 1e-12.
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        token_ids: int, `(B, L)`. Ids in `[0, V)`.
        segment_ids: int, `(B, L)`, optional. Ids in `[0, num_segments)`; segment 0 where absent.

    Returns:
        float, `(B, L, E)`.

    Raises:
        ValueError: the input is longer than `max_sequence_length`.

    Source: Devlin et al. 2018, figure 2.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        max_sequence_length,
        num_segments=2,
        position_offset=0,
        dropout=0.1,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.position_offset = position_offset
        self.dropout = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range

        self.token_embedding = self._table(vocabulary_size, "token_embedding")
        self.position_embedding = self._table(
            max_sequence_length + position_offset, "position_embedding"
        )
        self.segment_embedding = None
        if num_segments:
            self.segment_embedding = self._table(num_segments, "segment_embedding")
        self.norm = LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.dropout_layer = Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _table(self, rows, name):
        return keras.layers.Embedding(
            rows,
            self.embedding_dim,
            embeddings_initializer=initializer(self.initializer_range),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, token_ids_shape, segment_ids_shape=None, position_ids_shape=None):
        self.token_embedding.build(token_ids_shape)
        self.position_embedding.build((None,))
        if self.segment_embedding is not None:
            self.segment_embedding.build(token_ids_shape)
        self.norm.build((*token_ids_shape, self.embedding_dim))
        self.built = True

    def call(self, token_ids, segment_ids=None, position_ids=None, training=None):
        if position_ids is None:
            self.check_length(token_ids.shape[1])
            position_ids = ops.arange(ops.shape(token_ids)[1], dtype="int32")
        embedded = self.token_embedding(token_ids)  # (B, L, E)
        embedded = embedded + self.position_embedding(position_ids + self.position_offset)
        if self.segment_embedding is not None:
            if segment_ids is None:
                segment_ids = ops.zeros_like(token_ids)
            embedded = embedded + self.segment_embedding(segment_ids)
        return self.dropout_layer(self.norm(embedded, training=training), training=training)

    def check_length(self, length):
        """Raises where an input is too long.

        Args:
            length: int or None. In tokens; None where it is not known yet.

        Raises:
            ValueError: there are fewer positions.
        """
        if length is not None and length > self.max_sequence_length:
            raise ValueError(
                f"The input is {length} tokens long; max_sequence_length is "
                f"{self.max_sequence_length}. Cut or window the input."
            )

    def compute_output_shape(
        self, token_ids_shape, segment_ids_shape=None, position_ids_shape=None
    ):
        return (*token_ids_shape, self.embedding_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "position_offset": self.position_offset,
            "dropout": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }
