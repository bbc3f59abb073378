"""PyTorch's kernels for what `keras.ops` does in more steps, or with copies."""

import torch
from torch.nn import functional


def linear(inputs, kernel, bias):
    """A dense layer's product and sum in one: `(…, D)`, `(D, U)` and `(U,)` to `(…, U)`."""
    return functional.linear(inputs, kernel.t(), bias)


def attention(query, key, value, mask=None, dropout=0.0):
    """Scaled dot-product attention that reads its inputs where they lie.

    Args:
        query, key, value: float, `(B, L, H, K)`.
        mask: bool, broadcast to `(B, H, L, L)`, or None. True where a query may look at a key.
        dropout: float. Rate on the probabilities, drawn within the kernel.

    Returns:
        float, `(B, L, H, K)`.
    """
    context = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=None if mask is None or _hides_nothing(mask) else _finite(mask, query.dtype),
        dropout_p=dropout,
    )
    return context.transpose(1, 2)


def draws_dropout(tensor):
    """Whether the fused kernel draws dropout where a tensor lies. On the CPU it does not."""
    return tensor.is_cuda


def _hides_nothing(mask):
    """Whether a mask is True throughout, as far as it costs nothing to know.

    The CPU's kernel is faster without one. Other devices would have to be waited for, and in a
    graph that is traced the answer would hold for every later mask.
    """
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if mask.device.type != "cpu" or traced:
        return False
    try:
        return bool(mask.all())
    except RuntimeError:  # within vmap, or without values, it has no answer
        return False


def _finite(mask, dtype):
    """A mask to add, which gives numbers rather than NaN to a row that may look at nothing."""
    return (~mask).to(dtype) * (torch.finfo(dtype).min / 2)
