"""Metrics of whole predictions, in the logs that other callbacks read."""

import keras
import numpy as np
import pytest

from keras_bert_zoo.metrics.callback import PredictionMetrics
from keras_bert_zoo.metrics.glue import accuracy, glue_scores

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X.argmax(-1)


def toy_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
    return model


def cross_entropy(true, logits):
    logits = logits - logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(true)), true]
    return np.mean(np.log(np.exp(logits).sum(-1)) - chosen)


def test_it_predicts_with_the_weights_of_the_epoch():
    fresh = PredictionMetrics(X, Y, cross_entropy)
    history = (
        toy_model()
        .fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=[fresh], verbose=0)
        .history
    )
    assert history["val_cross_entropy"] == pytest.approx(history["val_loss"], abs=1e-5)
    assert history["val_loss"][0] > history["val_loss"][1] + 1e-3 > history["val_loss"][2]


def test_early_stopping_and_checkpoint_see_it(tmp_path):
    scores = iter([0.1, 0.9, 0.5, 0.4, 0.3])
    model = toy_model()
    best = tmp_path / "best.keras"
    history = model.fit(
        X,
        Y,
        epochs=5,
        callbacks=[
            PredictionMetrics(X, Y, lambda true, predicted: next(scores), name="luck"),
            keras.callbacks.ModelCheckpoint(
                best, "val_luck", mode="max", save_best_only=True, verbose=0
            ),
            keras.callbacks.EarlyStopping("val_luck", mode="max", patience=2),
        ],
        verbose=0,
    ).history
    assert history["val_luck"] == [0.1, 0.9, 0.5, 0.4]
    assert best.exists()


def test_own_prediction_and_a_dict_of_results():
    model = toy_model()
    seen = []

    def predict(x):
        seen.append(x)
        return model.predict(x, verbose=0).argmax(-1)

    def scores(true, predicted):
        return glue_scores("mrpc", np.minimum(true, 1), np.minimum(predicted, 1))

    callback = PredictionMetrics(X[:8], Y[:8], scores, predict=predict)
    history = model.fit(X, Y, epochs=2, callbacks=[callback], verbose=0).history
    assert {"val_accuracy", "val_f1"} <= history.keys()
    assert all(isinstance(number, float) for number in history["val_f1"])
    assert len(seen) == 2
    assert all(one is callback.x for one in seen)


def test_what_scores_come_as():
    for number in (1, np.float32(0.5), np.array(2.0), True, keras.ops.convert_to_tensor(0.25)):
        logs = {}
        callback = PredictionMetrics(
            X, Y, lambda *_, number=number: number, "n", predict=lambda x: x
        )
        callback.on_epoch_end(0, logs)
        assert logs == {"val_n": float(number)}
        callback.on_epoch_end(0)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"function": 0.5}, "function must be callable; got 0.5"),
        ({"function": accuracy, "predict": 3}, "predict must be callable; got 3"),
        ({"function": lambda *_: 1}, r"'<lambda>' is no name for a log; pass name="),
        ({"function": accuracy, "name": 3}, "3 is no name for a log"),
    ],
)
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        PredictionMetrics(X, Y, **arguments)


@pytest.mark.parametrize(
    "result, logs, text",
    [
        (None, {}, r"must give a number or a dict of numbers; 'n' is None"),
        ([0.5], {}, r"a dict of numbers; 'n' is \[0.5\]"),
        ({"f1": "high"}, {}, "a dict of numbers; 'f1' is 'high'"),
        ({"f1": {"micro": 1.0}}, {}, "a dict of numbers; 'f1' is {'micro'"),
        (0.5, {"val_n": 1.0}, "logs have val_n already; give PredictionMetrics another name"),
    ],
)
def test_bad_results(result, logs, text):
    callback = PredictionMetrics(X, Y, lambda *_: result, "n", predict=lambda x: x)
    with pytest.raises(ValueError, match=text):
        callback.on_epoch_end(0, logs)
