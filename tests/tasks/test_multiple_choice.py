"""The best of several choices."""

import keras
import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz

PROMPTS = ["the tea was", "we saw", "the film was not", "a cup of"]
CHOICES = [["good", "film"], ["it", "tea tea tea"], ["bad", "a", "cup of tea"], ["tea", "not"]]
ANSWERS = [0, 0, 2, 1]


def model_of(**settings):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=24)
    return kbz.MultipleChoice(backbone, preprocessor=preprocessor, **settings)


@pytest.fixture(scope="module")
def model():
    return support.scramble(model_of())


def test_it_learns_and_chooses():
    keras.utils.set_random_seed(0)
    learner = model_of()
    learner.compile(optimizer=keras.optimizers.Adam(0.01))
    history = learner.fit((PROMPTS, CHOICES), ANSWERS, epochs=40, batch_size=4, verbose=0).history
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    chosen = learner.choose(PROMPTS, CHOICES)
    assert [found["index"] for found in chosen] == ANSWERS
    assert chosen[2]["choice"] == "cup of tea"
    assert learner.choose(PROMPTS[2], CHOICES[2])["index"] == 2


def test_the_logits_are_those_of_pairs(model):
    logits = model.predict((PROMPTS, CHOICES), batch_size=3)
    assert logits.shape == (4, 3)
    for i, (prompt, choices) in enumerate(zip(PROMPTS, CHOICES, strict=True)):
        for j, choice in enumerate(choices):
            x = model.preprocessor(([prompt], [choice]))
            alone = model.predict({name: ids[:, None] for name, ids in x.items()})
            assert logits[i, j] == pytest.approx(float(alone[0, 0]), abs=1e-5)
    assert (logits[[0, 1, 3], 2] < -1e4).all(), "an absent choice has no chance"


def test_scores_add_up_over_the_choices_that_are_there(model):
    for found, choices in zip(model.choose(PROMPTS, CHOICES), CHOICES, strict=True):
        assert len(found["scores"]) == len(choices)
        assert sum(found["scores"]) == pytest.approx(1, abs=1e-5)
        assert found["score"] == max(found["scores"])


def test_the_loss_from_the_definition(model):
    logits = model.predict((PROMPTS, CHOICES))
    wanted = -toys.log_softmax(logits.astype("float64"))[np.arange(4), ANSWERS].mean()
    for size in (2, 3, 4):
        loss, accuracy = model.evaluate((PROMPTS, CHOICES), ANSWERS, batch_size=size, verbose=0)
        assert loss == pytest.approx(wanted, abs=1e-5)
        assert accuracy == pytest.approx((logits.argmax(-1) == ANSWERS).mean())


def test_it_comes_back_exactly(tmp_path):
    saved = support.scramble(model_of(dropout=0.4))
    saved.save_to_preset(tmp_path / "own")
    saved.save(tmp_path / "model.keras")
    for again in (
        kbz.MultipleChoice.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert again.dropout == 0.4
        np.testing.assert_allclose(
            again.predict((PROMPTS, CHOICES)), saved.predict((PROMPTS, CHOICES)), atol=1e-5
        )


@pytest.mark.parametrize(
    "x, y, message",
    [
        (PROMPTS, ANSWERS, "takes a tuple of two lists: .prompts, choices."),
        ((PROMPTS, CHOICES[:2]), ANSWERS, "There are 4 prompts but 2 lists of choices"),
        ((PROMPTS, [*CHOICES[:3], "tea"]), ANSWERS, "Item 3: choices are a list of texts; got"),
        ((PROMPTS, [*CHOICES[:3], ["tea"]]), ANSWERS, "Item 3 has 1 choices; it takes at least 2"),
        ((PROMPTS, [*CHOICES[:3], ["tea", 5]]), ANSWERS, "Item 3, choices: Item 1 is no text"),
        ((PROMPTS, CHOICES), [0, 0, 0, 2], r"y\[3\] is 2; the choices are numbered 0 to 1"),
        ((PROMPTS, CHOICES), [0, 0, 0, "1"], r"y\[3\] is '1'; the choices are numbered"),
        ((PROMPTS, CHOICES), [0, 0], "There are 4 examples but 2 labels"),
        ((PROMPTS, "good"), ANSWERS, "choices must be a list with a list for each prompt"),
    ],
)  # fmt: skip
def test_bad_examples(model, x, y, message):
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0)


def test_a_dataset_with_varying_numbers_of_choices(model):
    class One(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, batch):
            where = slice(batch, batch + 1)
            return (PROMPTS[where], CHOICES[where]), ANSWERS[where]

    x = (PROMPTS, CHOICES)
    np.testing.assert_allclose(model.predict(One()), model.predict(x), atol=1e-5)
    found = model.evaluate(One(), verbose=0)
    np.testing.assert_allclose(found, model.evaluate(x, ANSWERS, verbose=0), atol=1e-5)


def test_an_absent_choice_of_arrays_is_no_answer(model):
    mask = np.array([[[0, 0, 0], [1, 1, 1]]])
    x = {"token_ids": np.ones((1, 2, 3), "int32"), "padding_mask": mask}
    assert model.evaluate(x, [1], verbose=0)[0] < 1
    with pytest.raises(ValueError, match=r"y\[0\] is 0, a choice without a token"):
        model.evaluate(x, [0], verbose=0)


def test_it_needs_a_pooler():
    with pytest.raises(ValueError, match="MultipleChoice needs a backbone with pooler=True"):
        kbz.MultipleChoice(support.tiny_backbone(pooler=False))


def test_arrays_have_three_axes(model):
    with pytest.raises(ValueError, match=r"token_ids must have the shape \(B, N, L\)"):
        model.predict({"token_ids": np.ones((2, 4), "int32")})
