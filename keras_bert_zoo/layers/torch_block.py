"""Embeddings and an encoder block on PyTorch, where no gradients are asked for.

Keras looks at the arguments, dtypes and masks of every layer and operation that is called; in short
texts that takes a third of the time. Here one function goes through each of the two.
"""

import keras
import torch
from torch.nn import functional
from torch.nn.modules import module as torch_module

from keras_bert_zoo.layers.attention import SelfAttention
from keras_bert_zoo.layers.plain_parts import is_plain, tensor_of
from keras_bert_zoo.layers.torch_kernels import added_mask, attend
from keras_bert_zoo.layers.torch_products import linear


def suits(block):
    """Whether `encode` does all that the layers of a block would do.

    It does not in half precision, where a layer is quantized or of another class, and where a hook
    waits for one.
    """
    if torch.is_grad_enabled() or not block.autocast:  # else states come in float32
        return False
    return all(_is_known(part) for part in block._flatten_layers(include_self=False))


def may_replace(layer, *classes):
    """Whether `embed` or `encode` also does all that calling a layer itself would do.

    Args:
        layer: keras.layers.Layer.
        *classes: types. Those that the layer may be of beside those of a block's parts.
    """
    return _is_known(layer, *classes) and suits(layer)


def _is_known(layer, *classes):
    return is_plain(layer, SelfAttention, *classes) and not is_watched(layer)


def is_watched(*modules):
    """Whether a hook waits for one of some modules to be called."""
    return bool(
        torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
        or any(module._forward_hooks or module._forward_pre_hooks for module in modules)
    )


def embed(layer, token_ids, segment_ids, position_ids=None):
    """As `EncoderEmbeddings.call`, outside of training; ids below 0 are errors.

    Keras takes those from the end of a table. Of lists and numpy arrays they are refused before.
    """
    first = layer.position_offset
    if position_ids is None:
        length = token_ids.shape[1]
        layer.check_length(length)
        positions = tensor_of(layer.position_embedding.embeddings)[first : first + length]
    else:
        positions = _rows(layer.position_embedding, position_ids + first)
    embedded = _rows(layer.token_embedding, token_ids) + positions
    if layer.segment_embedding is not None:
        embedded = embedded + _rows(layer.segment_embedding, segment_ids)
    return _norm(layer.norm, embedded)  # (B, L, E)


def read_mask(attention_mask):
    """What `encode` takes for a mask: read once for all blocks."""
    return added_mask(attention_mask, torch.float32)


def encode(block, hidden_states, mask=None, first_token_only=False):
    """As `EncoderBlock.call`, outside of training."""
    batch, length, width = hidden_states.shape
    heads = block.num_heads
    qkv = _dense(block.attention.qkv, hidden_states)
    query, key, value = qkv.view(batch, length, 3, heads, width // heads).unbind(2)
    if first_token_only:
        query, hidden_states = query[:, :1], hidden_states[:, :1]
        mask = None if mask is None else mask[:, :, :1]
    context = attend(query, key, value, mask).flatten(2)  # (B, L, D)
    attended = _dense(block.attention.output_dense, context, added=hidden_states)
    hidden_states = _norm(block.attention_norm, attended)  # (B, L, D)

    expanded = _dense(block.intermediate, hidden_states, block.activation)  # (B, L, F)
    output = _dense(block.output_dense, expanded, added=hidden_states)
    return _norm(block.output_norm, output)


def _dense(layer, inputs, activation=None, added=None):
    return linear(inputs, tensor_of(layer.kernel), layer.bias.value, activation, added)


def _rows(layer, ids):
    ids = keras.ops.convert_to_tensor(ids, "int32")
    return functional.embedding(ids, tensor_of(layer.embeddings))


def _norm(layer, inputs):
    gamma, beta = layer.gamma.value, layer.beta.value
    return functional.layer_norm(inputs, gamma.shape, gamma, beta, layer.epsilon)
