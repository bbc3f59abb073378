"""`fit` and `evaluate` do with their arguments what `keras.Model` does."""

import inspect

import keras
import numpy as np
import pytest
import support
import toys

from keras_bert_zoo.tasks.text_model import TextModel

NUMBERS = [int(label == "yes") for label in toys.LABELS]


@pytest.fixture(scope="module")
def model():
    model = support.scramble(support.tiny_classifier(labels=["no", "yes"]))
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    return model


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_arguments_stand_in_keras_order(method):
    ours = list(inspect.signature(getattr(TextModel, method)).parameters)
    theirs = list(inspect.signature(getattr(keras.Model, method)).parameters)
    ours.remove("pack_examples")  # by name alone
    assert ours == theirs


class Watch(keras.callbacks.Callback):
    """Notes what is called, and the keys of the logs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, sorted(logs)))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("batch", batch, sorted(logs)))

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append(("predicted", batch, len(logs["outputs"])))


def plain_model():
    model = keras.Sequential([keras.layers.Dense(2)])
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model, np.ones((len(NUMBERS), 3), "float32"), np.array(NUMBERS)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 2, "validation_split": 0.3},
        {"epochs": 4, "initial_epoch": 2},
        {"epochs": 4, "validation_split": 0.3, "validation_freq": 2},
        {"epochs": 3, "validation_split": 0.3, "validation_freq": [1, 3]},
    ],
)
def test_history_and_logs_are_those_of_keras(model, settings):
    runs = []
    for one, x, y in ((model, toys.TEXTS, NUMBERS), plain_model()):
        watch = Watch()
        history = one.fit(x, y, batch_size=4, callbacks=[watch], verbose=0, **settings)
        lengths = {key: len(values) for key, values in history.history.items()}
        runs.append((history.epoch, lengths, watch.seen))
    assert runs[0] == runs[1]


def test_steps_per_epoch_cut_a_list_short(model):
    watch = Watch()
    model.fit(toys.TEXTS, NUMBERS, 4, 2, steps_per_epoch=1, callbacks=[watch], verbose=0)
    assert sum(call[0] == "batch" for call in watch.seen) == 2


def test_validation_steps_and_size(model):
    held_back = (toys.TEXTS, NUMBERS)
    kwargs = {"validation_data": held_back, "validation_batch_size": 2, "verbose": 0}
    part = model.fit(toys.TEXTS, NUMBERS, 4, validation_steps=1, **kwargs).history["val_loss"][0]
    assert part == pytest.approx(model.evaluate(*held_back, 2, verbose=0, steps=1)[0], abs=1e-5)


def test_validation_weights(model):
    weights = np.linspace(0, 2, len(NUMBERS))
    history = model.fit(
        toys.TEXTS, NUMBERS, 4, validation_data=(toys.TEXTS, NUMBERS, weights), verbose=0
    )
    expected = model.evaluate(toys.TEXTS, NUMBERS, sample_weight=weights, verbose=0)[0]
    assert history.history["val_loss"][0] == pytest.approx(expected, abs=1e-5)


def test_a_split_holds_back_the_last_examples(model):
    weights = np.linspace(0.1, 2, len(NUMBERS)).tolist()
    history = model.fit(
        toys.TEXTS, NUMBERS, 4, validation_split=0.4, sample_weight=weights, verbose=0
    ).history
    for key, where in (("loss", slice(6)), ("val_loss", slice(6, None))):
        expected = model.evaluate(
            toys.TEXTS[where], NUMBERS[where], sample_weight=weights[where], verbose=0
        )[0]
        assert history[key][0] == pytest.approx(expected, abs=1e-5)


def test_the_held_back_part_is_not_weighed_by_class(model):
    settings = {"validation_split": 0.4, "verbose": 0}
    plain = model.fit(toys.TEXTS, NUMBERS, 4, **settings).history
    weighted = model.fit(toys.TEXTS, NUMBERS, 4, class_weight={0: 5.0}, **settings).history
    assert weighted["loss"][0] > 1.1 * plain["loss"][0]
    assert weighted["val_loss"] == pytest.approx(plain["val_loss"], abs=1e-6)


@pytest.mark.parametrize("part", ["texts", "pairs", "arrays"])
def test_each_form_can_be_split(model, part):
    x = {"texts": toys.TEXTS, "pairs": toys.pairs(), "arrays": model.preprocessor(toys.TEXTS)}[part]
    y = tuple(NUMBERS)
    assert "val_loss" in model.fit(x, y, 4, validation_split=0.3, verbose=0).history


def test_evaluate_returns_a_list_or_a_dict(model):
    listed = model.evaluate(toys.TEXTS, NUMBERS, verbose=0)
    named = model.evaluate(toys.TEXTS, NUMBERS, verbose=0, return_dict=True)
    assert listed == pytest.approx([named["loss"], named["accuracy"]])
    assert list(named) == list(
        plain_model()[0].evaluate(*plain_model()[1:], verbose=0, return_dict=True)
    )


def test_some_steps_are_the_first_batches(model):
    part = model.evaluate(toys.TEXTS, NUMBERS, 4, verbose=0, steps=2)
    assert part == pytest.approx(model.evaluate(toys.TEXTS[:8], NUMBERS[:8], verbose=0), abs=1e-5)


def test_predicting_tells_the_callbacks(model):
    watch = Watch()
    model.predict(toys.TEXTS, 4, callbacks=[watch])
    assert watch.seen == [("predicted", 0, 4), ("predicted", 1, 4), ("predicted", 2, 3)]


def test_a_progress_bar_only_on_request(model, capsys):
    model.predict(toys.TEXTS)
    model.fit(toys.TEXTS, NUMBERS, verbose=0)
    model.evaluate(toys.TEXTS, NUMBERS, verbose=0)
    assert capsys.readouterr().out == ""
    model.predict(toys.TEXTS, 4, verbose=1)
    assert "step" in capsys.readouterr().out


def test_batch_methods_take_arrays(model):
    x = model.preprocessor(toys.TEXTS)
    y = np.array(NUMBERS)
    expected = model.evaluate(toys.TEXTS, NUMBERS, verbose=0)
    assert model.test_on_batch(x, y) == pytest.approx(expected, abs=1e-5)
    assert model.train_on_batch(x, y) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(x), model.predict(toys.TEXTS), atol=1e-5)
