"""The conditional random field against enumeration of every label sequence."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo.data.label_schemes import allowed
from keras_bert_zoo.layers import LinearChainCRF

C = 3


def made(start=None, transitions=None, end=None, seed=0):
    """A layer with random weights."""
    layer = LinearChainCRF(
        np.ones(C) if start is None else start,
        np.ones((C, C)) if transitions is None else transitions,
        np.ones(C) if end is None else end,
    )
    layer.build((None, None, C))
    random = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    return layer


def score(layer, emissions, labels):
    """The score of one sequence, from the definition."""
    start, transitions, end = (
        ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights
    )
    total = start[labels[0]] + end[labels[-1]]
    total += sum(emissions[i, label] for i, label in enumerate(labels))
    return total + sum(transitions[a, b] for a, b in itertools.pairwise(labels))


def sequences(layer, emissions, whole):
    """Every allowed sequence and its score; a part of one may begin and end anywhere."""
    may = layer.allowed
    for labels in itertools.product(range(C), repeat=len(emissions)):
        steps = all(may["transitions"][a, b] for a, b in itertools.pairwise(labels))
        ends = may["start"][labels[0]] and may["end"][labels[-1]]
        if steps and (ends or not whole):
            yield labels, score(layer, emissions, labels)


def batch(seed=1, length=6):
    random = np.random.default_rng(seed)
    emissions = random.normal(size=(4, length, C)).astype("float32")
    labels = random.integers(0, C, (4, length)).astype("int32")
    mask = np.array([[1] * 6, [0, 1, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0], [0] * 6], "int32")
    return emissions, labels, mask[:, :length]


RULES = {
    "free": {},
    "BIO": dict(zip(("start", "transitions", "end"), allowed(["O", "B", "I"]), strict=True)),
}


@pytest.mark.parametrize("rules", RULES)
def test_the_likelihood_equals_enumeration(rules):
    layer = made(**RULES[rules])
    emissions, labels, mask = batch()
    labels[1, [1, 2, 4]] = [1, 2, 0]  # allowed in BIO
    labels[0], labels[2, 3] = [0, 1, 2, 2, 0, 1], 1
    found = ops.convert_to_numpy(layer.log_likelihood(emissions, labels, mask))
    for row in range(3):
        where = np.flatnonzero(mask[row])
        scores = dict(sequences(layer, emissions[row, where], whole=False))
        partition = np.logaddexp.reduce(list(scores.values()))
        wanted = scores[tuple(labels[row, where].tolist())] - partition
        assert found[row] == pytest.approx(wanted, abs=1e-5)
    assert found[3] == 0


@pytest.mark.parametrize("rules", RULES)
def test_the_decoded_sequence_is_the_best_of_all(rules):
    layer = made(**RULES[rules])
    emissions, _, mask = batch()
    found = ops.convert_to_numpy(layer.decode(emissions, mask))
    for row in range(3):
        where = np.flatnonzero(mask[row])
        best = max(sequences(layer, emissions[row, where], whole=True), key=lambda pair: pair[1])
        assert tuple(found[row, where].tolist()) == best[0]
        (alone,) = layer.decode_each([emissions[row, where]])
        assert tuple(alone.tolist()) == best[0]


def test_the_rules_matter():
    """A negative control: without them other sequences win."""
    emissions, _, _ = batch()
    emissions[:, 0] = [0, 0, 9]  # I, which may not begin
    free, bound = (
        ops.convert_to_numpy(made(**RULES[name]).decode(emissions, np.ones((4, 6))))
        for name in RULES
    )
    assert (free[:, 0] == 2).all()
    assert (bound[:, 0] != 2).all()


def test_a_sequence_of_one():
    layer = made()
    emissions, labels, _ = batch(length=1)
    ones = np.ones((4, 1), "int32")
    likelihood = ops.convert_to_numpy(layer.log_likelihood(emissions, labels, ones))
    single = [np.exp(score(layer, e, [label])) for e in emissions[:1] for label in range(C)]
    assert np.exp(likelihood[0]) == pytest.approx(single[labels[0, 0]] / sum(single), abs=1e-5)


def test_what_is_not_allowed_has_next_to_no_probability():
    layer = made(**RULES["BIO"])
    emissions, _, _ = batch()
    bad = np.tile([0, 2], (4, 3)).astype("int32")  # O, then I
    assert ops.convert_to_numpy(layer.log_likelihood(emissions, bad, np.ones((4, 6)))).max() < -1e3


def test_it_comes_back_from_its_config():
    layer = made(**RULES["BIO"])
    again = LinearChainCRF.from_config(layer.get_config())
    again.build((None, None, C))
    for one, other in zip(again.weights, layer.weights, strict=True):
        one.assign(other)
    emissions, _, mask = batch()
    ours, theirs = (ops.convert_to_numpy(one.decode(emissions, mask)) for one in (layer, again))
    np.testing.assert_array_equal(ours, theirs)


def test_it_trains():
    layer = LinearChainCRF(np.ones(C), np.ones((C, C)), np.ones(C))

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.crf = layer

        def build(self, shape):
            layer.build(shape)

        def call(self, x):
            return layer(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return -ops.mean(layer.log_likelihood(y_pred, y, ops.ones_like(y)))

    emissions = np.zeros((8, 5, C), "float32")
    labels = np.tile([0, 1, 2, 0, 1], (8, 1)).astype("int32")
    model = Model()
    model.compile(optimizer=keras.optimizers.Adam(0.3))
    history = model.fit(emissions, labels, epochs=30, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0]
    decoded = ops.convert_to_numpy(layer.decode(emissions, np.ones((8, 5))))
    np.testing.assert_array_equal(decoded, labels)
