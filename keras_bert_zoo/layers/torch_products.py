"""Matrix products on PyTorch, by oneDNN where that is the faster library.

PyTorch leaves products in float32 on CPUs to MKL, which gets half of what AMD's processors can do.
oneDNN comes with it too and gets nearly all; PyTorch's own compiler takes it by the operator here.
"""

import functools

import torch
from torch.nn import functional

# Multiplications. For fewer its preparations take longer than the product.
LEAST_WORK = 2**20


# The names of `config.ACTIVATIONS`: PyTorch's function, and oneDNN's name and algorithm.
_ACTIVATIONS = {
    None: (lambda outputs: outputs, ("none", "")),
    "gelu": (functional.gelu, ("gelu", "none")),
    "gelu_approximate": (functools.partial(functional.gelu, approximate="tanh"), ("gelu", "tanh")),
    "relu": (functional.relu, ("relu", "")),
    "silu": (functional.silu, ("swish", "")),
    "tanh": (torch.tanh, ("tanh", "")),
}


def linear(inputs, kernel, bias=None, activation=None):
    """A dense layer in one operation.

    Args:
        inputs: float, `(…, D)`.
        kernel: float, `(D, U)`.
        bias: float, `(U,)`, or None.
        activation: str or None. One of `config.ACTIVATIONS`.

    Returns:
        float, `(…, U)`.
    """
    tensors = [tensor for tensor in (inputs, kernel, bias) if tensor is not None]
    function, _ = _ACTIVATIONS[activation]
    if not _suits_onednn(tensors):
        return function(functional.linear(inputs, kernel.t(), bias))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return function(_Linear.apply(inputs, kernel, bias))
    return _multiply(inputs, kernel, bias, activation)


def _multiply(inputs, kernel, bias, activation=None):
    _, (name, algorithm) = _ACTIVATIONS[activation]
    return torch.ops.mkldnn._linear_pointwise(inputs, kernel.t(), bias, name, [], algorithm)


class _Linear(torch.autograd.Function):
    """The product with its gradients, which are such products again and have their own."""

    @staticmethod
    def forward(inputs, kernel, bias):
        return _multiply(inputs, kernel, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx, gradient):
        inputs, kernel = ctx.saved_tensors
        of_inputs, of_kernel, of_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            linear(gradient, kernel.t()) if of_inputs else None,
            linear(inputs.reshape(-1, inputs.shape[-1]).t(), rows) if of_kernel else None,
            rows.sum(0) if of_bias else None,
        )


def _suits_onednn(tensors):
    """Whether oneDNN takes them, and may be called: compilers and transforms do not know it."""
    inputs, kernel = tensors[:2]
    return (
        not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and all(
            tensor.is_cpu
            and tensor.dtype == torch.float32
            and type(tensor) in (torch.Tensor, torch.nn.Parameter)
            for tensor in tensors
        )
        and inputs.numel() * kernel.shape[-1] >= LEAST_WORK
        and _has_onednn()
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
    )


def _has_onednn():
    # Read each time: `torch.backends.mkldnn.flags` switches it off for a while.
    return torch.backends.mkldnn.enabled and hasattr(torch.ops.mkldnn, "_linear_pointwise")
