"""Round trips by `save_to_preset` and by Keras's own files."""

import keras
import numpy as np
import pytest
import support
import toys
from keras import ops

import keras_bert_zoo as kbz

LABELS = ["no", "yes"]
PROBLEMS = {
    "multi_class": ({"labels": LABELS}, toys.LABELS),
    "multi_label": (
        {"labels": ["a", "b", "c"], "multi_label": True, "threshold": 0.3},
        [["a"], ["b", "c"], []] * 3 + [["c"], []],
    ),
    "regression": ({"num_classes": 1, "dropout": 0.25}, np.linspace(0, 1, len(toys.TEXTS))),
}


def model_of(problem="multi_class", max_length=19, **more):
    settings, _ = PROBLEMS[problem]
    return support.scramble(support.tiny_classifier(max_length, **{**settings, **more}))


def one_bucket():
    """A model whose training compiles a single program."""
    return model_of(max_length=8)


def by_preset(model, folder):
    model.save_to_preset(folder / "preset")
    return kbz.TextClassifier.from_preset(folder / "preset")


def by_keras(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


WAYS = pytest.mark.parametrize("reload", [by_preset, by_keras])


def assert_same(one, two):
    """Every weight, setting and prediction is the same, to the bit."""
    assert [w.path for w in one.weights] == [w.path for w in two.weights]
    for a, b in zip(one.weights, two.weights, strict=True):
        a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert one.task_config() == two.task_config()
    assert (one.labels, one.threshold, one.problem) == (two.labels, two.threshold, two.problem)
    assert one.preprocessor.max_length == two.preprocessor.max_length
    assert one.preprocessor.truncation == two.preprocessor.truncation
    text = "The WARMEST cup, not slower! [MASK]"
    tokenizers = (one.preprocessor.tokenizer, two.preprocessor.tokenizer)
    assert len({tuple(t.tokenize(text)) for t in tokenizers}) == 1
    np.testing.assert_array_equal(one.predict(toys.TEXTS), two.predict(toys.TEXTS))
    assert one.classify(toys.TEXTS) == two.classify(toys.TEXTS)


@WAYS
@pytest.mark.parametrize("problem", PROBLEMS)
def test_round_trips_are_exact(problem, reload, tmp_path):
    model = model_of(problem)
    again = reload(model, tmp_path)
    assert type(again) is kbz.TextClassifier
    assert_same(model, again)
    assert reload(again, tmp_path).task_config() == model.task_config()


@WAYS
def test_the_text_settings_travel(reload, tmp_path):
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(lowercase=False), 11, "only_first")
    model = kbz.TextClassifier(support.tiny_backbone(num_layers=1), preprocessor=preprocessor)
    again = reload(model, tmp_path)
    assert_same(model, again)
    assert again.preprocessor.truncation == "only_first"
    assert again.preprocessor.tokenizer.tokenize("Good") == preprocessor.tokenizer.tokenize("Good")


@WAYS
def test_what_is_frozen_stays_so(reload, tmp_path):
    model = model_of(num_layers=2)
    model.freeze(1)
    again = reload(model, tmp_path)
    assert again.frozen == 1
    trainable = [w.path for w in again.trainable_variables]
    assert trainable == [w.path for w in model.trainable_variables]
    assert not any(path.startswith(("embeddings", "layer_0")) for path in trainable)


@WAYS
def test_the_dtype_policy_travels(reload, tmp_path):
    backbone = support.tiny_backbone(num_layers=1, dtype="mixed_bfloat16")
    again = reload(support.tiny_classifier(backbone=backbone), tmp_path)
    assert again.backbone.dtype_policy.name == "mixed_bfloat16"
    assert again.get_layer("text_classifier").dtype_policy.name == "mixed_bfloat16"


def test_a_task_without_tokenizer(tmp_path):
    model = kbz.TextClassifier(support.tiny_backbone(num_layers=1))
    again = by_keras(model, tmp_path)
    assert again.preprocessor is None
    ids = {"token_ids": np.array([[2, 5, 3]])}
    np.testing.assert_array_equal(model.predict(ids), again.predict(ids))


# === Compile state and optimizer ===


@pytest.mark.parametrize("compiled", ["default", "by hand"])
def test_training_goes_on_as_if_unbroken(compiled, tmp_path):
    def fit(model, epochs):
        model.fit(toys.TEXTS, toys.LABELS, batch_size=4, epochs=epochs, shuffle=False, verbose=0)

    def start():
        model = one_bucket()
        if compiled == "by hand":
            model.compile(
                optimizer=kbz.create_optimizer(1e-2, 12, layer_decay=0.9),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
                weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="hits")],
            )
        return model

    unbroken, broken = start(), start()
    fit(unbroken, 2)
    fit(broken, 1)
    again = by_keras(broken, tmp_path)
    assert int(again.optimizer.iterations) == 3
    assert again.optimizer.get_config() == broken.optimizer.get_config()
    fit(again, 1)
    for a, b in zip(unbroken.weights, again.weights, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(a), ops.convert_to_numpy(b), rtol=1e-6, atol=1e-6, err_msg=a.path
        )
    fresh = start()  # a control: without the optimizer's state it goes elsewhere
    fresh.set_weights(broken.get_weights())
    fit(fresh, 1)
    moved = np.abs(ops.convert_to_numpy(fresh.weights[0] - unbroken.weights[0])).max()
    assert moved > 1e-5


@pytest.mark.parametrize("kind", ["metrics", "weighted_metrics"])
def test_metrics_mean_the_same_after_loading(kind, tmp_path):
    model = one_bucket()
    model.compile(**{kind: [keras.metrics.SparseCategoricalAccuracy(name="hits")]})
    weights = np.linspace(0, 1, len(toys.TEXTS))
    arguments = {"batch_size": 4, "sample_weight": weights, "verbose": 0, "return_dict": True}
    before = model.evaluate(toys.TEXTS, toys.LABELS, **arguments)
    after = by_keras(model, tmp_path).evaluate(toys.TEXTS, toys.LABELS, **arguments)
    assert after == pytest.approx(before, abs=1e-6)
    assert set(after) == {"loss", "hits"}


def test_an_optimizer_that_has_done_nothing_is_not_built(tmp_path):
    """Its moments would double the memory of a model that only predicts."""
    again = by_keras(model_of(), tmp_path)
    assert not again.optimizer.built


def test_weights_alone_can_be_saved(tmp_path):
    model, other = model_of(), support.tiny_classifier(labels=LABELS)
    model.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model.weights[0]), ops.convert_to_numpy(other.weights[0])
    )


# === Callbacks ===


def test_checkpoints_and_early_stopping(tmp_path):
    model = one_bucket()
    path = tmp_path / "best.keras"
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(
        toys.TEXTS,
        toys.LABELS,
        epochs=5,
        validation_data=(toys.TEXTS, toys.LABELS),
        callbacks=[
            keras.callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True),
            keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=1e-3),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
        verbose=0,
    )
    assert len(history.epoch) == 2  # nothing is learned, so it stops
    assert_same(model, keras.models.load_model(path))
    header, *lines = (tmp_path / "log.csv").read_text().splitlines()
    assert header.split(",") == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert len(lines) == 2


def test_a_schedule_by_callback():
    model = one_bucket()
    model.compile(optimizer="sgd")
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
    model.fit(toys.TEXTS, toys.LABELS, epochs=3, callbacks=[rates], verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.25)


def test_backup_and_restore(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = one_bucket()
    arguments = {"epochs": 4, "batch_size": 4, "verbose": 0}
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(toys.TEXTS, toys.LABELS, callbacks=[backup, Stop()], **arguments)
    other = support.tiny_classifier(8, labels=LABELS)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    history = other.fit(toys.TEXTS, toys.LABELS, callbacks=[backup], **arguments)
    assert history.epoch[-1] == 3
    assert len(history.epoch) < 4
