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
    """Functions, each of which makes one of the products of a batch.

    Args:
        size: str. A key of `sizes.SIZES`.
        pooled: bool. Whether the last block computes the first token's output alone, as our
            classifier's does: what is not multiplied must not count as work done.
    """
    fields = sizes.SIZES[size]
    blocks = fields["num_layers"]
    if not pooled:
        return _block(fields, sizes.LENGTH) * blocks
    return _block(fields, sizes.LENGTH) * (blocks - 1) + _block(fields, 1)


def _block(fields, queries):
    """The products of one block that puts out so many tokens of each row."""
    width, inner, heads = fields["hidden_dim"], fields["intermediate_dim"], fields["num_heads"]
    tokens, kept = sizes.ROWS * sizes.LENGTH, sizes.ROWS * queries
    by_head, head = (sizes.ROWS, heads), width // heads
    shapes = [
        ((tokens, width), (width, 3 * width)),
        ((*by_head, queries, head), (*by_head, head, sizes.LENGTH)),
        ((*by_head, queries, sizes.LENGTH), (*by_head, sizes.LENGTH, head)),
        ((kept, width), (width, width)),
        ((kept, width), (width, inner)),
        ((kept, inner), (inner, width)),
    ]
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
