"""What the layers compute, against their definitions in numpy."""

import math

import keras
import numpy as np
import pytest
import support

from keras_bert_zoo import layers
from keras_bert_zoo.config import ACTIVATIONS
from keras_bert_zoo.layers.activations import activation_function
from keras_bert_zoo.layers.initial_weights import initializer

TOLERANCE = 1e-5


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def lively(layer):
    """Random values for all weights of a layer."""
    for number, weight in enumerate(layer.weights):
        weight.assign(normal(*weight.shape, seed=number) / math.sqrt(max(weight.shape[0], 1)))
    return layer


erf = np.vectorize(math.erf)
DEFINITIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "gelu_approximate": lambda x: (
        0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.linspace(-6, 6, 101).astype("float32")
    ours = numpy(activation_function(name)(keras.ops.convert_to_tensor(x)))
    assert np.abs(ours - DEFINITIONS[name](x.astype("float64"))).max() < 1e-6


def test_the_two_gelus_differ():
    x = keras.ops.convert_to_tensor(np.linspace(-3, 3, 61).astype("float32"))
    gap = numpy(activation_function("gelu")(x)) - numpy(activation_function("gelu_approximate")(x))
    assert np.abs(gap).max() > 1e-4


def test_new_weights_differ_from_layer_to_layer():
    one, other = (initializer(0.02)((20, 20)) for _ in range(2))
    assert not np.array_equal(numpy(one), numpy(other))


def layer_norm(x, gamma, beta, epsilon):
    x = x.astype("float64")
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def attention(x, layer, heads, mask):
    """Multi-head attention by its definition, one head at a time."""
    kernel, bias = (numpy(w).astype("float64") for w in (layer.qkv.kernel, layer.qkv.bias))
    width = x.shape[-1]
    query, key, value = np.split(x @ kernel + bias, 3, axis=-1)
    parts, maps = [], []
    for head in range(heads):
        cut = slice(head * width // heads, (head + 1) * width // heads)
        scores = query[..., cut] @ key[..., cut].transpose(0, 2, 1) / math.sqrt(width // heads)
        maps.append(softmax(np.where(mask, scores, -np.inf)))
        parts.append(maps[-1] @ value[..., cut])
    output = np.concatenate(parts, -1) @ numpy(layer.output_dense.kernel)
    return output + numpy(layer.output_dense.bias), np.stack(maps, axis=1)


@pytest.mark.parametrize("kind", ["none", "keys", "pairs"])
def test_self_attention(kind):
    x = normal(2, 4, 12)
    allowed = np.ones((2, 4, 4), bool)
    if kind == "keys":
        allowed[1, :, 2:] = False
    if kind == "pairs":
        allowed = np.tril(allowed)
    mask = None if kind == "none" else keras.ops.convert_to_tensor(allowed[:, None])
    layer = layers.SelfAttention(3)
    layer.build(x.shape)
    lively(layer)
    output, maps = attention(x.astype("float64"), layer, 3, allowed)
    assert np.abs(numpy(layer(x, attention_mask=mask)) - output).max() < TOLERANCE
    assert np.abs(numpy(layers.AttentionMap(layer)(x, mask)) - maps).max() < TOLERANCE


def test_attention_with_dropout_drawn_keeps_the_mean():
    x = normal(1, 3, 8)
    layer = layers.SelfAttention(2, dropout=0.5)
    layer.build(x.shape)
    lively(layer)
    still = numpy(layer(x, training=False))
    drawn = np.stack([numpy(layer(x, training=True)) for _ in range(300)])
    assert np.abs(drawn - still).max() > 0.05
    assert np.abs(drawn.mean(0) - still).max() < 0.25 * drawn.std(0).max()
    assert np.array_equal(numpy(layer(x)), still)


def test_without_dropout_training_makes_no_difference():
    x = normal(2, 3, 8)
    layer = layers.EncoderBlock(2, 12, dropout=0.0, attention_dropout=0.0)
    drawn, still = (numpy(layer(x, training=training)) for training in (True, False))
    assert np.abs(drawn - still).max() < TOLERANCE


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="hidden_dim must divide by num_heads; got 8 and 3"):
        layers.SelfAttention(3).build((None, None, 8))


def test_attention_mask():
    mask = layers.AttentionMask()
    padding = np.array([[1, 1, 0], [2, 0, 0]])
    wide = numpy(mask(padding))
    assert wide.shape == (2, 1, 1, 3)
    assert wide.dtype == bool
    assert np.array_equal(wide[:, 0, 0], padding != 0)
    pairs = np.stack([np.eye(3, dtype="int32")] * 2)
    assert np.array_equal(numpy(mask(pairs)), pairs[:, None] != 0)
    assert np.array_equal(numpy(mask(padding.astype(bool))), wide)


def test_packed_examples_do_not_see_each_other():
    """Two texts in one row, told apart by a mask of pairs."""
    x = normal(1, 5, 8)
    block = layers.EncoderBlock(2, 12)
    block.build(x.shape)
    lively(block)
    packed = np.zeros((1, 5, 5), "int32")
    packed[:, :2, :2] = packed[:, 2:, 2:] = 1
    together = numpy(block(x, attention_mask=layers.AttentionMask()(packed)))
    assert np.abs(together[:, :2] - numpy(block(x[:, :2]))).max() < TOLERANCE
    assert np.abs(together[:, 2:] - numpy(block(x[:, 2:]))).max() < TOLERANCE
    assert np.abs(together - numpy(block(x))).max() > 1e-2


@pytest.mark.parametrize("offset", [0, 2])
def test_embeddings(offset):
    layer = layers.EncoderEmbeddings(
        11, 6, 5, num_segments=2, position_offset=offset, layer_norm_epsilon=1e-3
    )
    ids, segments = np.array([[1, 10, 3]]), np.array([[0, 1, 1]])
    layer(ids, segments)
    lively(layer)
    tables = [
        numpy(t.embeddings)
        for t in (layer.token_embedding, layer.position_embedding, layer.segment_embedding)
    ]
    assert tables[1].shape == (5 + offset, 6)
    total = tables[0][ids] + tables[1][offset : offset + 3] + tables[2][segments]
    wanted = layer_norm(total, numpy(layer.norm.gamma), numpy(layer.norm.beta), 1e-3)
    assert np.abs(numpy(layer(ids, segments)) - wanted).max() < TOLERANCE
    assert np.array_equal(numpy(layer(ids)), numpy(layer(ids, np.zeros_like(ids))))


def test_embeddings_without_segments():
    layer = layers.EncoderEmbeddings(11, 6, 5, num_segments=0)
    ids = np.array([[1, 10, 3]])
    assert np.array_equal(numpy(layer(ids)), numpy(layer(ids, np.ones_like(ids))))
    assert len(layer.weights) == 4


def test_embeddings_refuse_too_long_an_input():
    with pytest.raises(ValueError, match="The input is 6 tokens long; max_sequence_length is 5"):
        layers.EncoderEmbeddings(11, 6, 5)(np.zeros((1, 6), "int32"))


def test_encoder_block():
    x = normal(2, 4, 8)
    block = layers.EncoderBlock(2, 12, activation="silu", layer_norm_epsilon=1e-3)
    block.build(x.shape)
    lively(block)
    attended, _ = attention(x.astype("float64"), block.attention, 2, np.ones((2, 4, 4), bool))

    def norm(value, layer):
        return layer_norm(value, numpy(layer.gamma), numpy(layer.beta), 1e-3)

    def dense(value, layer):
        return value @ numpy(layer.kernel) + numpy(layer.bias)

    hidden = norm(x + attended, block.attention_norm)
    expanded = DEFINITIONS["silu"](dense(hidden, block.intermediate))
    wanted = norm(hidden + dense(expanded, block.output_dense), block.output_norm)
    assert np.abs(numpy(block(x)) - wanted).max() < TOLERANCE


def test_pooler_reads_the_first_token():
    x = normal(2, 4, 8)
    pooler = layers.Pooler()
    pooler(x)
    lively(pooler)
    kernel, bias = map(numpy, (pooler.dense.kernel, pooler.dense.bias))
    assert np.abs(numpy(pooler(x)) - np.tanh(x[:, 0] @ kernel + bias)).max() < TOLERANCE


def test_masked_lm_head_at_positions_equals_everywhere():
    x = normal(2, 5, 8)
    table = keras.layers.Embedding(11, 6)
    head = layers.MaskedLMHead(table)
    everywhere = numpy(head(x))
    lively(head)
    everywhere = numpy(head(x))
    assert everywhere.shape == (2, 5, 11)
    positions = np.array([[4, 0, 0], [2, 3, 1]])
    chosen = numpy(head(x, positions))
    wanted = everywhere[np.arange(2)[:, None], positions]
    assert np.abs(chosen - wanted).max() < TOLERANCE


def test_masked_lm_head_decodes_with_the_table_it_was_given():
    x = normal(1, 2, 8)
    table = keras.layers.Embedding(11, 6)
    head = layers.MaskedLMHead(table, activation="relu")
    before = numpy(head(x))
    assert sum(w is table.embeddings for w in head.weights) == 1
    table.embeddings.assign(2 * table.embeddings)
    assert np.abs(numpy(head(x)) - 2 * before).max() < TOLERANCE


def test_next_sentence_head():
    x = normal(3, 8)
    head = layers.NextSentenceHead()
    assert tuple(head(x).shape) == (3, 2)
    kernel, bias = map(numpy, (head.dense.kernel, head.dense.bias))
    assert np.abs(numpy(head(x)) - (x @ kernel + bias)).max() < TOLERANCE


def test_a_block_may_leave_out_all_but_the_first_token():
    block, inputs = layers.EncoderBlock(2, 32), keras.Input((None, 16))
    model = keras.Model(inputs, [block(inputs), block(inputs, first_token_only=True)])
    support.scramble(model)
    x = np.random.default_rng(0).normal(size=(3, 5, 16)).astype("float32")
    every, first = model.predict(x, verbose=0)
    assert model.output_shape[1] == (None, 1, 16)
    np.testing.assert_allclose(first, every[:, :1], atol=1e-6)
