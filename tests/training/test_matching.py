"""First weights by which equal tokens attend to each other."""

import keras
import numpy as np
import pytest
import support
from keras import ops

import keras_bert_zoo as kbz


def attention(backbone, token_ids):
    """The probabilities of the first block, `(H, L, L)`."""
    ids = np.array([token_ids])
    inputs = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids, bool),
    }
    return ops.convert_to_numpy(backbone.with_outputs(attentions=True)(inputs)["attentions"][0])[0]


def parts(block):
    """Kernel and bias of query, key and value."""
    kernel, bias = (ops.convert_to_numpy(weight) for weight in block.attention.qkv.weights)
    return [*zip(np.split(kernel, 3, axis=-1), np.split(bias, 3), strict=True)]


def test_equal_tokens_attend_to_each_other():
    backbone = support.tiny_backbone(hidden_dim=64, vocabulary_size=100)
    positions = backbone.embeddings.position_embedding.embeddings
    positions.assign(np.zeros(positions.shape))
    row = [7, 50, 31, 7, 12, 64, 31]

    def to_equal():
        probabilities = attention(backbone, row)
        return probabilities[:, [0, 3, 2, 6], [3, 0, 6, 2]]

    assert to_equal().max() < 0.2
    kbz.match_tokens(backbone, seed=1)
    assert to_equal().min() > 0.4  # the other half looks at the token itself


def test_queries_equal_keys_and_values_stay():
    backbone = support.scramble(support.tiny_backbone(hidden_dim=32))
    before = [parts(block) for block in backbone.blocks]
    others = [ops.convert_to_numpy(w).copy() for w in backbone.weights if "/qkv/" not in w.path]
    kbz.match_tokens(backbone, score=5.0, seed=2)
    for block, (_, _, value_before) in zip(backbone.blocks, before, strict=True):
        (query, query_bias), (key, key_bias), value = parts(block)
        np.testing.assert_array_equal(query, key)
        assert not query_bias.any() and not key_bias.any()
        np.testing.assert_array_equal(value[0], value_before[0])
        np.testing.assert_array_equal(value[1], value_before[1])
        for head in np.split(query, 2, axis=-1):  # (D, K)
            np.testing.assert_allclose(head.T @ head, 5 / 4 * np.eye(16), atol=1e-5)
    assert not np.allclose(parts(backbone.blocks[0])[0][0], parts(backbone.blocks[1])[0][0])
    after = [w for w in backbone.weights if "/qkv/" not in w.path]
    for weight, value in zip(after, others, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)


def test_the_score_of_a_token_with_itself():
    backbone = support.tiny_backbone(hidden_dim=64, num_heads=2)
    kbz.match_tokens(backbone, score=6.0)
    (query, _), (key, _), _ = parts(backbone.blocks[0])
    states = np.random.default_rng(0).normal(size=(4000, 64))
    for head in (slice(32), slice(32, 64)):
        scores = ((states @ query[:, head]) * (states @ key[:, head])).sum(-1) / np.sqrt(32)
        assert scores.mean() == pytest.approx(6.0, rel=0.03)


def test_seeds():
    def kernel(seed=None):
        backbone = support.tiny_backbone(num_layers=1)
        kbz.match_tokens(backbone, seed=seed)
        return parts(backbone.blocks[0])[0][0]

    np.testing.assert_array_equal(kernel(3), kernel(3))
    assert not np.allclose(kernel(3), kernel(4))
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        found.append(kernel())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "settings", [{"share_layers": True}, {"embedding_dim": 8}, {"dtype": "mixed_bfloat16"}]
)
def test_other_encoders(settings):
    backbone = support.tiny_backbone(**settings)
    kbz.match_tokens(backbone)
    for block in backbone.blocks:
        np.testing.assert_array_equal(*(kernel for kernel, _ in parts(block)[:2]))


@pytest.mark.parametrize("score", [0, -1.0, float("nan"), float("inf"), True, "8", None])
def test_wrong_scores(score):
    with pytest.raises(ValueError, match="score must be a number above 0; got"):
        kbz.match_tokens(support.tiny_backbone(), score=score)


def test_quantized_encoders_are_refused():
    backbone = support.tiny_backbone()
    backbone.blocks[1].attention.qkv.quantize("int8")
    with pytest.raises(ValueError, match="that is not quantized"):
        kbz.match_tokens(backbone)


def test_encoders_with_lora_are_refused():
    backbone = support.tiny_backbone()
    backbone.blocks[1].attention.qkv.enable_lora(2)
    with pytest.raises(ValueError, match="has no LoRA"):
        kbz.match_tokens(backbone)
