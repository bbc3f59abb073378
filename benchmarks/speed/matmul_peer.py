"""The matrix products of a model and nothing else: what the machine can do; see `ours`."""

import sizes
import torch


def _product(inputs, kernel):
    """A function that multiplies them, by oneDNN where it can: nothing here was found faster."""
    if inputs.dim() > 2 or not torch.backends.mkldnn.is_available():
        return lambda: inputs @ kernel
    turned = kernel.t().contiguous()
    return lambda: torch.ops.mkldnn._linear_pointwise(inputs, turned, None, "none", [], "")


def _products(size):
    """Functions, each of which makes one of the products of a batch."""
    fields = sizes.SIZES[size]
    width, inner, heads = fields["hidden_dim"], fields["intermediate_dim"], fields["num_heads"]
    tokens, by_head = sizes.ROWS * sizes.LENGTH, (sizes.ROWS, heads, sizes.LENGTH)
    shapes = [
        ((tokens, width), (width, 3 * width)),
        ((*by_head, width // heads), (*by_head[:2], width // heads, sizes.LENGTH)),
        ((*by_head, sizes.LENGTH), (*by_head, width // heads)),
        ((tokens, width), (width, width)),
        ((tokens, width), (width, inner)),
        ((tokens, inner), (inner, width)),
    ]
    return [_product(torch.randn(a), torch.randn(b)) for a, b in shapes] * fields["num_layers"]


def inference(size, data, passes=1):
    products = _products(size)

    def run():
        with torch.inference_mode():
            for _ in range(sizes.BATCHES[size] * passes):
                for product in products:
                    product()
        return sizes.BATCHES[size] * sizes.ROWS

    return run


def training(size, data):
    # The way back multiplies as much for the inputs, and as much for the weights.
    return inference(size, data, passes=3)
