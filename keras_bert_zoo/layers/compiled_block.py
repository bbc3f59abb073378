"""An encoder block as one compiled function, where JAX and TensorFlow would go step by step.

All blocks of an encoder share it: their weights are arguments. The steps one by one take twice as
long for a short text, and JAX compiles each of them when a process first takes it.
"""

import functools

import keras
from keras import ops
from keras.src.backend import in_stateless_scope  # there is no public way to ask

from keras_bert_zoo.layers.attention import SelfAttention, fused_attention
from keras_bert_zoo.layers.dense import affine
from keras_bert_zoo.layers.plain_parts import is_plain, tensor_of


def suits(block, hidden_states):
    """Whether `encode` does all that the layers of a block would do, and nothing else compiles it.

    Args:
        block: EncoderBlock.
        hidden_states: tensor. What it is called on.
    """
    return (
        _kernels().is_eager(hidden_states)
        and not in_stateless_scope()
        and keras.distribution.distribution() is None
        and ops.dtype(hidden_states) == "float32"
        and all(is_plain(part, SelfAttention) for part in block._flatten_layers(include_self=False))
    )


def encode(block, hidden_states, attention_mask=None, first_token_only=False):
    """As `EncoderBlock.call`, outside of training."""
    weights = {
        name: [tensor_of(weight) for weight in (dense.kernel, dense.bias)]
        for name, dense in (
            ("qkv", block.attention.qkv),
            ("attention_output", block.attention.output_dense),
            ("intermediate", block.intermediate),
            ("output", block.output_dense),
        )
    }
    for name in ("attention_norm", "output_norm"):
        norm = getattr(block, name)
        weights[name] = [norm.gamma.value, norm.beta.value]
    run = _compiled(
        block.num_heads,
        block.activate,
        (block.attention_norm.epsilon, block.output_norm.epsilon),
        bool(first_token_only),
        hidden_states.shape[-1],
        block.intermediate.units,
        keras.config.is_flash_attention_enabled(),
    )
    return run(hidden_states, attention_mask, weights)


# One for each kind of block, by what is traced or, on TensorFlow, would be a size among several.
@functools.lru_cache(maxsize=64)
def _compiled(
    num_heads,
    activate,
    epsilons,
    first_token_only,
    hidden_dim,
    intermediate_dim,
    flash_attention,
):
    def run(hidden_states, mask, weights):
        batch, length, _ = ops.shape(hidden_states)
        parts = ops.split(affine(hidden_states, *weights["qkv"]), 3, axis=-1)
        shape = (batch, length, num_heads, hidden_dim // num_heads)
        query, key, value = (ops.reshape(part, shape) for part in parts)  # (B, L, H, K) each
        if first_token_only:
            query, hidden_states = query[:, :1], hidden_states[:, :1]
            mask = None if mask is None else mask[:, :, :1]
        # There is always one in float32, which `suits` asks for.
        context = fused_attention(query, 0.0, training=False)(query, key, value, mask=mask)
        context = ops.reshape(context, ops.shape(hidden_states))
        attended = hidden_states + affine(context, *weights["attention_output"])
        hidden_states = _norm(attended, *weights["attention_norm"], epsilons[0])  # (B, L, D)

        rows = ops.reshape(hidden_states, (-1, hidden_dim))
        expanded = activate(affine(rows, *weights["intermediate"]))  # (B L, F)
        output = ops.reshape(affine(expanded, *weights["output"]), ops.shape(hidden_states))
        return _norm(hidden_states + output, *weights["output_norm"], epsilons[1])

    return _kernels().compiled(run)


def _norm(inputs, gamma, beta, epsilon):
    return ops.layer_normalization(inputs, gamma, beta, epsilon=epsilon)


def _kernels():
    if keras.backend.backend() == "jax":
        from keras_bert_zoo.layers import jax_kernels

        return jax_kernels
    from keras_bert_zoo.layers import tensorflow_kernels

    return tensorflow_kernels
