"""Multi-head self-attention with one fused query-key-value projection."""

import functools
import math

import keras
from keras import ops

from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.devices import is_cpu
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.dropout_steps import STEPS
from keras_bert_zoo.layers.initial_weights import initializer, zeros
from keras_bert_zoo.layers.plain_attributes import PlainAttributes


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class SelfAttention(PlainAttributes, keras.layers.Layer):
    """Scaled dot-product self-attention and its output projection.

    Query, key and value come from one dense layer whose kernel `(D, 3 D)` holds the three side by
    side. A fused operation does the rest: PyTorch's own kernel, elsewhere
    `keras.ops.dot_product_attention`, or for inference on JAX's CPUs a few rows at a time. While
    attention dropout is drawn, that is PyTorch's on GPUs alone, as no other draws it; JAX and
    TensorFlow then go step by step, by gradients of their own that need less memory
    (`dropped_attention`). JAX has no fused one in float16 on the CPU, nor in training for one
    query.

    Args:
        num_heads: int. Attention heads, H; must divide the input's width D.
        dropout: float. Dropout rate on the attention probabilities. Defaults to 0.1.
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        hidden_states: float, `(B, L, D)`.
        attention_mask: bool, `(B, 1, 1, L)` or `(B, 1, L, L)`, optional. True where a query
            (third axis) may look at a key (last axis). See `AttentionMask`.
        first_token_only: bool. Whether the first token alone is a query. Defaults to False.

    Returns:
        float, `(B, L, D)`; `(B, 1, D)` with `first_token_only`.

    Raises:
        ValueError: D does not divide by `num_heads`.

    Source: Vaswani et al. 2017, §3.2; Devlin et al. 2018, §3.
    """

    def __init__(self, num_heads, dropout=0.1, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.probability_dropout = Dropout(
            dropout, dtype=self.dtype_policy, name="probability_dropout"
        )

    def build(self, hidden_shape):
        hidden_dim = hidden_shape[-1]
        if hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim must divide by num_heads; got {hidden_dim} and {self.num_heads}."
            )
        self.head_dim = hidden_dim // self.num_heads
        self.qkv = Dense(
            3 * hidden_dim,
            kernel_initializer=initializer(self.initializer_range),
            bias_initializer=zeros(),
            dtype=self.dtype_policy,
            name="qkv",
        )
        self.output_dense = Dense(
            hidden_dim,
            kernel_initializer=initializer(self.initializer_range),
            bias_initializer=zeros(),
            dtype=self.dtype_policy,
            name="output",
        )
        self.qkv.build(hidden_shape)
        self.output_dense.build(hidden_shape)
        self.built = True

    def call(self, hidden_states, attention_mask=None, training=None, first_token_only=False):
        return self.output_dense(
            self.context(hidden_states, attention_mask, training, first_token_only)
        )

    def context(self, hidden_states, attention_mask, training, first_token_only, **options):
        """What the output projection takes.

        Args:
            hidden_states, attention_mask, training, first_token_only: as for the layer.
            **options: for TensorFlow's `dropped_attention`, where that is taken.

        Returns:
            float, `(B, L, D)`; `(B, 1, D)` with `first_token_only`.
        """
        query, key, value = self._project(hidden_states)  # (B, L, H, K) each
        if first_token_only:
            query = query[:, :1]
            attention_mask = None if attention_mask is None else attention_mask[:, :, :1]
        dropout = self.dropout if training else 0.0
        attend = fused_attention(query, dropout, training) or functools.partial(
            self._attend, training=dropout > 0, **options
        )
        context = attend(query, key, value, mask=attention_mask)  # (B, L, H, K)
        batch, length, width = ops.shape(hidden_states)
        return ops.reshape(context, (batch, 1 if first_token_only else length, width))

    def probabilities(self, hidden_states, attention_mask=None):
        """The attention probabilities of an input, float, `(B, H, L, L)`; no dropout."""
        query, key, _ = map(_heads_first, self._project(hidden_states))
        return self._probabilities(query, key, attention_mask)

    def _attend(self, query, key, value, mask, training, **options):
        """Attention step by step.

        Args:
            query, key, value: float, `(B, L, H, K)`; of queries there may be one.
            mask: bool, broadcast to `(B, H, L, L)`, or None.
            training: bool. Whether dropout is drawn.
            **options: for the backend's `dropped_attention`.

        Returns:
            float, of the query's shape.
        """
        query, key, value = map(_heads_first, (query, key, value))
        dropout = self.probability_dropout
        kernel = _dropped_attention() if training and 0 < dropout.steps < STEPS else None
        if kernel is not None:
            if mask is not None:  # of fewer axes, or whole numbers, too
                mask = ops.cast(mask, "bool")
                mask = ops.reshape(mask, (*[1] * (4 - len(mask.shape)), *ops.shape(mask)))
            seed = dropout.seed_generator.next()
            return _heads_first(kernel(query, key, value, seed, dropout.steps, mask, **options))
        probabilities = self._probabilities(query, key, mask)  # (B, H, L, L)
        probabilities = dropout(probabilities, training=training)
        return _heads_first(ops.matmul(probabilities, value))

    def _probabilities(self, query, key, mask):
        scores = ops.matmul(query * (1 / math.sqrt(self.head_dim)), ops.swapaxes(key, -1, -2))
        scores = ops.cast(scores, "float32")
        if mask is not None:
            # Finite, so that a row with no real token gives numbers rather than NaN.
            scores = ops.where(mask, scores, -1e9)
        return ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)

    def _project(self, hidden_states):
        batch, length, _ = ops.shape(hidden_states)
        # Split, not sliced: the gradients of slices are sums over arrays that are mostly zeros.
        parts = ops.split(self.qkv(hidden_states), 3, axis=-1)  # (B, L, D) each
        shape = (batch, length, self.num_heads, self.head_dim)
        return [ops.reshape(part, shape) for part in parts]

    def compute_output_shape(self, hidden_shape):
        return hidden_shape

    def compute_output_spec(
        self, hidden_states, attention_mask=None, training=None, first_token_only=False
    ):
        batch, length, width = hidden_states.shape
        shape = (batch, 1 if first_token_only else length, width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class AttentionMask(keras.layers.Layer):
    """Turns a padding mask into the mask that the encoder blocks take.

    Call arguments:
        padding_mask: int or bool. `(B, L)`, nonzero at real tokens; or `(B, L, L)`, nonzero where
            the token of the second axis may look at the token of the last.

    Returns:
        bool, `(B, 1, 1, L)` or `(B, 1, L, L)`.
    """

    def call(self, padding_mask):
        allowed = ops.not_equal(padding_mask, 0)
        if len(padding_mask.shape) == 2:
            allowed = ops.expand_dims(allowed, 1)
        return ops.expand_dims(allowed, 1)

    def compute_output_spec(self, padding_mask):
        batch, *rest = padding_mask.shape
        rest = rest if len(rest) == 2 else [1, *rest]
        return keras.KerasTensor((batch, 1, *rest), dtype="bool")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class AttentionMap(keras.layers.Layer):
    """Shows the attention probabilities of another layer, sharing its weights.

    Args:
        layer: `EncoderBlock` or `SelfAttention`. The layer of the model to look into.

    Call arguments:
        hidden_states: float, `(B, L, D)`. What that layer is called on.
        attention_mask: bool, as for that layer, optional.

    Returns:
        float, `(B, H, L, L)`. Each row sums to 1; no dropout.
    """

    def __init__(self, layer, **kwargs):
        kwargs.setdefault("dtype", layer.dtype_policy)
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, hidden_shape):
        if not self.layer.built:
            self.layer.build(hidden_shape)
        self.built = True

    def call(self, hidden_states, attention_mask=None):
        attention = getattr(self.layer, "attention", self.layer)
        return attention.probabilities(hidden_states, attention_mask)

    def compute_output_shape(self, hidden_shape):
        batch, length, _ = hidden_shape
        return (batch, self.layer.num_heads, length, length)

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def fused_attention(query, dropout, training):
    """The fastest attention there is, a function of query, key, value and `mask`.

    None where that is step by step: no operation draws the dropout, or can be compiled.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        from keras_bert_zoo.layers import torch_kernels

        if not dropout or torch_kernels.draws_dropout(query):
            return functools.partial(torch_kernels.attention, dropout=dropout)
        return None
    # XLA's CPU compiler has no float16 product that sums in float32, which JAX asks for.
    if backend == "jax" and ops.dtype(query) == "float16" and is_cpu():
        return None
    # Nor have its kernels for GPUs gradients for a single query and a mask.
    if backend == "jax" and training and query.shape[1] == 1:
        return None
    spread = keras.distribution.distribution() is not None  # parts would gather all rows first
    if backend == "jax" and not training and not spread and is_cpu():
        from keras_bert_zoo.layers import jax_kernels

        return jax_kernels.attention
    return None if dropout else ops.dot_product_attention


def _dropped_attention():
    """The backend's own steps of attention with dropout, or None."""
    if keras.backend.backend() == "jax":
        from keras_bert_zoo.layers import jax_kernels

        return jax_kernels.dropped_attention
    if keras.backend.backend() == "tensorflow":
        from keras_bert_zoo.layers import tensorflow_kernels

        return tensorflow_kernels.dropped_attention
    return None


def _heads_first(states):
    """`(B, L, H, K)` to `(B, H, L, K)`, and back."""
    return ops.transpose(states, (0, 2, 1, 3))
