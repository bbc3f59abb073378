"""What of a backbone is trained, as one choice."""


def freeze(backbone, frozen):
    """Sets which layers of a backbone stay as they are in training.

    Args:
        backbone: Backbone.
        frozen: `"nothing"`; `"embeddings"`; an int n, for the embeddings and the lower n blocks;
            or `"backbone"`, for all of it.

    Raises:
        ValueError: none of these, or more blocks than there are.
    """
    blocks = len(backbone.blocks)
    depths = {"nothing": -1, "embeddings": 0, "backbone": blocks}
    is_count = isinstance(frozen, int) and not isinstance(frozen, bool)
    named = isinstance(frozen, str) and frozen in depths
    if not named and not (is_count and 0 <= frozen <= blocks):
        raise ValueError(
            'freeze takes "nothing", "embeddings", "backbone", or a number of lower blocks from 0 '
            f"to {blocks}; got {frozen!r}."
        )
    depth = frozen if is_count else depths[frozen]
    whole = frozen == "backbone"
    block_numbers = {id(block): number for number, block in enumerate(backbone.blocks)}
    for layer in backbone.layers:
        if id(layer) in block_numbers:
            layer.trainable = block_numbers[id(layer)] >= depth
        elif layer.name in ("embeddings", "embedding_projection"):
            layer.trainable = depth < 0
        else:
            layer.trainable = not whole
