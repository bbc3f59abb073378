"""Steps of training by PyTorch's own operators: AdamW's in place, and clipping.

Keras's make a dozen new tensors of each weight's size, which for an embedding table costs more than
the rest of a training step.
"""

import torch
from torch.optim.adamw import adamw

# So many steps that PyTorch's own bias correction is 1.
_FAR = 1e9


@torch.no_grad()
def update(value, momentum, velocity, gradient, alpha, decay, beta_1, beta_2, epsilon):
    """Moves one weight by Adam's rule, and its two running means with it.

    Args:
        value, momentum, velocity, gradient: torch tensors of one shape; the first three change.
        alpha: 0-d tensor. The learning rate with Adam's bias correction.
        decay: 0-d tensor or None. The learning rate times the weight decay.
        beta_1, beta_2, epsilon: float. Adam's constants, as Keras counts them.
    """
    tensors = (value, momentum, velocity)
    if _suits_fused(tensors):
        rate = float(alpha)
        lists = ([tensor] for tensor in (value, gradient.contiguous(), momentum, velocity))
        adamw(
            *lists,
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(_FAR)],
            fused=True,
            amsgrad=False,
            beta1=beta_1,
            beta2=beta_2,
            lr=rate,
            weight_decay=0.0 if decay is None or rate == 0 else float(decay) / rate,
            eps=epsilon,
            maximize=False,
        )
        return
    if decay is not None:
        value.mul_(1 - decay)
    momentum.lerp_(gradient, 1 - beta_1)
    velocity.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
    step = velocity.sqrt().add_(epsilon)
    torch.div(momentum, step, out=step)
    value.sub_(step.mul_(alpha))


def _suits_fused(tensors):
    """Whether PyTorch's one pass over all arrays takes them: it reads memory, whatever the strides.

    On GPUs the rate would have to be waited for.
    """
    return not torch.compiler.is_compiling() and all(
        type(tensor.data) is torch.Tensor
        and tensor.is_cpu
        and tensor.dtype in (torch.float32, torch.float64)
        and tensor.is_contiguous()
        for tensor in tensors
    )


@torch.no_grad()
def clip_by_global_norm(gradients, limit):
    """Scales gradients down, all by one factor, to a common norm of at most `limit`.

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


def lay_in_order(variables):
    """Copies weights that lie turned, as files of transformers hold kernels, the right way round.

    A product reads either as fast. An optimizer's own arrays lie in order, and beside them each of
    its steps would read a turned weight across, which takes it more than twice as long.

    Args:
        variables: iterable of Keras variables.
    """
    for variable in variables:
        tensor = variable.value
        if not tensor.is_contiguous():
            tensor.data = tensor.data.contiguous()
