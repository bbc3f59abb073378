"""The encoder where the pooled output alone is wanted."""


def encode_pooled(backbone, inputs, training=None):
    """The pooled output of a backbone, whose last block leaves out what the pooler does not read.

    Of that block's work three quarters go: the products behind attention, of all tokens but one.

    Args:
        backbone: Backbone. With a pooler.
        inputs: dict, `(B, L)` each: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool or None.

    Returns:
        dict of `pooled_output`, float, `(B, D)`.
    """
    hidden = backbone.embeddings(inputs["token_ids"], inputs["segment_ids"], training=training)
    if backbone.embedding_projection is not None:
        hidden = backbone.embedding_projection(hidden)
    attention_mask = backbone.get_layer("attention_mask")(inputs["padding_mask"])
    count = backbone.config.num_layers
    for i in range(count):
        hidden = backbone.blocks[i % len(backbone.blocks)](
            hidden,
            attention_mask=attention_mask,
            training=training,
            first_token_only=i == count - 1,
        )
    return {"pooled_output": backbone.pooler(hidden)}
