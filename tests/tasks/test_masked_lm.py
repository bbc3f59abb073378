"""Hidden tokens, found and scored."""

import keras
import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz
from keras_bert_zoo.data.batching import Batches
from keras_bert_zoo.tasks.feed import Feed


def model_of(max_length=32, **settings):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=max_length)
    return kbz.MaskedLM(backbone, preprocessor=preprocessor, **settings)


@pytest.fixture(scope="module")
def model():
    return support.scramble(model_of())


def logits_at(model, ids, position):
    x = {"token_ids": np.array([ids]), "mask_positions": np.array([[position]])}
    return model.predict(x)[0, 0]


def test_it_learns_what_it_hides():
    keras.utils.set_random_seed(0)
    learner = model_of(mask_rate=0.3)
    learner.compile(optimizer=keras.optimizers.Adam(0.01))
    texts = ["the tea was good", "a bad film"] * 16
    history = learner.fit(texts, epochs=60, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    best = learner.fill_mask("the tea [MASK] good", top_k=1)[0]
    assert (best["token"], best["text"]) == ("was", "the tea was good")
    scores = learner.score(["the tea was good", "the tea good was"])
    assert scores[0] > scores[1]


def test_filling_one_mask_from_the_definition(model):
    guesses = model.fill_mask("the tea [MASK] good", top_k=4)
    ids = [2, *support.tiny_tokenizer().tokenize("the tea [MASK] good"), 3]
    chances = np.exp(toys.log_softmax(logits_at(model, ids, 3)))
    best = np.argsort(-chances)[:4]
    assert [guess["token_id"] for guess in guesses] == best.tolist()
    np.testing.assert_allclose([g["score"] for g in guesses], chances[best], atol=1e-6)
    assert guesses[0]["token"] == support.TOKENS[best[0]]


def test_several_masks_and_several_texts(model):
    text = "The [MASK]  was\t[MASK]…"
    found = model.fill_mask([text, "a [MASK]"], top_k=2)
    assert [len(guesses) for guesses in found[0]] == [2, 2]
    second = found[0][1][0]
    assert second["text"] == f"The [MASK]  was\t{second['token']}…"
    alone = model.fill_mask("a [MASK]", top_k=2)
    assert [guess["token"] for guess in found[1]] == [guess["token"] for guess in alone]


def test_targets_are_all_that_is_chosen_from(model):
    guesses = model.fill_mask("the tea was [MASK]", top_k=9, targets=["good", "bad", "Good"])
    assert sorted(guess["token"] for guess in guesses) == ["bad", "good"]
    everything = model.fill_mask("the tea was [MASK]", top_k=99)
    chances = {guess["token"]: guess["score"] for guess in everything}
    for guess in guesses:
        assert guess["score"] == pytest.approx(chances[guess["token"]], abs=1e-6)


def test_scores_from_the_definition(model):
    texts = ["the tea was good", "film", "", "a warmest cup"]
    scores = model.score(texts)
    for text, score in zip(texts, scores, strict=True):
        ids = support.tiny_tokenizer().tokenize(text)
        total = 0.0
        for place, token in enumerate(ids, start=1):
            hidden = [2, *ids, 3]
            hidden[place] = support.TOKENS.index("[MASK]")
            total += toys.log_softmax(logits_at(model, hidden, place))[token]
        assert score == pytest.approx(total, abs=1e-4)


def test_predict_gives_logits_for_each_mask(model):
    found = model.predict(["no mask", "[MASK] tea", "a [MASK] [MASK]"], batch_size=2)
    assert [row.shape for row in found] == [(n, len(support.TOKENS)) for n in (0, 1, 2)]


def test_training_hides_anew_and_evaluation_the_same(model):
    texts = ["the tea was good and the film was bad"] * 4

    def hidden(training):
        examples = Feed(model).read(texts, None, None, training)
        batches = Batches(examples, 4, "given")
        return [batches[0][1].tolist() for _ in range(2)]

    one, two = hidden(True)
    assert one != two
    one, two = hidden(False)
    assert one == two
    assert model.evaluate(texts, verbose=0) == pytest.approx(
        model.evaluate(texts, verbose=0, batch_size=3)
    )


def test_sample_weights_and_the_split(model):
    texts = ["the tea was good", "a bad film", "good", "we saw it again"]
    alone = [model.evaluate(texts[:1], verbose=0)[0]]
    weighted = model.evaluate(texts, sample_weight=np.array([1, 0, 0, 0]), verbose=0)[0]
    assert weighted == pytest.approx(alone[0], abs=1e-5)
    fitted = support.scramble(model_of())
    fitted.compile(optimizer=keras.optimizers.SGD(0.0))
    assert "val_loss" in fitted.fit(texts, validation_split=0.5, verbose=0).history


def test_it_comes_back_exactly(tmp_path):
    saved = support.scramble(model_of(mask_rate=0.2, whole_words=True))
    saved.save_to_preset(tmp_path / "own")
    saved.save(tmp_path / "model.keras")
    for again in (
        kbz.MaskedLM.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert again.task_config() == saved.task_config()
        np.testing.assert_allclose(again.score(["a cup"]), saved.score(["a cup"]), atol=1e-5)
        assert (
            again.fill_mask("a [MASK]", 3)[0]["token"] == saved.fill_mask("a [MASK]", 3)[0]["token"]
        )


def test_id_arrays(model):
    x = {"token_ids": np.array([[2, 5, 4, 3]]), "mask_positions": np.array([[2, 0]])}
    loss = model.evaluate(x, np.array([[7, -100]]), verbose=0)[0]
    assert loss == pytest.approx(-toys.log_softmax(model.predict(x)[0, 0])[7], abs=1e-5)
    with pytest.raises(ValueError, match=r"of the shape \(1, 2\), negative where none counts"):
        model.evaluate(x, np.array([[7]]), verbose=0)


@pytest.mark.parametrize("token", [99, 29])
def test_id_arrays_that_hold_no_token(model, token):
    x = {"token_ids": np.array([[2, 5, 4, 3]]), "mask_positions": np.array([[2, 1]])}
    with pytest.raises(ValueError, match=rf"y\[0, 1\] is {token}; .* 0 to 28"):
        model.fit(x, np.array([[7, token]]), verbose=0)


def test_training_hides_anew_in_the_order_given_too(model):
    seen = []

    class Watched(kbz.MaskedLM):
        def encode_targets(self, *arguments, **named):
            found = super().encode_targets(*arguments, **named)
            seen.append(found.fixed)
            return found

    watched = Watched(model.backbone, preprocessor=model.preprocessor)
    watched.fit(["good film", "tea"], shuffle=False, validation_data=["good", "tea"], verbose=0)
    assert seen == [False, True]


def test_a_piece_of_a_word_joins_what_is_before_it(model):
    (guess,) = model.fill_mask("warm[MASK] tea", targets=["##est"])
    assert (guess["token"], guess["text"]) == ("##est", "warmest tea")
    (guess,) = model.fill_mask("a [MASK] tea", targets=["##est"])
    assert guess["text"] == "a ##est tea"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.fill_mask("no mask here"), r"Item 0 has no \[MASK\]: 'no mask here'"),
        (lambda m: m.fill_mask("tea " * 40 + "[MASK]"), "1 lie beyond max_length=32"),
        (lambda m: m.fill_mask("[MASK]", targets=["warmest"]), "token but warm, ##est"),
        (lambda m: m.fill_mask("[MASK]", targets=["zebra"]), "'zebra' is no single token"),
        (lambda m: m.fill_mask("[MASK]", targets="tea"), "targets must be a list of words"),
        (lambda m: m.fill_mask("[MASK]", targets=[]), r"at least one; got \[\]"),
        (lambda m: m.fill_mask("[MASK]", top_k=0), "top_k must be a whole number, at least 1"),
        (lambda m: m.score(["tea " * 40]), "40 tokens; max_length=32 leaves room for 30"),
        (lambda m: m.fit(["tea"], ["tea"], verbose=0), "takes no labels beside texts"),
        (lambda m: m.fit(["tea"], class_weight={0: 1}, verbose=0), "takes no class_weight"),
        (lambda m: model_of(mask_rate=1.5), "mask_rate must lie between 0 and 1; got 1.5"),
    ],
)  # fmt: skip
def test_bad_input(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
