"""Batches of different lengths, and how many programs they cost."""

import keras
import numpy as np
import pytest
import support
import toys

from keras_bert_zoo.data import lengths as few_lengths
from keras_bert_zoo.data.lengths import bucket_lengths
from keras_bert_zoo.layers.encoder_block import EncoderBlock


@pytest.fixture(scope="module")
def model():
    return support.tiny_classifier(max_length=64)


def data(form, counts):
    """Batches of 2 whose first two are alike and a later one longer, in a given form."""
    texts, labels = toys.words(counts), [i % 2 for i in range(len(counts))]
    pairs = (texts, texts[::-1])
    ids = support.tiny_classifier(max_length=64).preprocessor(texts)
    if form == "tf.data":
        pytest.importorskip("tensorflow", reason="tf.data is TensorFlow's")
        return toys.tf_batches(2, texts, labels), None
    return {
        "lists": (texts, labels),
        "pairs": (pairs, labels),
        "arrays": (ids, labels),
        "PyDataset": (toys.Slices(2, texts, labels), None),
        "PyDataset of pairs": (toys.Slices(2, pairs, labels), None),
        "PyDataset of arrays": (toys.Slices(2, ids, labels), None),
    }[form]


@pytest.mark.parametrize("partial", [False, True], ids=["whole batches", "partial last batch"])
@pytest.mark.parametrize(
    "form",
    "lists,pairs,arrays,tf.data,PyDataset,PyDataset of pairs,PyDataset of arrays".split(","),
)
def test_a_later_longer_batch_works(model, form, partial):
    counts = [3, 3, 3, 3, 40, 2, 3] if partial else [3, 3, 3, 3, 40, 2]
    x, y = data(form, counts)
    size = {} if y is None else {"batch_size": 2}
    history = model.fit(x, y, **size, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(model.evaluate(x, y, **size, verbose=0)).all()
    assert model.predict(x, **size).shape == (len(counts), 2)


def test_a_single_text_is_a_single_row(model, monkeypatch):
    seen, run = [], model.predict_on_batch

    def watched(x):
        seen.append(x["token_ids"].shape)
        return run(x)

    monkeypatch.setattr(model, "predict_on_batch", watched)
    model.predict(toys.words([5]))
    assert seen == [(1, 8 if keras.backend.backend() == "jax" else 7)]


def traces(monkeypatch):
    """A list that grows by one each time Python walks through the encoder block."""
    calls, call = [], EncoderBlock.call

    def counted(self, hidden_states, **kwargs):
        calls.append(hidden_states.shape)
        return call(self, hidden_states, **kwargs)

    monkeypatch.setattr(EncoderBlock, "call", counted)
    return calls


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch runs eagerly: there is nothing to compile"
)
def test_at_most_one_program_for_each_bucket(monkeypatch):
    buckets = bucket_lengths(128)
    assert len(buckets) == 6
    random = np.random.default_rng(0)
    counts = random.permutation([max(1, bucket - 3) for bucket in buckets] * 6 + [2])
    texts, y = toys.words(counts), [0] * len(counts)
    backbone = support.tiny_backbone(num_layers=1, max_sequence_length=128)
    model = support.tiny_classifier(max_length=128, backbone=backbone)
    model.fit(texts[:1], y[:1], 1, verbose=0)  # Keras walks through the model once to build it
    calls = traces(monkeypatch)

    def traced(function, *arguments, **settings):
        calls.clear()
        function(*arguments, **settings)
        return len(calls)

    # Batches of 1 meet every bucket, again and again; one of them was met above.
    counted = [
        traced(model.fit, texts, y, 1, 2, verbose=0),
        traced(model.evaluate, texts, y, 1, verbose=0),
        traced(model.predict, texts, 1),
    ]
    if keras.backend.backend() == "jax":
        assert counted == [len(buckets) - 1, len(buckets), len(buckets)]
    else:  # TensorFlow's graphs leave the length open
        assert sum(counted) > 0
        assert max(counted) <= len(buckets)
    assert traced(model.fit, texts, y, 1, 2, verbose=0) == 0
    assert traced(model.evaluate, texts, y, 1, verbose=0) == 0
    assert traced(model.predict, texts, 1) == 0


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="elsewhere any length is taken")
def test_predictions_of_many_texts_in_lengths_that_fit(monkeypatch):
    texts = toys.words(np.random.default_rng(0).integers(1, 40, 60))
    backbone = support.tiny_backbone(num_layers=1, max_sequence_length=128)
    model = support.tiny_classifier(max_length=128, backbone=backbone)
    wanted = model.predict(texts, 4)
    widths = []
    run = model.predict_on_batch
    monkeypatch.setattr(
        model, "predict_on_batch", lambda x: widths.append(x["token_ids"].shape) or run(x)
    )
    assert np.array_equal(model.predict(texts, 4), wanted)
    assert {length for _, length in widths} <= set(bucket_lengths(128))

    widths.clear()
    monkeypatch.setattr(few_lengths, "_WORTH_COMPILING", 1)
    np.testing.assert_allclose(model.predict(texts, 4), wanted, atol=1e-5)
    lengths = {length for _, length in widths}
    assert not lengths <= set(bucket_lengths(128))
    assert len(lengths) <= 6
    np.testing.assert_allclose(model.predict(texts, 4, pack_examples=True), wanted, atol=1e-5)

    # Once for a model: other texts take the same, and longer ones the usual.
    widths.clear()
    model.predict(toys.words([1, 5, 9, 21, 30, 80]), 1)
    assert {length for _, length in widths} <= {*model.fitted_lengths, 64, 96, 128}
    assert 96 in {length for _, length in widths}


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch runs eagerly: there is nothing to compile"
)
def test_a_partial_batch_costs_no_program(monkeypatch):
    model = support.tiny_classifier()
    texts, y = toys.words([3] * 7), [0] * 7
    model.fit(texts[:4], y[:4], 4, verbose=0)
    model.evaluate(texts[:4], y[:4], 4, verbose=0)
    model.predict(texts[:4], 4)
    calls = traces(monkeypatch)
    model.fit(texts, y, 4, verbose=0)
    model.evaluate(texts, y, 4, verbose=0)
    if keras.backend.backend() == "jax":
        model.predict(texts, 4)
        assert calls == []
        model.predict(texts, 3)  # a control: another size is another program
        assert calls
    else:  # TensorFlow's graph leaves the number of rows open from the second one on
        assert calls == []
        model.predict(texts, 4)
        calls.clear()
        model.predict(texts, 3)
        assert calls == []
