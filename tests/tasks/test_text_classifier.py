"""Training on separable toy sets, and the friendly forms of predictions."""

import keras
import numpy as np
import pytest
import support
import toys
from keras import ops

import keras_bert_zoo as kbz


def trained(x, y, steps=30, compiled=None, **settings):
    """A classifier after a short training on separable texts."""
    model = support.scramble(support.tiny_classifier(max_length=16, **settings), scale=0.3)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), **(compiled or {}))
    history = model.fit(x, y, batch_size=16, epochs=steps, verbose=0)
    return model, history.history


# === Learning ===


@pytest.mark.parametrize(
    "y", [toys.LABELS, [int(label == "yes") for label in toys.LABELS]], ids=["names", "numbers"]
)
def test_it_learns_classes(y):
    model, history = trained(toys.TEXTS, y, labels=["no", "yes"])
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert model.evaluate(toys.TEXTS, y, verbose=0, return_dict=True)["accuracy"] == 1.0
    assert [c["label"] for c in model.classify(toys.TEXTS)] == toys.LABELS


def test_it_learns_what_only_pairs_tell():
    """The same first text with two labels: the second one decides."""
    pairs = (["a film"] * 4, ["good tea", "bad tea", "we saw good film", "we saw bad film"])
    model, _ = trained(pairs, ["yes", "no", "yes", "no"], labels=["no", "yes"])
    assert [c["label"] for c in model.classify(pairs)] == ["yes", "no", "yes", "no"]
    turned = model.predict(pairs[::-1])
    assert not np.allclose(model.predict(pairs), turned, atol=1e-3)


@pytest.mark.parametrize("form", ["names", "sets", "rows"])
def test_it_learns_label_sets(form):
    texts = ["good film", "bad tea", "good tea", "bad film", "again"]
    names = [["kind", "screen"], [], ["kind"], ["screen"], []]
    rows = [[int(n in example) for n in ("kind", "screen")] for example in names]
    y = {"names": names, "sets": [set(n) for n in names], "rows": rows}[form]
    model, _ = trained(texts, y, labels=["kind", "screen"], multi_label=True, steps=40)
    assert model.evaluate(texts, y, verbose=0, return_dict=True)["binary_accuracy"] == 1.0
    for result, example in zip(model.classify(texts), names, strict=True):
        assert set(result["labels"]) == set(example)
        assert set(result["scores"]) == {"kind", "screen"}


def test_it_learns_numbers():
    texts = toys.words([1, 2, 3, 5, 8, 12])
    y = [0.1 * len(text.split()) for text in texts]
    model, history = trained(texts, y, num_classes=1, steps=60)
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert history["mean_absolute_error"][-1] < 0.5 * history["mean_absolute_error"][0]
    scores = [result["score"] for result in model.classify(texts)]
    assert scores == pytest.approx(model.predict(texts)[:, 0])


# === Compiling ===


def test_the_default_loss_and_metric_follow_the_problem():
    for settings, loss, metric in (
        ({}, keras.losses.SparseCategoricalCrossentropy, "accuracy"),
        ({"num_classes": 3}, keras.losses.SparseCategoricalCrossentropy, "accuracy"),
        ({"multi_label": True}, keras.losses.BinaryCrossentropy, "binary_accuracy"),
        ({"num_classes": 1}, keras.losses.MeanSquaredError, "mean_absolute_error"),
    ):
        model = support.tiny_classifier(**settings)
        assert isinstance(model.loss, loss)
        assert isinstance(model.optimizer, kbz.AdamW)
        assert [m.name for m in model.default_compile()["metrics"]] == [metric]


@pytest.mark.parametrize(
    "compiled, keys",
    [
        ({"optimizer": "sgd"}, {"loss", "accuracy"}),
        ({"metrics": []}, {"loss"}),
        ({"metrics": None}, {"loss"}),
        ({"metrics": ["accuracy"]}, {"loss", "accuracy"}),
        ({"weighted_metrics": ["accuracy"]}, {"loss", "accuracy"}),
        ({"loss": "sparse_categorical_crossentropy", "loss_weights": 2.0}, {"loss", "accuracy"}),
        ({"loss": lambda y, p: ops.mean(ops.square(p), axis=-1)}, {"loss", "accuracy"}),
    ],
)
def test_compiling_by_hand(compiled, keys):
    model = support.tiny_classifier()
    model.compile(**compiled)
    history = model.fit(toys.TEXTS[:3], [0, 1, 0], validation_split=0.4, verbose=0).history
    assert set(history) == keys | {f"val_{key}" for key in keys}


def test_a_loss_that_cannot_be_saved_stays_after_freezing():
    model = support.tiny_classifier()
    loss = lambda y, p: ops.mean(ops.square(p), axis=-1)  # noqa: E731
    optimizer = keras.optimizers.Adam(0.125)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    model.freeze("embeddings")
    assert model.loss is loss
    assert type(model.optimizer) is type(optimizer)
    assert model.optimizer is not optimizer
    assert float(model.optimizer.learning_rate) == 0.125


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch's own compiler takes minutes on a CPU"
)
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_compiled_by_xla(dropout):
    backbone = support.tiny_backbone(num_layers=1, dropout=dropout, attention_dropout=dropout)
    _, history = trained(
        toys.TEXTS,
        toys.LABELS,
        steps=3,
        backbone=backbone,
        labels=["no", "yes"],
        compiled={"jit_compile": True},
    )
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_half_precision_trains(policy):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, dtype=policy)
    model, history = trained(
        toys.TEXTS, toys.LABELS, backbone=backbone, labels=["no", "yes"], steps=15
    )
    assert np.isfinite(history["loss"]).all()
    if policy == "mixed_bfloat16":  # Keras's Adam stands still on bfloat16 weights
        assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert model.predict(toys.TEXTS).shape == (len(toys.TEXTS), 2)
    assert model.predict([]).shape == (0, 2)
    assert sum(c["score"] for c in model.classify(["good"])) >= 0.5


# === Forms of predictions ===


def test_classify_gives_the_likeliest_label_and_its_probability():
    model = support.scramble(support.tiny_classifier(labels=["a", "b", "c"]))
    probabilities = np.exp(toys.log_softmax(model.predict(toys.TEXTS)))
    results = model.classify(toys.TEXTS)
    assert [r["label"] for r in results] == ["abc"[i] for i in probabilities.argmax(axis=-1)]
    assert [r["score"] for r in results] == pytest.approx(probabilities.max(axis=-1), abs=1e-6)
    assert {tuple(r) for r in results} == {("label", "score")}


def test_without_names_the_label_is_the_number():
    model = support.scramble(support.tiny_classifier(num_classes=3))
    assert [r["label"] for r in model.classify(toys.TEXTS)] == list(
        model.predict(toys.TEXTS).argmax(axis=-1)
    )


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_the_threshold_chooses_labels_the_likeliest_first(threshold):
    model = support.scramble(
        support.tiny_classifier(labels=["a", "b", "c"], multi_label=True, threshold=threshold)
    )
    logits = model.predict(toys.TEXTS)
    for row, result in zip(1 / (1 + np.exp(-logits)), model.classify(toys.TEXTS), strict=True):
        expected = ["abc"[i] for i in np.argsort(-row) if row[i] >= threshold]
        assert result["labels"] == expected
        assert list(result["scores"].values()) == pytest.approx(row, abs=1e-6)


def test_the_head_drops_out_at_its_own_rate():
    x = support.tiny_classifier().preprocessor(["good film"])
    for rate, moves in ((0.0, False), (0.5, True), (None, False)):
        model = support.scramble(support.tiny_classifier(dropout=rate))
        one, two = (ops.convert_to_numpy(model(x, training=True)) for _ in range(2))
        assert np.array_equal(one, two) != moves


FITTED = {
    "classes": ({"num_classes": 3}, [0, 0, 2, 0], [3.5 / 5.5, 0.5 / 5.5, 1.5 / 5.5]),
    "several labels": (
        {"num_classes": 2, "multi_label": True},
        [[0, 1], [0, 1], [1, 1]],
        [1.5 / 4, 3.5 / 4],
    ),
    "a number": ({"num_classes": 1}, [2.0, 4.0, 9.0], [5.0]),
}


@pytest.mark.parametrize("name", FITTED)
def test_the_bias_alone_predicts_how_frequent_labels_are(name):
    settings, y, wanted = FITTED[name]
    classifier = support.tiny_classifier(**settings)
    head = classifier.get_layer("text_classifier")
    head.kernel.assign(np.zeros(head.kernel.shape))
    texts = toys.TEXTS[: len(y)]
    before = classifier.evaluate(texts, y, verbose=0, return_dict=True)["loss"]
    classifier.fit_bias(y)
    logits = classifier.predict(toys.TEXTS[:2])
    if name == "classes":
        found = np.exp(toys.log_softmax(logits))
    else:
        found = 1 / (1 + np.exp(-logits)) if name == "several labels" else logits
    np.testing.assert_allclose(found, [wanted] * 2, atol=1e-5)
    assert classifier.evaluate(texts, y, verbose=0, return_dict=True)["loss"] < before


def test_the_bias_wants_labels():
    classifier = support.tiny_classifier(labels=["no", "yes"])
    with pytest.raises(ValueError, match="fit_bias needs labels; got none"):
        classifier.fit_bias([])
    with pytest.raises(ValueError, match="perhaps"):
        classifier.fit_bias(["perhaps"])
