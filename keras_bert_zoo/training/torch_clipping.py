"""Clipping with PyTorch's own norm."""

import torch


@torch.no_grad()
def clip_by_global_norm(gradients, limit):
    """Scales gradients down, all by one factor, to a common norm of at most `limit`.

    Keras would square each into a new tensor for the norm.

    Args:
        gradients: list of torch tensors and None.
        limit: float, positive.

    Returns:
        list of new tensors and None. All NaN where one holds a number that is not finite, as in
        Keras.
    """
    norm = torch.nn.utils.get_total_norm([g for g in gradients if g is not None])
    scale = limit / norm.clamp(min=limit) + (norm - norm)
    return [None if gradient is None else gradient * scale for gradient in gradients]
