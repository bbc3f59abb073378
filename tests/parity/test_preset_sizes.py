"""Every preset's parameter count, by formula and by building; Base trains."""

import math

import numpy as np
import pytest

import keras_bert_zoo as kbz

# Counts that others published, pooler included.
PUBLISHED = {
    "bert_base_en_uncased": 109_482_240,
    "bert_large_en_uncased": 335_141_888,
    "bert_large_en_uncased_wwm": 335_141_888,
}
IN_MILLIONS = {"bert_base_en": 108.3, "bert_base_zh": 102.3, "bert_base_multi": 177.9}
MINIATURES = {(layers, width) for layers in (2, 4, 6, 8, 10, 12) for width in (128, 256, 512, 768)}
BUILT_QUICKLY = ("bert_tiny_en_uncased", "bert_mini_en_uncased", "all_minilm_l6_v2_en")


def by_formula(config):
    """Parameters of an encoder, counted on paper."""
    width, inner = config["hidden_dim"], config["intermediate_dim"]
    rows = config["vocabulary_size"] + config["max_sequence_length"] + config["num_segments"]
    norm = 2 * width
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    block = attention + feed_forward + 2 * norm
    pooler = width * width + width if config["pooler"] else 0
    return rows * width + norm + config["num_layers"] * block + pooler


@pytest.mark.parametrize("name", kbz.list_presets())
def test_a_preset_states_its_count(name):
    info = kbz.preset_info(name)
    assert info["parameters"] == by_formula(info["config"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    assert kbz.preset_info(name)["parameters"] == PUBLISHED[name]


@pytest.mark.parametrize("name", IN_MILLIONS)
def test_published_counts_in_millions(name):
    assert round(kbz.preset_info(name)["parameters"] / 1e6, 1) == IN_MILLIONS[name]


def test_all_miniatures_are_there():
    configs = [
        kbz.preset_info(name)["config"]
        for name in kbz.list_presets()
        if name.endswith("_en_uncased") and "wwm" not in name and "large" not in name
    ]
    shapes = {(c["num_layers"], c["hidden_dim"]) for c in configs}
    assert shapes >= MINIATURES
    for config in configs:
        assert config["num_heads"] == config["hidden_dim"] // 64
        assert config["intermediate_dim"] == 4 * config["hidden_dim"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in BUILT_QUICKLY else pytest.mark.slow)
        for name in kbz.list_presets()
    ],
)
def test_a_preset_builds_with_its_count(name):
    backbone = kbz.Backbone.from_preset(name, load_weights=False)
    assert backbone.count_params() == kbz.preset_info(name)["parameters"]


@pytest.mark.slow
def test_base_learns_from_random_weights():
    backbone = kbz.Backbone.from_preset("bert_base_en_uncased", load_weights=False, dropout=0.0,
                                        attention_dropout=0.0)  # fmt: skip
    task = kbz.TextClassifier(backbone)
    task.compile(optimizer=kbz.create_optimizer(2e-5))
    random = np.random.default_rng(0)
    feed = {"token_ids": random.integers(0, 30522, (8, 32))}
    labels = [0, 1] * 4
    before = task.evaluate(feed, labels, verbose=0, return_dict=True)["loss"]
    task.fit(feed, labels, batch_size=8, epochs=1, verbose=0)
    after = task.evaluate(feed, labels, verbose=0, return_dict=True)["loss"]
    print(f"loss {before:.4f} -> {after:.4f}")
    assert math.isfinite(before)
    assert math.isfinite(after)
    assert after < before
