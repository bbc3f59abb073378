"""From hidden states to one vector, from the definitions."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo import layers

STATES = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


WANTED = {
    "cls": lambda x: x[0],
    "mean": lambda x: x.mean(axis=0),
    "max": lambda x: x.max(axis=0),
    "mean_sqrt_length": lambda x: x.sum(axis=0) / np.sqrt(len(x)),
    "weighted": lambda x: np.average(x, axis=0, weights=np.arange(1, len(x) + 1)),
}


@pytest.mark.parametrize("mode", WANTED)
def test_pooling(mode):
    pooled = numpy(layers.TextPooling(mode)(STATES, MASK))
    for row, length in enumerate([5, 2]):
        np.testing.assert_allclose(pooled[row], WANTED[mode](STATES[row, :length]), atol=1e-6)
    if mode != "cls":
        assert not pooled[2].any()


@pytest.mark.parametrize("mode", WANTED)
def test_what_padding_holds_does_not_matter(mode):
    other = np.where(MASK[..., None] > 0, STATES, 99.0).astype("float32")
    pool = layers.TextPooling(mode)
    one, two = numpy(pool(STATES, MASK)), numpy(pool(other, MASK))
    np.testing.assert_array_equal(one[:2], two[:2])


@pytest.mark.parametrize("mode", ["mean", "sum", "concatenate", "weighted"])
def test_mixing(mode):
    states = [STATES, 2 * STATES, -STATES]
    mix = layers.LayerMix(mode)
    mixed = numpy(mix(states))
    if mode == "concatenate":
        np.testing.assert_array_equal(mixed, np.concatenate(states, axis=-1))
        return
    factor = 2 if mode == "sum" else 2 / 3
    np.testing.assert_allclose(mixed, factor * STATES, atol=1e-6)
    if mode == "weighted":
        mix.weights[0].assign([0.0, np.log(3.0), 0.0])
        mix.weights[1].assign(5.0)
        wanted = 5 * (STATES + 3 * 2 * STATES - STATES) / 5
        np.testing.assert_allclose(numpy(mix(states)), wanted, atol=1e-5)


def test_unit_length():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    np.testing.assert_allclose(numpy(layers.UnitLength()(vectors)), [[0.6, 0.8], [0, 0]], atol=1e-7)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_they_come_back_from_their_configs(policy):
    for layer in (
        layers.TextPooling("max", dtype=policy),
        layers.LayerMix("weighted", dtype=policy),
    ):
        twin = type(layer).from_config(layer.get_config())
        assert twin.get_config() == layer.get_config()
        assert twin.mode == layer.mode
        assert twin.dtype_policy.name == policy


def test_a_long_text_in_half_precision():
    """A sum of 600 ones is not held by bfloat16, nor one of 70,000 by float16."""
    ones = np.ones((1, 600, 2), "float32")
    pooled = layers.TextPooling("mean", dtype="mixed_bfloat16")(ones, np.ones((1, 600)))
    assert float(numpy(ops.cast(pooled, "float32"))[0, 0]) == 1.0


def test_features_of_chosen_layers_feed_another_model():
    """The feature-based approach: a frozen encoder under a tagger of one's own."""
    import support

    backbone = support.tiny_backbone(num_layers=2, pooler=False)
    backbone.trainable = False
    states = backbone.with_outputs(hidden_states=True)
    features = layers.LayerMix("concatenate")(states.output["hidden_states"][-2:])
    tagger = keras.Sequential(
        [
            keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)),
            keras.layers.Dense(3),
        ]
    )
    model = keras.Model(backbone.input, tagger(features))
    before = [numpy(weight) for weight in backbone.weights]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ids = {name: np.ones((4, 6), "int32") for name in backbone.input}
    model.fit(ids, np.ones((4, 6), "int32"), verbose=0)
    assert model(ids).shape == (4, 6, 3)
    for weight, old in zip(backbone.weights, before, strict=True):
        np.testing.assert_array_equal(numpy(weight), old)


def test_unknown_modes():
    with pytest.raises(ValueError, match=r"pooling must be one of cls, mean, .*; got 'meen'"):
        layers.TextPooling("meen")
    with pytest.raises(ValueError, match=r"combine must be one of mean, sum, .*; got 'cat'"):
        layers.LayerMix("cat")
