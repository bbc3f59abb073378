"""Keras metrics of class numbers and logits, against scikit-learn, alone and inside a model."""

import keras
import numpy as np
import pytest
from sklearn import metrics

from keras_bert_zoo.metrics.confusion import MatthewsCorrelation, SparseF1Score

MAKERS = {
    "matthews": MatthewsCorrelation,
    "binary": lambda c: SparseF1Score(c, positive=c - 1),
    "macro": lambda c: SparseF1Score(c, "macro"),
    "micro": lambda c: SparseF1Score(c, "micro"),
}


def reference(kind, true, predicted, num_classes, weight=None):
    if kind == "matthews":
        return metrics.matthews_corrcoef(true, predicted, sample_weight=weight)
    labels = {"labels": [num_classes - 1], "average": "macro"} if kind == "binary" else {}
    labels = labels or {"average": kind}
    return metrics.f1_score(true, predicted, sample_weight=weight, zero_division=0, **labels)


def example(num_classes, rows=40, seed=0):
    random = np.random.default_rng(seed)
    true = random.integers(0, num_classes, rows)
    logits = random.normal(size=(rows, num_classes)) + np.eye(num_classes)[true]
    return true, logits.astype("float32")


def value(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("kind", MAKERS)
def test_value_over_batches(kind, num_classes):
    true, logits = example(num_classes)
    metric = MAKERS[kind](num_classes)
    assert value(metric) == 0
    metric.update_state(true[:30], logits[:30])
    metric.update_state(true[30:, None], logits[30:])
    wanted = reference(kind, true, logits.argmax(-1), num_classes)
    assert value(metric) == pytest.approx(wanted, abs=1e-6)
    metric.reset_state()
    assert value(metric) == 0


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
@pytest.mark.parametrize("kind", MAKERS)
def test_weights(kind, shape):
    true, logits = example(3)
    weight = np.random.default_rng(1).integers(0, 4, 40) / 2
    metric = MAKERS[kind](3)
    metric.update_state(true, logits, weight.reshape(shape).astype("float32"))
    wanted = reference(kind, true, logits.argmax(-1), 3, weight)
    assert value(metric) == pytest.approx(wanted, abs=1e-6)
    assert value(metric) != pytest.approx(reference(kind, true, logits.argmax(-1), 3), abs=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_rows_of_weight_zero_leave_no_trace(kind):
    true, logits = example(3)
    metric, other = MAKERS[kind](3), MAKERS[kind](3)
    metric.update_state(true, logits)
    filled = np.concatenate([logits, np.full((8, 3), np.nan, "float32")])
    labels = np.concatenate([true, [0, 1, 2, 0, 1, 2, -100, 7]])
    other.update_state(labels, filled, np.repeat([1.0, 0.0], [40, 8]))
    assert value(other) == value(metric)
    other.update_state(labels, filled)  # without the weights the rows count
    assert value(other) != value(metric)


@pytest.mark.parametrize("kind", MAKERS)
def test_items_of_sentences(kind):
    true, logits = example(3, rows=60)
    ignored = np.arange(60) % 4 == 0
    labels = np.where(ignored, -100, true).reshape(12, 5)
    metric = MAKERS[kind](3)
    metric.update_state(labels, logits.reshape(12, 5, 3))
    wanted = reference(kind, true[~ignored], logits[~ignored].argmax(-1), 3)
    assert value(metric) == pytest.approx(wanted, abs=1e-6)

    weight = np.arange(12) % 3
    metric.reset_state()
    metric.update_state(labels, logits.reshape(12, 5, 3), weight)
    each = np.repeat(weight, 5)[~ignored]
    wanted = reference(kind, true[~ignored], logits[~ignored].argmax(-1), 3, each)
    assert value(metric) == pytest.approx(wanted, abs=1e-6)


def test_one_class_gives_zero():
    metric = MatthewsCorrelation(3)
    metric.update_state([1, 1, 1], np.eye(3, dtype="float32")[[1, 1, 1]])
    assert value(metric) == 0
    metric.update_state([0, 2], np.eye(3, dtype="float32")[[1, 1]])
    assert value(metric) == 0


def test_a_rare_class_is_not_rounded_away():
    true = np.repeat([0, 1, 0, 1], [1_000_000, 2, 1, 1])
    guess = np.repeat([0, 1, 1, 0], [1_000_000, 2, 1, 1])
    metric = MatthewsCorrelation(2)
    metric.update_state(true, np.eye(2, dtype="float32")[guess])
    assert value(metric) == pytest.approx(metrics.matthews_corrcoef(true, guess), abs=1e-6)


def test_macro_leaves_out_classes_that_do_not_occur():
    metric = SparseF1Score(5, "macro")
    metric.update_state([0, 1], np.eye(5, dtype="float32")[[0, 1]])
    assert value(metric) == 1


@pytest.mark.parametrize(
    "metric",
    [
        MatthewsCorrelation(4, name="mcc"),
        SparseF1Score(4, "macro", name="macro_f1"),
        SparseF1Score(4, positive=3),
    ],
)
def test_config_makes_the_same_metric(metric):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    true, logits = example(4)
    for one in (metric, again):
        one.update_state(true, logits)
    assert value(again) == value(metric) != 0


def toy_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[MatthewsCorrelation(3), SparseF1Score(3, "macro")],
    )
    return model


def test_in_a_compiled_model(tmp_path):
    true, inputs = example(3)
    weight = (np.arange(40) % 3).astype("float32")
    model = toy_model()
    history = model.fit(inputs, true, sample_weight=weight, batch_size=16, verbose=0)
    assert {"matthews_correlation", "f1_score"} <= history.history.keys()
    found = model.evaluate(
        inputs, true, sample_weight=weight, batch_size=16, verbose=0, return_dict=True
    )
    guess = model.predict(inputs, verbose=0).argmax(-1)
    for name, kind in (("matthews_correlation", "matthews"), ("f1_score", "macro")):
        assert found[name] == pytest.approx(reference(kind, true, guess, 3, weight), abs=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(
        inputs, true, sample_weight=weight, batch_size=16, verbose=0, return_dict=True
    ) == pytest.approx(found, abs=1e-6)


def test_early_stopping_knows_the_direction():
    true, inputs = example(3)
    model = toy_model()
    stop = keras.callbacks.EarlyStopping("matthews_correlation", patience=1)
    model.fit(inputs, true, callbacks=[stop], verbose=0)
    assert stop.monitor_op(1, 0)


ROWS = np.zeros((2, 3), "float32")


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: MatthewsCorrelation(1), "MatthewsCorrelation needs num_classes >= 2; got 1"),
        (lambda: SparseF1Score(2, "macor"), r"average must be .*'macor'\. Did you mean \"macro\""),
        (lambda: SparseF1Score(2, positive=2), "a class number from 0 to 1; got 2"),
        (
            lambda: SparseF1Score(4)([0, 1], ROWS),
            r"f1_score wants logits with the last axis num_classes=4; got the shape \(2, 3\)",
        ),
        (lambda: SparseF1Score(3)([0, 1], ROWS[0]), r"the last axis .*; got the shape \(3,\)"),
        (
            lambda: SparseF1Score(3)(ROWS, ROWS),
            r"one class number for each row of logits \(2, 3\); got .*\(2, 3\)\. For one-hot",
        ),
        (
            lambda: SparseF1Score(3)([0, 1], ROWS, ROWS),
            r"labels being \(2,\); got weights of the shape \(2, 3\)",
        ),
    ],
)
def test_bad_input(call, text):
    with pytest.raises(ValueError, match=text):
        call()
