"""Datasets of texts: PyDataset and tf.data."""

import keras
import numpy as np
import pytest
import support
import toys

WEIGHTS = np.linspace(0.5, 1.5, len(toys.TEXTS)).astype("float32")
NUMBERS = np.array([label == "yes" for label in toys.LABELS]).astype("int64")


@pytest.fixture(scope="module")
def model():
    model = support.scramble(support.tiny_classifier(labels=["no", "yes"]))
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    return model


def tf_batches(*arguments):
    pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
    return toys.tf_batches(*arguments)


KINDS = pytest.mark.parametrize("batches", [toys.Slices, tf_batches], ids=["PyDataset", "tf.data"])


@KINDS
@pytest.mark.parametrize("labels", [toys.LABELS, NUMBERS], ids=["names", "numbers"])
@pytest.mark.parametrize("paired", [False, True], ids=["texts", "pairs"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_dataset_gives_what_lists_give(model, batches, labels, paired, weights):
    x = toys.pairs() if paired else toys.TEXTS
    parts = (x, labels) if weights is None else (x, labels, weights)
    expected = model.evaluate(
        x, labels, batch_size=4, sample_weight=weights, verbose=0, return_dict=True
    )
    given = model.evaluate(batches(4, *parts), verbose=0, return_dict=True)
    assert given == pytest.approx(expected, abs=1e-5)
    history = model.fit(batches(4, *parts), validation_data=batches(4, *parts), verbose=0).history
    assert history["loss"][0] == pytest.approx(expected["loss"], abs=1e-5)
    assert history["val_loss"][0] == pytest.approx(expected["loss"], abs=1e-5)
    assert history["val_accuracy"][0] == pytest.approx(expected["accuracy"], abs=1e-6)


@KINDS
@pytest.mark.parametrize("paired", [False, True], ids=["texts", "pairs"])
def test_predictions_of_a_dataset(model, batches, paired):
    x = toys.pairs() if paired else toys.TEXTS
    expected = model.predict(x)
    for parts in ((x,), (x, toys.LABELS), (x, NUMBERS, WEIGHTS)):
        np.testing.assert_allclose(model.predict(batches(4, *parts)), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(batches(4, x), steps=2), expected[:8], atol=1e-5)


@KINDS
def test_a_dataset_of_id_arrays(model, batches):
    arrays = model.preprocessor(toys.TEXTS)
    expected = model.evaluate(toys.TEXTS, NUMBERS, verbose=0, return_dict=True)
    for x in (arrays, {"token_ids": arrays["token_ids"], "padding_mask": arrays["padding_mask"]}):
        given = model.evaluate(batches(4, x, NUMBERS), verbose=0, return_dict=True)
        assert given == pytest.approx(expected, abs=1e-5)


@KINDS
def test_class_weights_with_a_dataset(model, batches):
    weights = {"no": 3.0, "yes": 0.5}
    by_list = model.fit(toys.TEXTS, NUMBERS, 4, class_weight=weights, verbose=0)
    by_dataset = model.fit(batches(4, toys.TEXTS, NUMBERS), class_weight=weights, verbose=0)
    assert by_dataset.history["loss"] == pytest.approx(by_list.history["loss"], abs=1e-5)


@KINDS
@pytest.mark.parametrize("settings", [{"y": toys.LABELS}, {"batch_size": 4}])
def test_labels_and_batch_size_come_from_the_dataset(model, batches, settings):
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="y, sample_weight and batch_size come from it"):
            method(batches(4, toys.TEXTS, NUMBERS), **settings)


@KINDS
def test_datasets_without_labels(model, batches):
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"yields no labels: it should yield \(x, y\)"):
            method(batches(4, toys.TEXTS))


@KINDS
def test_two_texts_can_be_read_in_two_ways(model, batches):
    with pytest.raises(
        ValueError, match=r"as pairs, to be yielded as \(\(firsts, seconds\),\), or"
    ):
        model.predict(batches(4, *toys.pairs()))


@KINDS
def test_a_wrong_label_of_a_dataset(model, batches):
    with pytest.raises(ValueError, match=r"y\[2\] is 'maybe', which is none of the labels no, yes"):
        model.fit(batches(4, toys.TEXTS[:3], ["yes", "no", "maybe"]), verbose=0)


@KINDS
def test_a_split_of_a_dataset(model, batches):
    with pytest.raises(ValueError, match="validation_split needs x and y as lists or arrays"):
        model.fit(batches(4, toys.TEXTS, NUMBERS), validation_split=0.5)


@pytest.mark.parametrize(
    "element",
    [("good film", 1), (("good", "film"), 1), ({"token_ids": np.array([2, 5, 3])}, 1)],
)
def test_single_examples_are_refused(model, element):
    class Single(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, number):
            return element

    with pytest.raises(ValueError, match=r"yields single examples; batch it first"):
        model.fit(Single(), verbose=0)


def test_single_examples_of_tf_data_are_refused(model):
    tf = pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
    for parts in ((toys.TEXTS, NUMBERS), (toys.pairs(), NUMBERS)):
        with pytest.raises(ValueError, match=r"yields single examples; batch it first"):
            model.fit(tf.data.Dataset.from_tensor_slices(parts))


def test_an_empty_dataset(model):
    pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
    with pytest.raises(ValueError, match="The dataset yields no batches"):
        model.fit(toys.tf_batches(4, toys.TEXTS, NUMBERS).take(0))


def test_a_torch_data_loader_is_refused(model):
    torch = pytest.importorskip("torch", reason="its DataLoader is meant")
    with pytest.raises(ValueError, match="A torch DataLoader is not read; pass lists"):
        model.fit(torch.utils.data.DataLoader([("good", 1)]))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras says so of all of them
def test_a_tf_dataset_of_unknown_size(model):
    pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
    dataset = toys.tf_batches(4, toys.TEXTS, NUMBERS).filter(lambda x, y: True)
    assert int(dataset.cardinality()) < 0
    expected = model.evaluate(toys.TEXTS, NUMBERS, verbose=0, return_dict=True)
    history = model.fit(dataset, epochs=2, verbose=0).history
    assert history["loss"] == pytest.approx([expected["loss"]] * 2, abs=1e-5)
    assert model.evaluate(dataset, verbose=0, return_dict=True) == pytest.approx(expected, abs=1e-5)
    assert len(model.predict(dataset)) == len(toys.TEXTS)


def test_an_endless_tf_dataset(model):
    pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
    dataset = toys.tf_batches(4, toys.TEXTS, NUMBERS).repeat()
    history = model.fit(dataset, epochs=2, steps_per_epoch=3, verbose=0).history
    assert len(history["loss"]) == 2


def test_the_dataset_is_told_of_the_end_of_an_epoch(model):
    dataset = toys.Slices(4, toys.TEXTS, NUMBERS)
    model.fit(dataset, epochs=3, verbose=0)
    assert dataset.ended >= 2


def test_an_endless_py_dataset(model):
    class Endless(toys.Slices):
        @property
        def num_batches(self):
            return None

        def __getitem__(self, batch):
            return super().__getitem__(batch % 3)

    history = model.fit(
        Endless(4, toys.TEXTS, NUMBERS), epochs=2, steps_per_epoch=5, verbose=0
    ).history
    assert len(history["loss"]) == 2
