"""An encoder block on PyTorch, where no gradients are asked for.

Keras looks at the arguments, dtypes and masks of every layer and operation that is called; in short
texts that takes as long as the numbers do. Here one function goes through the whole block.
"""

import keras
import torch
from torch.nn import functional

from keras_bert_zoo.layers.torch_kernels import attention
from keras_bert_zoo.layers.torch_products import linear


def suits(block, hidden_states):
    """Whether `encode` does all that the layers of a block would do.

    It does not in half precision, where a layer is quantized, and where a hook waits for one.
    """
    if torch.is_grad_enabled() or hidden_states.dtype != torch.float32:
        return False
    return all(
        layer.dtype_policy.name == "float32"
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
        for layer in (
            block.attention,
            block.attention.qkv,
            block.attention.output_dense,
            block.attention_norm,
            block.intermediate,
            block.output_dense,
            block.output_norm,
        )
    )


def encode(block, hidden_states, attention_mask=None, first_token_only=False):
    """As `EncoderBlock.call`, outside of training."""
    batch, length, width = hidden_states.shape
    heads = block.num_heads
    qkv = _dense(block.attention.qkv, hidden_states)
    query, key, value = qkv.view(batch, length, 3, heads, width // heads).unbind(2)
    if first_token_only:
        query, hidden_states = query[:, :1], hidden_states[:, :1]
        attention_mask = None if attention_mask is None else attention_mask[:, :, :1]
    context = attention(query, key, value, attention_mask).reshape(batch, -1, width)
    attended = _dense(block.attention.output_dense, context)
    hidden_states = _norm(block.attention_norm, attended + hidden_states)  # (B, L, D)

    expanded = _dense(block.intermediate, hidden_states, block.activation)  # (B, L, F)
    output = _dense(block.output_dense, expanded)
    return _norm(block.output_norm, output + hidden_states)


def _dense(layer, inputs, activation=None):
    kernel, bias = (keras.ops.convert_to_tensor(value) for value in (layer.kernel, layer.bias))
    return linear(inputs, kernel, bias, activation)


def _norm(layer, inputs):
    gamma, beta = layer.gamma.value, layer.beta.value
    return functional.layer_norm(inputs, gamma.shape, gamma, beta, layer.epsilon)
