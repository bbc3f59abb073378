"""Examples that share rows give the same outputs, losses and trainings as alone."""

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz
from keras_bert_zoo.data.batching import Batches
from keras_bert_zoo.data.example_packing import ExamplePacking
from keras_bert_zoo.tasks.feed import Feed

WORDS = ["the", "film", "was", "good", "bad", "tea"]
TEXTS = [
    " ".join(np.random.default_rng(i).choice(WORDS, size)) for i, size in enumerate([3, 20, 1] * 7)
]
SENTENCES = [text.split() for text in TEXTS]
TAGS = [["A" if word in ("film", "tea") else "B" for word in words] for words in SENTENCES]


def settings(**fields):
    fields = {"dropout": 0.0, "attention_dropout": 0.0, "initializer_range": 0.4, **fields}
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=32)
    return {"backbone": support.tiny_backbone(**fields), "preprocessor": preprocessor}


def classifier(**fields):
    return kbz.TextClassifier(labels=["no", "yes"], dropout=0.0, **settings(**fields))


def tagger(**options):
    return kbz.TokenClassifier(labels=["A", "B"], dropout=0.0, **options, **settings())


MODELS = {
    "classes": (classifier, TEXTS),
    "pairs": (classifier, (TEXTS, TEXTS[::-1])),
    "narrow embeddings": (lambda: classifier(embedding_dim=8), TEXTS),
    "tags": (tagger, SENTENCES),
    "tags, CRF": (lambda: tagger(crf=True), SENTENCES),
    "vectors": (lambda: kbz.TextEmbedder(**settings()), TEXTS),
    "answers": (lambda: kbz.QuestionAnswerer(**settings()), (["the film"] * 21, TEXTS)),
    "next sentences": (lambda: kbz.NextSentencePredictor(**settings()), (TEXTS, TEXTS[::-1])),
}


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_the_same(name):
    make, x = MODELS[name]
    model = make()
    alone, together = (model.predict(x, pack_examples=packs) for packs in (False, True))
    leaves = [keras.tree.flatten(outputs) for outputs in (alone, together)]
    assert len(leaves[0]) == len(leaves[1]) > 0
    for one, two in zip(*leaves, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
    assert max(np.ptp(one) for one in leaves[0]) > 0.1


@pytest.mark.parametrize("batch_size", [8, 21])
def test_the_loss_is_the_same(batch_size):
    model, y = classifier(), ["no", "yes", "yes"] * 7
    weights = np.linspace(0.2, 2, 21)
    alone, together = (
        model.evaluate(
            TEXTS, y, batch_size, sample_weight=weights, verbose=0, return_dict=True,
            pack_examples=packs,
        )
        for packs in (False, True)
    )  # fmt: skip
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("batch_size", [4, 21])
def test_the_metrics_of_answers_are_the_same(batch_size):
    """Padding, which is one thing alone and another in shared rows, must never win."""
    model = kbz.QuestionAnswerer(**settings())
    x, y = (["the film"] * 21, TEXTS), [[(text.split()[0], 0)] for text in TEXTS]

    def results(size, packs):
        found = model.evaluate(x, y, size, verbose=0, return_dict=True, pack_examples=packs)
        return [found[name] for name in ("loss", "start_accuracy", "end_accuracy")]

    one_by_one = results(1, False)
    assert results(batch_size, False) == pytest.approx(one_by_one, abs=1e-5)
    assert results(batch_size, True) == pytest.approx(one_by_one, abs=1e-5)


def test_hidden_tokens_are_the_same():
    ids = np.random.default_rng(0).integers(5, 29, (6, 12)).astype("int32")
    mask = (np.arange(12) < np.array([12, 3, 5, 12, 4, 2])[:, None]).astype("int32")
    x = {"token_ids": ids * mask, "padding_mask": mask, "mask_positions": np.ones((6, 1), "int32")}
    y = {"masked_lm": ids[:, 1:2], "next_sentence": np.arange(6) % 2}
    for model, labels in (
        (kbz.MaskedLM(**settings()), y["masked_lm"]),
        (kbz.Pretrainer(**settings()), y),
    ):
        alone, together = (
            model.evaluate(x, labels, 4, verbose=0, return_dict=True, pack_examples=packs)
            for packs in (False, True)
        )
        assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("make", [classifier, tagger])
def test_a_training_is_the_same(make):
    x, y = (TEXTS, ["no", "yes", "yes"] * 7) if make is classifier else (SENTENCES, TAGS)
    losses = []
    for packs in (False, True):
        keras.utils.set_random_seed(3)
        model = make()
        model.compile(kbz.create_optimizer(1e-2))
        trained = model.fit(
            x, y, batch_size=6, epochs=3, shuffle=False, verbose=0, pack_examples=packs
        )
        losses.append(trained.history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-4)
    assert abs(losses[0][0] - losses[0][2]) > 1e-2


def test_rows_are_fewer_and_few_shapes_are_met():
    model = classifier()
    examples = model.encode_texts(TEXTS * 20)
    batches = Feed(model, pack_examples=True)._batches(examples, 32, "shuffled")
    batches.packing = ExamplePacking(rows_step=4)  # as where shapes cost a compilation
    shapes = {x["packed_rows"].shape for (x,) in batches}
    assert shapes == {(4, 128)}  # 32 examples alone would take 32 rows


def test_an_example_does_not_see_its_neighbours():
    model = classifier()
    (inputs,) = Feed(model, True)._batches(model.encode_texts(TEXTS[:3]), 3, "given")[0]
    other = dict(inputs)
    other["token_ids"] = inputs["token_ids"].copy()
    other["token_ids"][1, 1:5] = 9
    one, two = (model.predict_on_batch(x) for x in (inputs, other))
    np.testing.assert_array_equal(one[[0, 2]], two[[0, 2]])
    assert np.abs(one[1] - two[1]).max() > 1e-3


def test_a_backbone_takes_them_by_itself():
    model = classifier()
    (inputs,) = Feed(model, True)._batches(model.encode_texts(TEXTS[:3]), 3, "given")[0]
    alone = {name: inputs[name] for name in model.backbone.input}
    one, two = (model.backbone(x) for x in (alone, inputs))
    real = inputs["padding_mask"] == 1
    for name in ("sequence_output", "pooled_output"):
        where = real if name == "sequence_output" else slice(None)
        found, wanted = (keras.ops.convert_to_numpy(x[name])[where] for x in (two, one))
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_training_is_validated_on_a_dataset_too():
    model, data = classifier(), Batches(classifier().encode_texts(TEXTS[:4]), 4, "given")
    x, y = data[0][0], np.array([0, 1, 1, 0])

    class Data(keras.utils.PyDataset):
        num_batches = 1

        def __getitem__(self, batch):
            return x, y

    options = {"pack_examples": True, "verbose": 0, "validation_data": Data()}
    history = model.fit(TEXTS, ["no", "yes", "yes"] * 7, batch_size=8, **options).history
    wanted = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert history["val_loss"][0] == pytest.approx(wanted, abs=1e-5)


def test_a_pooler_that_no_output_reads_is_not_called(monkeypatch):
    model = support.tiny_classifier()
    embedder = kbz.TextEmbedder(model.backbone, preprocessor=model.preprocessor)
    called = support.count_calls(monkeypatch, kbz.layers.Pooler, "call")
    embedder.predict(["good film", "the tea"], pack_examples=True)
    assert not called
    model.predict(["good film", "the tea"], pack_examples=True)
    assert called


def test_wrong_arrays_are_named():
    model = classifier(max_sequence_length=32)
    x = {"token_ids": np.full((2, 33), 7)}
    with pytest.raises(ValueError, match="33 tokens long; max_sequence_length is 32"):
        model.predict(x, pack_examples=True)
    with pytest.raises(ValueError, match="packed_places is missing"):
        model.backbone({"token_ids": [[2, 3]], "packed_rows": [[0, 1]]})


def test_who_cannot_says_so():
    model = kbz.TextEmbedder(layers=[0, 1], **settings())
    with pytest.raises(ValueError, match="TextEmbedder cannot pack examples"):
        model.predict(TEXTS, pack_examples=True)
    (inputs,) = Feed(classifier(), True)._batches(model.encode_texts(TEXTS[:3]), 3, "given")[0]
    with pytest.raises(ValueError, match="does not pack examples"):
        model(inputs)
    dataset = keras.utils.PyDataset()
    with pytest.raises(ValueError, match="not a dataset"):
        classifier().predict(dataset, pack_examples=True)
