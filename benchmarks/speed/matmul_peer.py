"""The matrix products of a model and nothing else: what the machine can do; see `ours`."""

import sizes
import torch


def _products(size):
    """Pairs of matrices: those that the blocks of one batch multiply."""
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
    return [(torch.randn(a), torch.randn(b)) for a, b in shapes] * fields["num_layers"]


def inference(size, data, passes=1):
    products = _products(size)

    def run():
        with torch.inference_mode():
            for _ in range(sizes.BATCHES[size] * passes):
                for one, other in products:
                    one @ other
        return sizes.BATCHES[size] * sizes.ROWS

    return run


def training(size, data):
    # The way back multiplies as much for the inputs, and as much for the weights.
    return inference(size, data, passes=3)
