"""The encoder layer by layer: on PyTorch, and where the pooled output alone is wanted."""

import keras


def encode_plainly(backbone, inputs, training=None, pooled_only=False):
    """The outputs of a backbone without what a functional model does around each layer.

    Where the pooled output alone is wanted, the last block leaves out what the pooler does not
    read. Three quarters of that block's work go: the products behind attention, of all tokens but
    one.

    Args:
        backbone: Backbone. With a pooler, for `pooled_only`.
        inputs: dict, `(B, L)` each: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool or None.
        pooled_only: bool.

    Returns:
        dict, as `Backbone` gives it.
    """
    way = _straight_way(backbone) if not training else None
    ids = inputs["token_ids"], inputs["segment_ids"]
    embeddings = backbone.embeddings
    hidden = way.embed(embeddings, *ids) if way else embeddings(*ids, training=training)
    if backbone.embedding_projection is not None:
        hidden = backbone.embedding_projection(hidden)
    attention_mask = backbone.get_layer("attention_mask")(inputs["padding_mask"])
    last = backbone.config.num_layers - 1
    for i in range(last + 1):
        block = backbone.blocks[i % len(backbone.blocks)]
        options = {"attention_mask": attention_mask, "first_token_only": pooled_only and i == last}
        hidden = (
            way.encode(block, hidden, **options)
            if way
            else block(hidden, training=training, **options)
        )
    outputs = {} if pooled_only else {"sequence_output": hidden}
    if backbone.pooler is not None:
        outputs["pooled_output"] = backbone.pooler(hidden)
    return outputs


def _straight_way(backbone):
    """`torch_block` where that does all that calling the layers would do, else None."""
    if keras.backend.backend() != "torch":
        return None
    from keras_bert_zoo.layers import torch_block

    layers = [backbone.embeddings, *backbone.blocks]
    if backbone.embedding_projection is not None:
        layers.append(backbone.embedding_projection)
    return torch_block if torch_block.may_replace(layers) else None
