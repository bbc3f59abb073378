"""The encoder layer by layer: on PyTorch, and where one output alone is wanted."""

import keras

from keras_bert_zoo.layers.embeddings import EncoderEmbeddings
from keras_bert_zoo.layers.encoder_block import EncoderBlock


def encode_plainly(backbone, inputs, training=None, only=None):
    """The outputs of a backbone without what a functional model does around each layer.

    Where the pooled output alone is wanted, the last block leaves out what the pooler does not
    read. Three quarters of that block's work go: the products behind attention, of all tokens but
    one.

    Args:
        backbone: Backbone. With a pooler, for its output.
        inputs: dict, `(B, L)` each: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool or None.
        only: str or None. The one output that is wanted.

    Returns:
        dict, as `Backbone` gives it.
    """
    attention_mask = backbone.get_layer("attention_mask")(inputs["padding_mask"])
    hidden = last_hidden_states(
        backbone,
        inputs["token_ids"],
        inputs["segment_ids"],
        attention_mask,
        training=training,
        first_token_only=only == "pooled_output",
    )
    return outputs_of(backbone, hidden, only)


def outputs_of(backbone, hidden_states, only=None):
    """A backbone's outputs, or the one that is wanted, of the last block's hidden states."""
    outputs = {} if only == "pooled_output" else {"sequence_output": hidden_states}
    if backbone.pooler is not None and only != "sequence_output":
        outputs["pooled_output"] = backbone.pooler(hidden_states)
    return outputs


def last_hidden_states(
    backbone,
    token_ids,
    segment_ids,
    attention_mask,
    position_ids=None,
    training=None,
    first_token_only=False,
):
    """From token ids through embeddings and all blocks.

    Args:
        backbone: Backbone.
        token_ids, segment_ids: int, `(B, L)`.
        attention_mask: bool, `(B, 1, 1, L)` or `(B, 1, L, L)`. See `AttentionMask`.
        position_ids: int, `(B, L)`, or None for 0, 1, 2 and so on.
        training: bool or None.
        first_token_only: bool. Whether the last block gives the first token's state alone.

    Returns:
        float, `(B, L, D)`; `(B, 1, D)` with `first_token_only`.
    """
    way = None if training else _straight_way(backbone)
    ids = token_ids, segment_ids, position_ids
    embeddings = backbone.embeddings
    hidden = way.embed(embeddings, *ids) if way else embeddings(*ids, training=training)
    if backbone.embedding_projection is not None:
        hidden = backbone.embedding_projection(hidden)
    if way:
        attention_mask = way.read_mask(attention_mask)
    last = backbone.config.num_layers - 1
    for i in range(last + 1):
        block = backbone.blocks[i % len(backbone.blocks)]
        first_alone = first_token_only and i == last
        if way:
            hidden = way.encode(block, hidden, attention_mask, first_alone)
        else:
            hidden = block(
                hidden,
                attention_mask=attention_mask,
                training=training,
                first_token_only=first_alone,
            )
    return hidden


def _straight_way(backbone):
    """`torch_block` where that does all that calling the layers would do, else None."""
    if keras.backend.backend() != "torch":
        return None
    from keras_bert_zoo.layers import torch_block

    layers = [backbone.embeddings, *backbone.blocks]
    if backbone.embedding_projection is not None:
        layers.append(backbone.embedding_projection)
    ours = (EncoderEmbeddings, EncoderBlock)
    replaced = all(torch_block.may_replace(layer, *ours) for layer in layers)
    return torch_block if replaced else None
