"""Tagging, from words or texts to labels and spans."""

import keras
import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz
from keras_bert_zoo.data.label_schemes import spans as spans_of
from keras_bert_zoo.data.probabilities import softmax

LABELS = ["O", "B-FILM", "I-FILM", "B-TEA", "I-TEA"]
WORDS = [
    ["the", "good", "film", "was", "slow"],
    ["tea"],
    ["we", "saw", "the", "warmest", "film", "and", "a", "cup", "of", "tea"],
    ["film", "film"],
    ["a", "very", "bad", "film", ",", "not", "tea", "!"],
]


def labels_of(sentence):
    return ["B-FILM" if w == "film" else "B-TEA" if w == "tea" else "O" for w in sentence]


TAGS = [labels_of(sentence) for sentence in WORDS]


def tagger(max_length=16, backbone=None, **settings):
    if backbone is None:
        backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=max_length)
    settings.setdefault("labels", LABELS)
    return kbz.TokenClassifier(backbone, preprocessor=preprocessor, **settings)


@pytest.fixture(scope="module")
def random_tagger():
    return support.scramble(tagger())


@pytest.mark.parametrize("crf", [False, True])
def test_it_learns_and_tags(crf):
    keras.utils.set_random_seed(0)
    model = tagger(crf=crf)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(WORDS * 4, TAGS * 4, epochs=12, batch_size=8, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert crf or history["accuracy"][-1] > 0.95
    assert model.tag(words=WORDS) == TAGS
    (spans,) = model.tag(["The slow FILM, and tea"])
    assert [(s["text"], s["label"], s["start"], s["end"]) for s in spans] == [
        ("FILM", "FILM", 9, 13),
        ("tea", "TEA", 19, 22),
    ]
    assert all(0.5 < s["score"] <= 1 for s in spans)


def test_predict_gives_logits_for_each_word(random_tagger):
    logits = random_tagger.predict(WORDS, batch_size=2)
    assert [row.shape for row in logits] == [(len(words), 5) for words in WORDS]
    alone = [random_tagger.predict([words])[0] for words in WORDS]
    for one, other in zip(logits, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_words_are_judged_by_their_first_piece(random_tagger):
    words = [["the", "warmest", "film"]]  # warm ##est
    ids = np.array([[2, 5, 12, 14, 7, 3]])
    everything = random_tagger.predict({"token_ids": ids})
    np.testing.assert_allclose(random_tagger.predict(words)[0], everything[0, [1, 2, 4]], atol=1e-5)


def test_long_sentences_are_not_cut(random_tagger):
    long = [["film", "warmest", "tea"] * 20, [], ["good"]]
    logits = random_tagger.predict(long)
    assert [len(row) for row in logits] == [60, 0, 1]
    assert [len(row) for row in random_tagger.tag(words=long)] == [60, 0, 1]
    tags = [["O"] * 60, [], ["O"]]
    result = random_tagger.evaluate(long, tags, verbose=0, return_dict=True)
    flat = np.concatenate([toys.log_softmax(row) for row in logits])
    assert result["loss"] == pytest.approx(-flat[:, 0].mean(), abs=1e-5)
    assert result["accuracy"] == pytest.approx((flat.argmax(-1) == 0).mean(), abs=1e-6)


def test_the_loss_is_the_mean_over_words(random_tagger):
    for size in (1, 2, 5):
        result = random_tagger.evaluate(WORDS, TAGS, batch_size=size, verbose=0, return_dict=True)
        logits = random_tagger.predict(WORDS)
        losses = [
            -toys.log_softmax(row)[i, LABELS.index(tag)]
            for row, tags in zip(logits, TAGS, strict=True)
            for i, tag in enumerate(tags)
        ]
        assert result["loss"] == pytest.approx(np.mean(losses), abs=1e-5)


def test_sample_weights_are_by_sentence(random_tagger):
    weights = np.array([1, 0, 2, 0, 0.5])
    result = random_tagger.evaluate(WORDS, TAGS, sample_weight=weights, verbose=0, return_dict=True)
    total = count = 0
    for row, tags, weight in zip(random_tagger.predict(WORDS), TAGS, weights, strict=True):
        log = toys.log_softmax(row)
        total += weight * -sum(log[i, LABELS.index(tag)] for i, tag in enumerate(tags))
        count += weight * len(tags)
    assert result["loss"] == pytest.approx(total / count, abs=1e-5)


def test_class_weights_are_by_word():
    models = [support.scramble(tagger()) for _ in range(2)]
    for model, weights in zip(models, [None, {"O": 0.0, "B-TEA": 3.0}], strict=True):
        model.compile(optimizer=keras.optimizers.SGD(0.0))
        history = model.fit(WORDS, TAGS, class_weight=weights, verbose=0, batch_size=5).history
        model.seen = history["loss"][0]
    logits = models[0].predict(WORDS)
    pairs = [
        (-toys.log_softmax(row)[i, LABELS.index(tag)], {"O": 0.0, "B-TEA": 3.0}.get(tag, 1.0))
        for row, tags in zip(logits, TAGS, strict=True)
        for i, tag in enumerate(tags)
    ]
    losses, weights = np.array(pairs).T
    assert models[0].seen == pytest.approx(losses.mean(), abs=1e-4)
    assert models[1].seen == pytest.approx((losses * weights).sum() / weights.sum(), abs=1e-4)


def test_spans_over_texts_train_like_words():
    texts = ["the good film was slow", "tea", "film film"]
    spans = [
        [(9, 13, "FILM")],
        [{"start": 0, "end": 3, "label": "TEA"}],
        [(0, 4, "FILM"), (5, 9, "FILM")],
    ]
    by_words = [text.split() for text in texts]
    tags = [labels_of(words) for words in by_words]
    model = support.scramble(tagger())
    one = model.evaluate(texts, spans, verbose=0)
    other = model.evaluate(by_words, tags, verbose=0)
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert model.evaluate(["no film"], [[]], verbose=0)[0] > 0


def test_aggregation_from_the_definitions(random_tagger):
    text = "the warmest film"
    pieces = random_tagger.predict({"token_ids": np.array([[2, 5, 12, 14, 7, 3]])})[0, 1:5]
    probabilities = softmax(pieces)

    def labels(spans):
        return [span["label"] for span in spans]

    none = random_tagger.tag([text], aggregation="none")[0]
    chosen = [LABELS[i] for i in pieces.argmax(-1)]
    assert labels(none) == [label for label in chosen if label != "O"]
    word = {
        "first": probabilities[1],
        "average": probabilities[1:3].mean(axis=0),
        "max": probabilities[1 + probabilities[1:3].max(-1).argmax()],
    }
    for aggregation, of_word in word.items():
        (spans,) = random_tagger.tag([text], aggregation=aggregation)
        rows = [probabilities[0], of_word, probabilities[3]]
        tags = [LABELS[int(row.argmax())] for row in rows]
        assert len(spans) == len(spans_of(tags, "BIO"))
        for span, (kind, first, last) in zip(spans, spans_of(tags, "BIO"), strict=True):
            assert span["label"] == kind
            wanted = np.mean([row.max() for row in rows[first:last]])
            assert span["score"] == pytest.approx(wanted, abs=1e-5)
            assert span["text"] == text[span["start"] : span["end"]]


def test_plain_labels_and_numbers():
    model = support.scramble(tagger(labels=["NOUN", "VERB", "X"]))
    (spans,) = model.tag(["we saw it"])
    assert [span["text"] for span in spans] == ["we", "saw", "it"]
    model = support.scramble(tagger(labels=None, num_classes=3))
    assert all(isinstance(label, int) for label in model.tag(words=[["we", "saw"]])[0])
    assert model.evaluate([["we", "saw"]], [[0, 2]], verbose=0)[0] > 0


@pytest.mark.parametrize("crf", [False, True])
def test_it_comes_back_exactly(crf, tmp_path):
    model = support.scramble(tagger(crf=crf, stride=3, dropout=0.25))
    model.freeze(1)
    model.save_to_preset(tmp_path / "own")
    model.save(tmp_path / "model.keras")
    for again in (
        kbz.TokenClassifier.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert again.labels == tuple(LABELS)
        assert again.task_config() == model.task_config()
        assert again.preprocessor.max_length == 16
        assert [w.path for w in again.weights] == [w.path for w in model.weights]
        for one, other in zip(again.weights, model.weights, strict=True):
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
            )
        assert again.tag(words=WORDS) == model.tag(words=WORDS)


def test_a_span_across_windows_is_learned_with_a_crf():
    keras.utils.set_random_seed(0)
    model = tagger(crf=True)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    words = [["film"] * 12 + ["tea"] * 20 + ["film"] * 5]
    tags = [["O"] * 12 + ["B-TEA"] + ["I-TEA"] * 19 + ["O"] * 5]
    losses = model.fit(words * 4, tags * 4, epochs=8, batch_size=4, verbose=0).history["loss"]
    assert losses[0] < 5
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    "tags, message",
    [
        (["I-TEA", "O"], r"y\[0\]\[0\] is 'I-TEA', which may not begin a sentence. A CRF gives"),
        (["O", "I-TEA"], r"y\[0\]\[1\] is 'I-TEA', which may not follow 'O'"),
    ],
)
def test_a_crf_refuses_labels_that_break_their_scheme(tags, message):
    with pytest.raises(ValueError, match=message):
        tagger(crf=True).fit([["tea", "film"]], [tags], verbose=0)
    assert tagger().evaluate([["tea", "film"]], [tags], verbose=0)[0] > 0


def test_an_own_loss_does_not_hang_on_padding(random_tagger):
    model = support.scramble(tagger())
    model.compile(loss="sparse_categorical_crossentropy")
    wanted = random_tagger.evaluate(WORDS, TAGS, verbose=0)[0]
    for size in (1, 5):
        found = model.evaluate(WORDS, TAGS, batch_size=size, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(wanted, abs=1e-5)


def test_empty_texts_and_generators(random_tagger):
    assert random_tagger.tag([]) == []
    assert random_tagger.tag(["a film", ""])[1] == []
    assert len(random_tagger.predict(iter(["a film", "film", "tea"]))) == 3
    assert len(random_tagger.predict(iter([["a"], ["film"]]))) == 2
    assert support.scramble(tagger(crf=True)).tag(["", "a film"])[0] == []


def test_sentences_of_tf_data():
    tf = pytest.importorskip("tensorflow")
    model = support.scramble(tagger())
    words, tags = [["a", "film"], ["film", "tea"]], [["O", "B-FILM"], ["B-FILM", "O"]]
    data = tf.data.Dataset.from_tensor_slices((words, tags)).batch(2)
    found = model.evaluate(data, verbose=0)
    np.testing.assert_allclose(found, model.evaluate(words, tags, verbose=0), atol=1e-5)


def test_one_batch_without_weights(random_tagger):
    x = {name: np.ones((2, 4), "int32") for name in random_tagger.input}
    assert np.isfinite(random_tagger.test_on_batch(x, np.ones((2, 4), "int32"))[0])


def test_widened_spans_are_told(random_tagger, caplog):
    random_tagger.evaluate(["a film"], [[(3, 4, "FILM")]], verbose=0)
    assert "begins or ends within a word, and is widened to 'film'" in caplog.text
    with pytest.raises(ValueError, match="overlap"):
        tagger(labels=["O", "X", "Y"]).fit(["a film"], [[(0, 6, "X"), (0, 1, "Y")]], verbose=0)


def test_a_pooler_is_left_alone_but_not_frozen():
    backbone = support.tiny_backbone(num_layers=1)
    tagger(backbone=backbone)
    classifier = kbz.TextClassifier(backbone)
    assert classifier.frozen == "nothing"
    assert any("pooler" in weight.path for weight in classifier.trainable_weights)


def test_a_pooler_is_left_alone(tmp_path):
    backbone = support.tiny_backbone(num_layers=1)
    model = tagger(backbone=backbone)
    assert not any("pooler" in weight.path for weight in model.trainable_weights)
    assert model.frozen == "nothing"
    model.fit(WORDS, TAGS, verbose=0)
    model.save_to_preset(tmp_path)
    assert kbz.TokenClassifier.from_preset(tmp_path).backbone.config.pooler


@pytest.mark.parametrize("crf", [False, True])
def test_other_labels_mean_a_new_head(crf, tmp_path):
    tagger(crf=crf).save_to_preset(tmp_path)
    other = kbz.TokenClassifier.from_preset(tmp_path, labels=["O", "B-CUP"], crf=crf)
    assert ("crf/transitions" in other.transfer_report.newly_initialised) == crf
    assert "token_classifier/kernel" in other.transfer_report.newly_initialised
    same = kbz.TokenClassifier.from_preset(tmp_path)
    assert not same.transfer_report.newly_initialised
    classifier = kbz.TextClassifier.from_preset(tmp_path)
    assert "text_classifier/kernel" in classifier.transfer_report.newly_initialised


def test_a_dataset_of_sentences_with_windows():
    model = support.scramble(tagger())
    long = [["film", "warmest", "tea"] * 7, ["good"], ["the", "film"]]
    tags = [labels_of(words) for words in long]

    class Two(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, batch):
            where = slice(2 * batch, 2 * batch + 2)
            return long[where], tags[where]

    np.testing.assert_allclose(
        model.evaluate(Two(), verbose=0), model.evaluate(long, tags, verbose=0), atol=1e-5
    )
    model.fit(Two(), verbose=0)
    logits = model.predict(Two())
    assert [len(row) for row in logits] == [21, 1, 2]


def test_validation_split_keeps_windows_together():
    model = support.scramble(tagger())
    long = [["film", "warmest", "tea"] * 7] * 4
    tags = [labels_of(words) for words in long]
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(long, tags, validation_split=0.5, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(history["loss"][0], abs=1e-4)


@pytest.mark.parametrize(
    "words, tags, message",
    [
        (WORDS[:1], [["O"] * 4], "Item 0 has 5 words but 4 labels"),
        (WORDS[:2], [["O"] * 5], "There are 2 examples but 1 labels"),
        (WORDS[1:2], [["B-FLIM"]], r"y\[0\]\[0\] is 'B-FLIM', which is none .* Did you mean"),
        (WORDS[1:2], ["O"], r"y\[0\] is 'O'; it should be a list with a label a word"),
        (WORDS[1:2], [[9]], r"y\[0\]\[0\] is 9; the classes are numbered 0 to 4"),
        (WORDS[1:2], [[(0, 3, "TEA")]], r"y\[0\] is a list of spans, which need texts"),
        (["tea"], [[(0, 9, "TEA")]], r"y\[0\]: the span \(0, 9\) does not lie in the text of 3"),
        (["tea  "], [[(3, 5, "TEA")]], r"y\[0\]: the span \(3, 5\) holds no word"),
        (["tea"], [[(0, 3, "CUP")]], r"y\[0\]\[0\] is 'B-CUP', which is none of the labels"),
        (["a tea"], [[(0, 5, "TEA"), (2, 5, "TEA")]], "overlap"),
        (["tea"], [[("TEA", 0, 3)]], r"y\[0\]: a span is .start, end, type., two whole numbers"),
        (["tea"], [[(0, 3)]], r"y\[0\]: a span is \(start, end, type\)"),
        ((["tea"], ["film"]), [["O"]], "takes sentences, not pairs"),
        (WORDS[:1], None, "Labels are needed"),
        ([], [], "There are no examples"),
    ],
)
def test_bad_examples(random_tagger, words, tags, message):
    with pytest.raises(ValueError, match=message):
        random_tagger.fit(words, tags, verbose=0)


def test_words_that_are_texts(random_tagger):
    with pytest.raises(ValueError, match="a list of words for each sentence; got texts"):
        random_tagger.tag(words=["good film", "tea"])


def test_bad_arguments(random_tagger, tmp_path):
    with pytest.raises(ValueError, match="stride must be a number of tokens"):
        tagger(stride=-1)
    with pytest.raises(ValueError, match="does not fit beside"):
        tagger(labels=["O", "B-PER", "LOC"])
    with pytest.raises(ValueError, match="CRF's likelihood as its loss; leave loss at its default"):
        tagger(crf=True).compile(loss="mse")
    with pytest.raises(ValueError, match="either texts, or words"):
        random_tagger.tag()
    with pytest.raises(ValueError, match="aggregation must be one of none, simple"):
        random_tagger.tag(["tea"], aggregation="frist")
    with pytest.raises(ValueError, match="a CRF labels words"):
        tagger(crf=True).tag(["tea"], aggregation="simple")
    with pytest.raises(kbz.CheckpointError, match="no place for: crf/end, crf/start"):
        tagger(crf=True).export_to_transformers(tmp_path)
    with pytest.raises(ValueError, match="class_weight does not go with crf"):
        tagger(crf=True).fit(WORDS, TAGS, class_weight={"O": 0.5}, verbose=0)
    with pytest.raises(ValueError, match="one sample weight an example"):
        random_tagger.fit(WORDS, TAGS, sample_weight=np.ones((5, 3)), verbose=0)
    ids = {"token_ids": np.ones((2, 4), "int32")}
    with pytest.raises(ValueError, match=r"of the shape \(2, 4\)"):
        random_tagger.fit(ids, np.zeros((2, 3), "int32"), verbose=0)
    with pytest.raises(ValueError, match="y holds 7; the classes are numbered 0 to 4"):
        random_tagger.fit(ids, np.full((2, 4), 7), verbose=0)
