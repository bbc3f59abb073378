"""The matrix products of a model and nothing else: what the machine can do; see `ours`."""

import sizes
import torch


def _product(inputs, kernel):
    """A function that multiplies them, by oneDNN where it can: PyTorch's fastest way here."""
    if inputs.dim() > 2 or not torch.backends.mkldnn.is_available():
        return lambda: inputs @ kernel
    turned = kernel.t().contiguous()
    return lambda: torch.ops.mkldnn._linear_pointwise(inputs, turned, None, "none", [], "")


def _products(size, pooled=False):
    """Functions, each of which makes one of the products of a batch."""
    shapes = sizes.product_shapes(size, pooled=pooled)
    return [_product(torch.randn(a), torch.randn(b)) for a, b in shapes]


def inference(size, data):
    return _rounds(_products(size), sizes.BATCHES[size])


def training(size, data):
    # The way back multiplies as much for the inputs, and as much for the weights.
    return _rounds(_products(size, pooled=True) * 3, sizes.BATCHES[size])


def _rounds(products, batches):
    def run():
        with torch.inference_mode():
            for _ in range(batches):
                for product in products:
                    product()
        return batches * sizes.ROWS

    return run
