"""Losses, metrics and predictions are those of the examples, whatever the batches."""

import keras
import numpy as np
import pytest
import support
import toys
from keras import ops

from keras_bert_zoo.data.batching import Batches

COUNT = len(toys.TEXTS)
SIZES = [1, 4, 32]
WEIGHTS = np.linspace(0.1, 2.0, COUNT)


@pytest.fixture(scope="module")
def scrambled():
    """One model of each problem, with weights that make the logits differ."""
    return {
        "multi_class": support.scramble(support.tiny_classifier(labels=["no", "yes"])),
        "multi_label": support.scramble(support.tiny_classifier(num_classes=3, multi_label=True)),
        "regression": support.scramble(support.tiny_classifier(num_classes=1)),
    }


def labels_of(problem):
    random = np.random.default_rng(3)
    return {
        "multi_class": np.array([toys.LABELS[i] == "yes" for i in range(COUNT)]).astype("int32"),
        "multi_label": random.integers(0, 2, (COUNT, 3)),
        "regression": random.normal(size=COUNT),
    }[problem]


def losses_and_scores(problem, logits, y):
    """Each example's loss and metric, by numpy."""
    if problem == "multi_class":
        return -toys.log_softmax(logits)[range(len(y)), y], logits.argmax(axis=-1) == y
    if problem == "multi_label":
        loss = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * y
        return loss.mean(axis=-1), ((logits > 0) == y).mean(axis=-1)
    error = logits[:, 0] - y
    return error**2, np.abs(error)


METRICS = {
    "multi_class": lambda: keras.metrics.SparseCategoricalAccuracy(name="score"),
    "multi_label": lambda: keras.metrics.BinaryAccuracy(threshold=0.0, name="score"),
    "regression": lambda: keras.metrics.MeanAbsoluteError(name="score"),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["metrics", "weighted_metrics"])
@pytest.mark.parametrize("problem", METRICS)
def test_evaluate_equals_numpy(scrambled, problem, weighted):
    model, y = scrambled[problem], labels_of(problem)
    model.compile(**{"weighted_metrics" if weighted else "metrics": [METRICS[problem]()]})
    logits = model.predict(toys.TEXTS)
    losses, scores = losses_and_scores(problem, logits, y)
    assert np.ptp(losses) > 0.1  # so that a wrong weight shows
    for size in SIZES:
        plain = model.evaluate(toys.TEXTS, y, batch_size=size, verbose=0, return_dict=True)
        assert plain["loss"] == pytest.approx(losses.mean(), abs=1e-5)
        assert plain["score"] == pytest.approx(scores.mean(), abs=1e-5)
        result = model.evaluate(
            toys.TEXTS, y, batch_size=size, sample_weight=WEIGHTS, verbose=0, return_dict=True
        )
        score = np.average(scores, weights=WEIGHTS) if weighted else scores.mean()
        assert result["loss"] == pytest.approx((losses * WEIGHTS).mean(), abs=1e-5)
        assert result["score"] == pytest.approx(score, abs=1e-5)


def test_counting_metrics_count_each_example_once(scrambled):
    model, y = scrambled["multi_class"], labels_of("multi_class")
    for kind in ("metrics", "weighted_metrics"):
        rows = keras.metrics.Sum(name="rows")
        rows.update_state = lambda y, p, sample_weight, update=rows.update_state: update(
            ops.ones_like(p[:, 0]), sample_weight
        )
        model.compile(**{kind: [rows]})
        result = model.evaluate(toys.TEXTS, y, batch_size=4, verbose=0, return_dict=True)
        assert result["rows"] == COUNT


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_each_reduction_of_the_loss_is_as_in_keras(scrambled, reduction):
    model, y = scrambled["multi_class"], labels_of("multi_class")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    model.compile(loss=loss)
    losses, _ = losses_and_scores("multi_class", model.predict(toys.TEXTS), y)
    totals = {
        "sum": (losses * WEIGHTS).sum(),
        "mean": (losses * WEIGHTS).mean(),
        "mean_with_sample_weight": np.average(losses, weights=WEIGHTS),
    }
    result = model.evaluate(
        toys.TEXTS, y, batch_size=16, sample_weight=WEIGHTS, verbose=0, return_dict=True
    )
    assert result["loss"] == pytest.approx(totals[reduction], rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_partial_batch_trains_as_in_plain_keras(reduction):
    """One SGD step of `fit` on 5 rows in batches of 8, against Keras's own on the 5 rows."""

    def loss():
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)

    texts, y = toys.TEXTS[:5], np.array([1, 0, 1, 0, 1])
    weights = np.linspace(0.5, 1.5, 5).astype("float32")
    ours = support.scramble(support.tiny_classifier())
    theirs = support.scramble(support.tiny_classifier())
    start = [ops.convert_to_numpy(w).copy() for w in ours.weights]
    ours.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss())
    history = ours.fit(texts, y, batch_size=8, sample_weight=weights, verbose=0)

    plain = keras.Model(theirs.input, theirs.output)
    plain.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss())
    value = plain.train_on_batch(ours.preprocessor(texts), y, sample_weight=weights)
    assert history.history["loss"][0] == pytest.approx(float(value), rel=1e-5)
    moved = 0
    for before, one, two in zip(start, ours.weights, theirs.weights, strict=True):
        one, two = ops.convert_to_numpy(one), ops.convert_to_numpy(two)
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
        moved = max(moved, np.abs(one - before).max())
    assert moved > 1e-2  # a step that is far above the tolerance


def test_the_history_counts_each_example_once():
    """The partial batch counts by its rows: the loss of an epoch without learning is the mean."""
    model = support.scramble(support.tiny_classifier())
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    y = labels_of("multi_class")
    losses, scores = losses_and_scores("multi_class", model.predict(toys.TEXTS), y)
    history = model.fit(toys.TEXTS, y, batch_size=4, verbose=0).history
    assert history["loss"][0] == pytest.approx(losses.mean(), abs=1e-5)
    assert history["accuracy"][0] == pytest.approx(scores.mean(), abs=1e-6)


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS, WEIGHTS[:, None]])
def test_class_weights_multiply_sample_weights(sample_weight):
    model = support.scramble(support.tiny_classifier(labels=["no", "yes"]))
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    y = labels_of("multi_class")
    losses, _ = losses_and_scores("multi_class", model.predict(toys.TEXTS), y)
    history = model.fit(
        toys.TEXTS,
        y,
        batch_size=4,
        class_weight={"no": 3.0, 1: 0.5},
        sample_weight=sample_weight,
        verbose=0,
    )
    by_class = np.array([3.0, 0.5])[y] * (1.0 if sample_weight is None else WEIGHTS)
    assert history.history["loss"][0] == pytest.approx((losses * by_class).mean(), rel=1e-5)


# === Order ===


@pytest.mark.parametrize("size", SIZES)
def test_predictions_come_in_the_order_given(scrambled, size):
    model = scrambled["regression"]
    one_by_one = np.concatenate([model.predict([text]) for text in toys.TEXTS])
    np.testing.assert_allclose(model.predict(toys.TEXTS, size), one_by_one, rtol=1e-5, atol=1e-5)
    assert np.ptp(one_by_one) > 1e-2


def test_pairs_are_predicted_in_the_order_given(scrambled):
    model = scrambled["regression"]
    firsts, seconds = toys.pairs()
    single = [model.predict(([a], [b])) for a, b in zip(firsts, seconds, strict=True)]
    np.testing.assert_allclose(
        model.predict((firsts, seconds), 3), np.concatenate(single), rtol=1e-5, atol=1e-5
    )


def test_steps_are_the_first_batches(scrambled):
    model = scrambled["regression"]
    np.testing.assert_allclose(
        model.predict(toys.TEXTS, 3, steps=2), model.predict(toys.TEXTS[:6]), rtol=1e-5, atol=1e-5
    )


def batches_of_fit(shuffle, seed, monkeypatch):
    """The example numbers of each batch of two epochs."""
    seen, read = [], Batches.__getitem__

    def watch(batches, number):
        seen.append(batches.rows(number).tolist())
        return read(batches, number)

    keras.utils.set_random_seed(seed)
    model = support.tiny_classifier()
    model.compile(optimizer=keras.optimizers.SGD(0.0), metrics=[])
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "__getitem__", watch)
        model.fit(toys.words([3] * 8), [0] * 8, 2, 2, verbose=0, shuffle=shuffle)
    return seen[-8:-4], seen[-4:]  # before them Keras may look at a batch or two


def test_shuffling_follows_the_seed_and_differs_between_epochs(monkeypatch):
    first, second = batches_of_fit(True, 5, monkeypatch)
    assert (first, second) == batches_of_fit(True, 5, monkeypatch)
    assert (first, second) != batches_of_fit(True, 6, monkeypatch)
    assert first != second
    assert sorted(np.ravel(first)) == sorted(np.ravel(second)) == list(range(8))


def test_without_shuffling_the_order_is_the_one_given(monkeypatch):
    first, second = batches_of_fit(False, 5, monkeypatch)
    assert first == second == [[0, 1], [2, 3], [4, 5], [6, 7]]
