"""First weights by which tokens attend to tokens that are equal to them."""

import math
import numbers

import keras
import numpy as np
from keras import ops


def match_tokens(backbone, score=8.0, seed=None):
    """Gives the query and the key of each attention head one and the same random projection.

    Two tokens then score each other by how alike they are, in every block, before anything is
    learned. From the usual first weights an encoder takes many millions of tokens to find that
    out: a small reader that is to look for a question's words in a text learned next to nothing
    from 64,000 questions, and with these weights most of it (`benchmarks/RESULTS.md`). It is for
    encoders that start from nothing: what was trained is lost.

    Args:
        backbone: Backbone. The queries' and keys' kernels are drawn anew, their biases set to 0.
        score: float. The score of a token with itself, before the softmax, where what comes into
            the block has variance 1. Defaults to 8.
        seed: int or None. Of the projections. Defaults to None: `keras.utils.set_random_seed`
            decides, or chance.

    Raises:
        ValueError: `score` is not a number above 0, or a block is quantized or has LoRA.

    Source: Trockman & Kolter 2023, "Mimetic Initialization of Self-Attention Layers", §3; here of
    queries and keys alone.
    """
    is_number = isinstance(score, numbers.Real) and not isinstance(score, bool)
    if not is_number or not 0 < score < math.inf:
        raise ValueError(f"score must be a number above 0; got {score!r}.")
    layers = [block.attention for block in backbone.blocks]
    if any(layer.qkv.quantization_mode or layer.qkv.lora_enabled for layer in layers):
        raise ValueError("match_tokens needs an encoder that is not quantized and has no LoRA.")
    draw = keras.initializers.Orthogonal(seed=keras.random.SeedGenerator(seed))
    for layer in layers:
        width, size = layer.qkv.kernel.shape[0], layer.head_dim
        gain = math.sqrt(score / math.sqrt(size))
        heads = [gain * ops.convert_to_numpy(draw((width, size))) for _ in range(layer.num_heads)]
        projections = np.concatenate(heads, axis=-1)  # (D, D)
        kernel, bias = (ops.convert_to_numpy(w) for w in (layer.qkv.kernel, layer.qkv.bias))
        kernel = np.concatenate([projections, projections, kernel[:, 2 * width :]], axis=-1)
        layer.qkv.kernel.assign(kernel)  # (D, 3 D)
        layer.qkv.bias.assign(np.concatenate([np.zeros(2 * width), bias[2 * width :]]))
