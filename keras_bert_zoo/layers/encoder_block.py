"""One Transformer encoder block, with LayerNorm after each sublayer."""

import functools
import itertools

import keras
from keras import ops

from keras_bert_zoo.layers import compiled_block
from keras_bert_zoo.layers.activations import activation_function, for_training
from keras_bert_zoo.layers.attention import SelfAttention
from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.initial_weights import initializer, ones, zeros
from keras_bert_zoo.layers.normalization import LayerNormalization
from keras_bert_zoo.layers.plain_attributes import PlainAttributes
from keras_bert_zoo.layers.rematerialization import rematerialized


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class EncoderBlock(PlainAttributes, keras.layers.Layer):
    """Self-attention and a feed-forward layer, each with dropout, residual and LayerNorm.

    Args:
        num_heads: int. Attention heads, H; must divide the input's width D.
        intermediate_dim: int. Width of the feed-forward layer, F.
        activation: str. One of `config.ACTIVATIONS`. Defaults to `"gelu"`.
        dropout: float. Dropout rate on each sublayer's output. Defaults to 0.1.
        attention_dropout: float. Dropout rate on the attention probabilities. Defaults to 0.1.
        layer_norm_epsilon: float. Defaults to 1e-12.
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.
        remat: bool. Whether training keeps the block's input alone, and computes the rest again
            for the gradients: less memory, more time. Defaults to False.

    Call arguments:
        hidden_states: float, `(B, L, D)`.
        attention_mask: bool, `(B, 1, 1, L)` or `(B, 1, L, L)`, optional. See `AttentionMask`.
        first_token_only: bool. Whether the other tokens' output is left out, where nothing reads
            it. Defaults to False.

    Returns:
        float, `(B, L, D)`; `(B, 1, D)` with `first_token_only`.

    Source: Devlin et al. 2018, §3; Google's `modeling.transformer_model`.
    """

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        activation="gelu",
        dropout=0.1,
        attention_dropout=0.1,
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        remat=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.remat = remat
        self.activate = activation_function(activation)

    def build(self, hidden_shape):
        hidden_dim = hidden_shape[-1]
        self.attention = SelfAttention(
            self.num_heads,
            dropout=self.attention_dropout,
            initializer_range=self.initializer_range,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, name="dropout")
        self.attention_norm = self._norm("attention_norm")
        self.intermediate = self._dense(self.intermediate_dim, "intermediate")
        self.output_dense = self._dense(hidden_dim, "output")
        self.output_norm = self._norm("output_norm")

        self.attention.build(hidden_shape)
        self.attention_norm.build(hidden_shape)
        self.intermediate.build(hidden_shape)
        self.output_dense.build((*hidden_shape[:-1], self.intermediate_dim))
        self.output_norm.build(hidden_shape)
        self.built = True

    def call(self, hidden_states, attention_mask=None, training=None, first_token_only=False):
        if not training and type(self) is EncoderBlock:  # a subclass may have changed any step
            if keras.backend.backend() == "torch":
                from keras_bert_zoo.layers import torch_block

                if torch_block.suits(self):
                    mask = torch_block.read_mask(attention_mask)
                    return torch_block.encode(self, hidden_states, mask, first_token_only)
            elif compiled_block.suits(self, hidden_states):
                return compiled_block.encode(self, hidden_states, attention_mask, first_token_only)
        options = {"training": training, "first_token_only": first_token_only}
        encode = functools.partial(self._encode, attention_mask=attention_mask, **options)
        if not (self.remat and training):
            return encode(hidden_states)
        usual = type(self) is EncoderBlock and type(self.attention) is SelfAttention
        if keras.backend.backend() == "tensorflow" and usual:
            return self._rematerialized_in_two(hidden_states, attention_mask, options)
        return rematerialized(self, encode, hidden_states)

    def _encode(self, hidden_states, attention_mask, training, first_token_only):
        options = {"training": training, "first_token_only": first_token_only}
        attended = self.attention(hidden_states, attention_mask=attention_mask, **options)
        return self._finish(hidden_states, attended, **options)

    def _rematerialized_in_two(self, hidden_states, attention_mask, options):
        """As `_encode`, where the context of attention is kept besides the block's input.

        It is not computed again then: its gradients draw the probabilities that they need, a row
        at a time, and never hold all of them.
        """
        passes = itertools.count()

        def attend(hidden_states):
            # The first pass alone is read. TensorFlow would compute the second's for nothing.
            kernel = {"kept": False, "wanted": next(passes) == 0}
            return self.attention.context(hidden_states, attention_mask, **options, **kernel)

        def finish(hidden_states, context):
            return self._finish(hidden_states, self.attention.output_dense(context), **options)

        context = rematerialized(self, attend, hidden_states)
        return rematerialized(self, finish, hidden_states, context)

    def _finish(self, hidden_states, attended, training, first_token_only):
        """The block's output, of its input and what attention makes of it."""
        attended = self.dropout_layer(attended, training=training)
        if first_token_only:
            hidden_states = hidden_states[:, :1]
        attended = hidden_states + attended
        hidden_states = self.attention_norm(attended, training=training)  # (B, L, D)

        activate = for_training(self.activate) if training else self.activate
        # Of two axes: TensorFlow joins product, bias and activation of those alone.
        rows = ops.reshape(hidden_states, (-1, hidden_states.shape[-1]))
        expanded = activate(self.intermediate(rows))  # (B L, F)
        output = ops.reshape(self.output_dense(expanded), ops.shape(hidden_states))
        output = self.dropout_layer(output, training=training)
        return self.output_norm(hidden_states + output, training=training)  # (B, L, D)

    def _dense(self, units, name):
        return Dense(
            units,
            kernel_initializer=initializer(self.initializer_range),
            bias_initializer=zeros(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _norm(self, name):
        return LayerNormalization(
            epsilon=self.layer_norm_epsilon,
            gamma_initializer=ones(),
            beta_initializer=zeros(),
            dtype=self.dtype_policy,
            name=name,
        )

    def compute_output_shape(self, hidden_shape):
        return hidden_shape

    def compute_output_spec(
        self, hidden_states, attention_mask=None, training=None, first_token_only=False
    ):
        return self.attention.compute_output_spec(hidden_states, first_token_only=first_token_only)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
            "remat": self.remat,
        }
