"""Each public layer by itself, and inside an ordinary functional model."""

import keras
import numpy as np
import pytest

from keras_bert_zoo import layers

HIDDEN = (5, 8)
IDS = np.array([[1, 2, 3, 4, 5], [5, 4, 3, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def embeddings():
    return layers.EncoderEmbeddings(
        11, 8, 6, num_segments=3, position_offset=2, dropout=0.2, layer_norm_epsilon=1e-6,
        initializer_range=0.1,
    )  # fmt: skip


def attention():
    return layers.SelfAttention(2, dropout=0.3, initializer_range=0.1)


def block():
    return layers.EncoderBlock(
        2, 12, activation="relu", dropout=0.2, attention_dropout=0.3, layer_norm_epsilon=1e-6,
        initializer_range=0.1,
    )  # fmt: skip


def masked_lm():
    return layers.MaskedLMHead(
        keras.layers.Embedding(11, 6, name="tokens"), activation="tanh", layer_norm_epsilon=1e-6,
        initializer_range=0.1,
    )  # fmt: skip


def field():
    return layers.LinearChainCRF([1, 0, 1] * 2 + [1, 1], np.eye(8), np.ones(8))


ALONE = {
    "EncoderEmbeddings": (embeddings, IDS),
    "SelfAttention": (attention, "hidden"),
    "EncoderBlock": (block, "hidden"),
    "AttentionMask": (layers.AttentionMask, MASK),
    "AttentionMap": (lambda: layers.AttentionMap(attention()), "hidden"),
    "Pooler": (lambda: layers.Pooler(0.1), "hidden"),
    "MaskedLMHead": (masked_lm, "hidden"),
    "LinearChainCRF": (field, "hidden"),
    "UnitLength": (layers.UnitLength, "pooled"),
    "NextSentenceHead": (lambda: layers.NextSentenceHead(0.1), "pooled"),
}

# What takes several inputs has tests of its own: test_pooling.py.
OF_SEVERAL = {"LayerMix", "TextPooling"}


def inputs_of(kind):
    random = np.random.default_rng(0)
    arrays = {"hidden": (2, *HIDDEN), "pooled": (2, 8)}
    if isinstance(kind, str):
        return random.normal(size=arrays[kind]).astype("float32")
    return kind


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_every_public_layer_is_here():
    assert set(ALONE) | OF_SEVERAL == set(layers.__all__)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ALONE)
def test_a_layer_is_rebuilt_from_its_config(name, policy):
    make, kind = ALONE[name]
    keras.config.set_dtype_policy(policy)
    try:
        layer = make()
    finally:
        keras.config.set_dtype_policy("float32")
    inputs = inputs_of(kind)
    before = numpy(layer(inputs))
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert twin.dtype_policy.name == policy
    twin(inputs)
    twin.set_weights(layer.get_weights())
    assert np.array_equal(numpy(twin(inputs)), before)


@pytest.mark.parametrize("name", ALONE)
def test_the_shape_is_known_before_it_runs(name):
    make, kind = ALONE[name]
    inputs = inputs_of(kind)
    layer = make()
    symbolic = layer(keras.KerasTensor((None, *inputs.shape[1:]), str(inputs.dtype)))
    result = layer(inputs)
    assert tuple(symbolic.shape[1:]) == tuple(result.shape[1:])
    assert symbolic.shape[0] is None
    assert keras.backend.standardize_dtype(symbolic.dtype) == keras.backend.standardize_dtype(
        result.dtype
    )


def test_a_decoder_on_a_plain_embedding_is_saved_exactly(tmp_path):
    table = keras.layers.Embedding(11, 8)
    token_ids = keras.Input((None,), dtype="int32")
    model = keras.Model(token_ids, layers.MaskedLMHead(table)(table(token_ids)))
    model.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(numpy(back(IDS)), numpy(model(IDS)))
    assert len(back.weights) == len(model.weights) == 6


@pytest.mark.parametrize("length", [None, 5])
def test_a_plain_model_of_all_layers_is_saved_exactly(tmp_path, length):
    """The table is shared by embeddings and decoder, and still is after loading."""
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    padding_mask = keras.Input((length,), dtype="int32", name="padding_mask")
    positions = keras.Input((None,), dtype="int32", name="positions")
    mask = layers.AttentionMask()(padding_mask)
    table = layers.EncoderEmbeddings(11, 8, 6)
    hidden = first = table(token_ids)
    encoder = layers.EncoderBlock(2, 12)
    hidden = encoder(hidden, attention_mask=mask)
    hidden = layers.EncoderBlock(2, 12)(hidden, attention_mask=mask)
    pooled = layers.Pooler()(hidden)
    model = keras.Model(
        [token_ids, padding_mask, positions],
        {
            "tokens": layers.MaskedLMHead(table)(hidden, positions),
            "next": layers.NextSentenceHead()(pooled),
            "map": layers.AttentionMap(encoder)(first, mask),
        },
    )
    feed = [IDS, MASK, np.array([[1, 4], [0, 2]])]
    before = {name: numpy(value) for name, value in model(feed).items()}
    assert before["tokens"].shape == (2, 2, 11)
    assert before["map"].shape == (2, 2, 5, 5)

    model.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    for name, value in back(feed).items():
        assert np.array_equal(numpy(value), before[name]), name
    assert len(back.weights) == len(model.weights)

    [embedded] = [x for x in back.layers if isinstance(x, layers.EncoderEmbeddings)]
    [head] = [x for x in back.layers if isinstance(x, layers.MaskedLMHead)]
    [shown] = [x for x in back.layers if isinstance(x, layers.AttentionMap)]
    assert head.token_embedding is embedded.token_embedding
    assert shown.layer in back.layers
