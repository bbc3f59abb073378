"""Matrix products on PyTorch, on AMD's processors by oneDNN.

PyTorch leaves products in float32 on CPUs to MKL, which gets half of what oneDNN does on AMD's
processors, and more on Intel's (`docs/performance.md`). oneDNN comes with PyTorch too, whose own
compiler takes it by the operator here, which has no gradients, nor rules for transforms.
"""

import functools

import torch
from torch.autograd import forward_ad
from torch.nn import functional

from keras_bert_zoo.layers.devices import is_amd

# PyTorch's product by oneDNN, where this build has it.
_PRODUCT = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
# Multiplications. For fewer its preparations take longer than the product.
LEAST_WORK = 2**20

# PyTorch's functions of `config.ACTIVATIONS`.
_FUNCTIONS = {
    None: lambda outputs: outputs,
    "gelu": functional.gelu,
    "gelu_approximate": functools.partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}
# oneDNN's name and algorithm of those it does within the product. Its ReLU makes 0 of NaN.
_FUSED = {
    None: ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_approximate": ("gelu", "tanh"),
    "silu": ("swish", ""),
    "tanh": ("tanh", ""),
}


def linear(inputs, kernel, bias=None, activation=None, added=None):
    """A dense layer, in one operation where no gradients are asked for.

    Args:
        inputs: float, `(…, D)`.
        kernel: float, `(D, U)`.
        bias: float, `(U,)`, or None.
        activation: str or None. One of `config.ACTIVATIONS`.
        added: float, `(…, U)`, or None. Is added to the output.

    Returns:
        float, `(…, U)`.
    """
    tensors = [tensor for tensor in (inputs, kernel, bias, added) if tensor is not None]
    function = _FUNCTIONS[activation]
    if not _suits_onednn(tensors):
        outputs = function(functional.linear(inputs, kernel.t(), bias))
    elif torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        outputs = function(_Linear.apply(inputs, kernel, bias))
    elif activation is None and added is not None:
        return _multiply(inputs, kernel, bias, added=added)
    elif activation in _FUSED:
        outputs = _multiply(inputs, kernel, bias, activation)
    else:
        outputs = function(_multiply(inputs, kernel, bias))
    return outputs if added is None else outputs + added


def _multiply(inputs, kernel, bias, activation=None, added=None):
    # Other strides, as gradients of sums and of parts have, would take it 180 times as long.
    if not kernel.is_contiguous() and not kernel.t().is_contiguous():
        kernel = kernel.contiguous()
    if added is not None:
        return _PRODUCT.binary(inputs, added.contiguous(), kernel.t(), bias, "add")
    name, algorithm = _FUSED[activation]
    return _PRODUCT.default(inputs, kernel.t(), bias, name, [], algorithm)


class _Linear(torch.autograd.Function):
    """The product with its gradients, which are such products again and have their own."""

    @staticmethod
    def forward(inputs, kernel, bias):
        return _multiply(inputs, kernel, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        # Each is read for the gradient of the other.
        tensors, (of_inputs, of_kernel, _) = inputs, ctx.needs_input_grad
        ctx.save_for_backward(tensors[0] if of_kernel else None, tensors[1] if of_inputs else None)

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
    """Whether oneDNN takes them, and nothing is about that looks into operators."""
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
        and forward_ad._current_level < 0
    )


def _has_onednn():
    # Read each time: `torch.backends.mkldnn.flags` switches it off for a while.
    return torch.backends.mkldnn.enabled and _PRODUCT is not None and is_amd()
