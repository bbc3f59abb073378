"""Whether one sentence follows another."""

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz

FIRSTS = ["the tea was good", "we saw the film", "a bad film", "the cup was warm"] * 2
SECONDS = ["we saw it again", "tea and tea", "it was slow", "good tea"] * 2
FOLLOWS = [True, False, True, False] * 2


def model_of():
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=24)
    return kbz.NextSentencePredictor(backbone, preprocessor=preprocessor)


def test_it_learns_and_tells():
    keras.utils.set_random_seed(0)
    model = model_of()
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    history = model.fit((FIRSTS, SECONDS), FOLLOWS, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    found = model.follows(FIRSTS, SECONDS)
    assert [one["is_next"] for one in found] == FOLLOWS
    assert found[0]["score"] > 0.5 > found[1]["score"]
    assert model.follows(FIRSTS[0], SECONDS[0])["is_next"] is True


def test_three_ways_to_write_labels_are_one():
    model = support.scramble(model_of())
    names = ["is_next" if follows else "not_next" for follows in FOLLOWS]
    numbers = [0 if follows else 1 for follows in FOLLOWS]  # 0 is "is the next"
    losses = [
        model.evaluate((FIRSTS, SECONDS), y, verbose=0)[0]
        for y in (FOLLOWS, names, numbers, np.array(FOLLOWS))
    ]
    np.testing.assert_allclose(losses, losses[0], atol=1e-6)
    opposite = model.evaluate((FIRSTS, SECONDS), [not f for f in FOLLOWS], verbose=0)[0]
    assert abs(opposite - losses[0]) > 1e-3


def test_it_comes_back_exactly(tmp_path):
    saved = support.scramble(model_of())
    saved.save_to_preset(tmp_path / "own")
    saved.save(tmp_path / "model.keras")
    for again in (
        kbz.NextSentencePredictor.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        np.testing.assert_allclose(
            again.predict((FIRSTS, SECONDS)), saved.predict((FIRSTS, SECONDS)), atol=1e-5
        )


def test_bad_input():
    model = model_of()
    with pytest.raises(ValueError, match="takes pairs: a tuple of two lists of texts; got list"):
        model.fit(FIRSTS, FOLLOWS, verbose=0)
    with pytest.raises(ValueError, match=r"y\[1\] is 'next', which is none of the labels is_next"):
        model.fit((FIRSTS[:2], SECONDS[:2]), ["is_next", "next"], verbose=0)
    with pytest.raises(ValueError, match="needs a backbone with pooler=True"):
        kbz.NextSentencePredictor(support.tiny_backbone(pooler=False))
