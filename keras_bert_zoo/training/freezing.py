"""What of a backbone is trained, as one choice."""

import numpy as np

_BELOW_BLOCKS = ("embeddings", "embedding_projection")


def freeze(backbone, frozen):
    """Sets which layers of a backbone stay as they are in training.

    Args:
        backbone: Backbone.
        frozen: `"nothing"`; `"embeddings"`; an int n, for the embeddings and the lower n blocks;
            `"backbone"`, for all of it; or a list of layer names.

    Raises:
        ValueError: none of these, or more blocks than there are.
    """
    names = _frozen_names(backbone, frozen)
    for layer in backbone.layers:
        layer.trainable = layer.name not in names


def frozen_choice(backbone, unused=()):
    """What of a backbone is frozen now, in the form that `freeze` takes, unused layers apart."""

    def used(names):
        return [name for name in names if name not in unused]

    frozen = used(layer.name for layer in backbone.layers if layer.weights and not layer.trainable)
    counts = range(1, len(backbone.blocks) + 1)
    for choice in ("nothing", "backbone", "embeddings", *counts):
        if frozen == used(_frozen_names(backbone, choice)):
            return choice
    return frozen


def _frozen_names(backbone, frozen):
    """The names of the layers with weights that a choice freezes, from below."""
    names = [layer.name for layer in backbone.layers if layer.weights]
    blocks = [block.name for block in backbone.blocks]
    below = [name for name in names if name in _BELOW_BLOCKS]
    is_count = isinstance(frozen, (int, np.integer)) and not isinstance(frozen, bool)
    if is_count and 0 <= frozen <= len(blocks):
        return below + blocks[:frozen]
    if isinstance(frozen, (list, tuple)) and set(frozen) <= set(names):
        return [name for name in names if name in frozen]
    if isinstance(frozen, str) and frozen in ("nothing", "embeddings", "backbone"):
        return {"nothing": [], "embeddings": below, "backbone": names}[frozen]
    raise ValueError(
        'freeze takes "nothing", "embeddings", "backbone", a number of lower blocks from 0 to '
        f"{len(blocks)}, or a list of layer names; got {frozen!r}."
    )
