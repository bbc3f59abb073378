"""AdamW's step in place, on PyTorch.

Keras's own step for a subclass makes a dozen new tensors of each weight's size, which for an
embedding table costs more than the rest of a training step.
"""

import torch


@torch.no_grad()
def update(value, momentum, velocity, gradient, alpha, decay, beta_1, beta_2, epsilon):
    """Moves one weight by Adam's rule, and its two running means with it.

    Args:
        value, momentum, velocity, gradient: torch tensors of one shape; the first three change.
        alpha: 0-d tensor. The learning rate with Adam's bias correction.
        decay: 0-d tensor or None. The learning rate times the weight decay.
        beta_1, beta_2, epsilon: float. Adam's constants, as Keras counts them.
    """
    if decay is not None:
        value.mul_(1 - decay)
    momentum.lerp_(gradient, 1 - beta_1)
    velocity.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
    step = velocity.sqrt().add_(epsilon)
    torch.div(momentum, step, out=step)
    value.sub_(step.mul_(alpha))
