"""PyTorch's kernels for what `keras.ops` does in more steps, or with copies."""

import math

import torch
from torch.nn import functional
from torch.utils import checkpoint


def attention(query, key, value, mask=None, dropout=0.0):
    """Scaled dot-product attention that reads its inputs where they lie.

    Args:
        query, key, value: float, `(B, L, H, K)`.
        mask: bool, broadcast to `(B, H, L, L)`, or None. True where a query may look at a key.
        dropout: float. Rate on the probabilities, drawn within the kernel.

    Returns:
        float, `(B, L, H, K)`.
    """
    return attend(query, key, value, added_mask(mask, query.dtype), dropout)


def attend(query, key, value, added=None, dropout=0.0):
    """As `attention`, with what `added_mask` made of a mask."""
    context = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=added,
        dropout_p=dropout,
    )
    return context.transpose(1, 2)


def has_accelerator():
    """Whether PyTorch runs on something other than the CPU, such as a GPU."""
    return torch.accelerator.is_available()


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


def added_mask(mask, dtype):
    """What is added to the products of queries and keys; None where a mask hides nothing.

    It is finite, which gives numbers rather than NaN to a row that may look at nothing.

    Args:
        mask: bool, or None.
        dtype: of the products.
    """
    if mask is None or _hides_nothing(mask):
        return None
    return (~mask).to(dtype) * (torch.finfo(dtype).min / 2)


def random_mask(shape, steps):
    """A bool mask, False at `steps` in 65,536 of its places: four from each number drawn.

    On the CPU, by PyTorch's own generator there.

    Args:
        shape: tuple of ints.
        steps: int, above 0 and below 65,536.
    """
    size = math.prod(shape)
    words = torch.empty(-(-size // 4), dtype=torch.int64, device="cpu").random_(-(2**63), None)
    return (words.view(torch.int16)[:size] >= steps - 2**15).view(shape)


def rematerialized(forward, inputs):
    """`forward(inputs)`, computed again where gradients need what lies between.

    PyTorch puts its random numbers back by itself. It would leave the second pass by an exception
    once it has what it needs; Keras's layers keep the frames of one, and with them every tensor.
    """
    with checkpoint.set_checkpoint_early_stop(False):
        return checkpoint.checkpoint(forward, inputs, use_reentrant=False)
