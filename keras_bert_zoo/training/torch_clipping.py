"""Clipping in place, on PyTorch, as `torch.nn.utils.clip_grad_norm_` does it."""

import torch


@torch.no_grad()
def clip_by_global_norm(gradients, limit):
    """Scales gradients down, all by one factor, to a common norm of at most `limit`.

    Keras would square each into a new tensor for the norm, and make the scaled ones new.

    Args:
        gradients: list of torch tensors, which change, and None.
        limit: float.

    Returns:
        list, the same. All NaN where one holds a number that is not finite, as in Keras.
    """
    present = [gradient for gradient in gradients if gradient is not None]
    norm = torch.nn.utils.get_total_norm(present)
    scale = limit / norm.clamp(min=limit) + (norm - norm)
    for gradient in present:
        gradient.mul_(scale)
    return gradients
