"""Answers from contexts."""

import keras
import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz
from keras_bert_zoo.data.answers import reference_texts

QUESTIONS = ["was the tea good ?", "was the film bad ?", "tea ?", "film ?"]
CONTEXTS = [
    "we saw the film again . the tea was good . " * 3,
    "the film was slow , not bad .",
    "a warmest cup of tea , and again a film",
    "tea",
]
ANSWERS = ["good", ("slow , not bad", 13), {"text": "warmest cup", "start": 2}, None]


def reader(max_length=24, **settings):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=max_length)
    settings = {"stride": 6, "no_answer": True, **settings}
    return kbz.QuestionAnswerer(backbone, preprocessor=preprocessor, **settings)


@pytest.fixture(scope="module")
def random_reader():
    return support.scramble(reader())


def test_it_learns_and_answers():
    keras.utils.set_random_seed(0)
    model = reader(max_length=64)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    history = model.fit((QUESTIONS, CONTEXTS), ANSWERS, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    found = model.answer(QUESTIONS, CONTEXTS)
    assert [answer["answer"] for answer in found] == ["good", "slow , not bad", "warmest cup", ""]
    alone = model.answer(QUESTIONS[1], CONTEXTS[1])
    assert alone == {**found[1], "score": pytest.approx(found[1]["score"], abs=1e-5)}


def test_every_answer_is_the_text_at_its_place(random_reader):
    contexts = [*CONTEXTS, "Tea,\tTEA… 好film — été"]
    questions = [*QUESTIONS, "film"]
    for answers, context in zip(
        random_reader.answer(questions, contexts, top_k=50), contexts, strict=True
    ):
        assert 1 < len(answers) <= 21
        scores = [answer["score"] for answer in answers]
        assert sum(scores) == pytest.approx(1)
        for answer in answers:
            assert answer["answer"] == context[answer["start"] : answer["end"]]
        assert sum(not answer["answer"] for answer in answers) == 1
        spans = [answer["score"] for answer in answers if answer["answer"]]
        assert spans == sorted(spans, reverse=True)


def test_the_threshold_decides_on_no_answer():
    model = support.scramble(reader())
    x = (QUESTIONS, CONTEXTS)
    model.threshold = 1e9
    assert all(answer["answer"] for answer in model.answer(*x))
    model.threshold = -1e9
    assert not any(answer["answer"] for answer in model.answer(*x))
    forced = support.scramble(reader(no_answer=False))
    assert all(a["answer"] for answers in forced.answer(*x, top_k=9) for a in answers)


def test_the_threshold_is_tuned_on_examples():
    model = support.scramble(reader())
    x = (QUESTIONS, CONTEXTS)
    model.threshold = 1e9
    best = [answer["answer"] for answer in model.answer(*x)]
    result = model.tune_threshold(x, best)
    assert result["f1"] == 100
    assert [answer["answer"] for answer in model.answer(*x)] == best
    result = model.tune_threshold(x, [None] * 4)
    assert result["exact"] == 100
    assert not any(answer["answer"] for answer in model.answer(*x))
    with pytest.raises(ValueError, match="needs a model that was made with no_answer=True"):
        reader(no_answer=False).tune_threshold(x, best)


def test_predict_gives_logits_for_each_token_of_the_context(random_reader):
    logits = random_reader.predict((QUESTIONS, CONTEXTS), batch_size=2)
    tokens = support.tiny_tokenizer().tokenize(CONTEXTS)
    assert [row.shape for row in logits] == [(len(ids), 2) for ids in tokens]
    tea, mark = support.tiny_tokenizer().tokenize("tea ?")
    ids = np.array([[2, tea, mark, 3, tea, 3]])
    everything = random_reader.predict(
        {"token_ids": ids, "segment_ids": np.array([[0, 0, 0, 0, 1, 1]])}
    )
    alone = random_reader.predict((["tea ?"], ["tea"]))[0]
    np.testing.assert_allclose(alone[0, 0], everything["start"][0, 4], atol=1e-5)
    np.testing.assert_allclose(alone[0, 1], everything["end"][0, 4], atol=1e-5)


def test_evaluation_counts_examples_not_windows(random_reader):
    whole = random_reader.evaluate((QUESTIONS, CONTEXTS), ANSWERS, verbose=0)[0]
    single = [
        random_reader.evaluate(
            (QUESTIONS[i : i + 1], CONTEXTS[i : i + 1]), ANSWERS[i : i + 1], verbose=0
        )[0]
        for i in range(4)
    ]
    assert whole == pytest.approx(np.mean(single), abs=1e-5)
    one = random_reader.evaluate(
        (QUESTIONS, CONTEXTS), ANSWERS, sample_weight=np.array([1, 0, 0, 0]), verbose=0
    )[0]
    assert one == pytest.approx(single[0], abs=1e-5)


def test_the_loss_from_its_definition(random_reader):
    """Also: it does not hang on how far a row is padded."""
    ids = np.array([[2, 21, 27, 3, 21, 8, 3, 0, 0], [2, 7, 27, 3, 21, 8, 9, 7, 3]])
    x = {"token_ids": ids, "padding_mask": (ids > 0).astype("int32")}
    y = {"start": np.array([4, 0]), "end": np.array([5, 0])}
    result = random_reader.evaluate(x, y, verbose=0)[0]
    logits = random_reader.predict(x)
    losses = [
        -toys.log_softmax(logits[name][row, :length])[y[name][row]]
        for row, length in enumerate([7, 9])
        for name in ("start", "end")
    ]
    assert result == pytest.approx(np.mean(losses), abs=1e-5)


def test_misaligned_answers_are_left_out_and_counted(caplog):
    model = support.scramble(reader())
    wrong = [ANSWERS[0], ("slow", 3), *ANSWERS[2:]]
    loss = model.evaluate((QUESTIONS, CONTEXTS), wrong, verbose=0)[0]
    assert "1 are not where they say and were left out (items 1)" in caplog.text
    right = [0, 2, 3]
    kept = model.evaluate(
        ([QUESTIONS[i] for i in right], [CONTEXTS[i] for i in right]),
        [ANSWERS[i] for i in right],
        verbose=0,
    )[0]
    assert loss == pytest.approx(kept, abs=1e-5)


def test_answers_that_no_window_holds_are_left_out_and_counted(caplog):
    """Not taught as no answer."""
    model = support.scramble(reader(max_length=16, stride=4, no_answer=False))
    long = "good film tea warm slow " * 4
    x = (["tea ?", "film ?"], [long, "the film"])
    model.fit(x, [(long[15:75].strip(), 15), "film"], verbose=0, shuffle=False)
    assert model.alignment_report.divided == (0,) and model.alignment_report.answered == 1
    assert "1 are in no window as a whole and were left out (items 0)" in caplog.text


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"text": ["warm", "slow"], "answer_start": [1, 2]}, ["warm", "slow"]),
        ({"text": [], "answer_start": []}, []),
        ([("warm", 1), {"text": "slow"}, None], ["warm", "slow"]),
        ("warm", ["warm"]),
        (None, []),
    ],
)
def test_every_reference_counts(answer, wanted):
    assert reference_texts([answer]) == [wanted]


def test_a_text_with_a_list(random_reader):
    with pytest.raises(ValueError, match="two texts, or two lists of texts; got str and list"):
        random_reader.answer("tea ?", ["tea"])


def test_it_comes_back_exactly(tmp_path):
    model = support.scramble(reader(threshold=0.75, stride=5))
    model.save_to_preset(tmp_path / "own")
    model.save(tmp_path / "model.keras")
    for again in (
        kbz.QuestionAnswerer.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert again.task_config() == model.task_config()
        assert again.preprocessor.max_length == 24
        for one, other in zip(again.weights, model.weights, strict=True):
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
            )
        ours, theirs = (m.answer(QUESTIONS, CONTEXTS) for m in (again, model))
        assert [a["answer"] for a in ours] == [a["answer"] for a in theirs]
    changed = kbz.QuestionAnswerer.from_preset(tmp_path / "own", threshold=2.0, dropout=0.3)
    assert (changed.threshold, changed.stride, changed.config.dropout) == (2.0, 5, 0.3)


@pytest.mark.parametrize(
    "x, y, message",
    [
        (QUESTIONS, ANSWERS, "takes a tuple of two lists: .questions, contexts.; got list"),
        (("tea ?", "tea"), ["tea"], "two ways"),
        ((QUESTIONS, CONTEXTS), [{"answer": "good"}, *ANSWERS[1:]], r"y\[0\] is .*has a text"),
        ((QUESTIONS[:1], CONTEXTS[:2]), ANSWERS, "as many second as first"),
        ((QUESTIONS, CONTEXTS), ANSWERS[:2], "There are 4 examples but 2 labels"),
        ((QUESTIONS, CONTEXTS), ["cup", *ANSWERS[1:]], r"y\[0\]: the answer 'cup' is not in its"),
        ((QUESTIONS, CONTEXTS), [3, *ANSWERS[1:]], r"y\[0\] is 3; an answer is a text"),
        ((QUESTIONS[:1], [""]), ["a"], "Item 0: the context is empty"),
        ((["tea " * 20], CONTEXTS[:1]), ["tea"], "Item 0: the question has 20 tokens"),
        ((QUESTIONS, CONTEXTS), None, "Labels are needed"),
    ],
)
def test_bad_examples(random_reader, x, y, message):
    with pytest.raises(ValueError, match=message):
        random_reader.fit(x, y, verbose=0)


def test_logits_that_are_not_finite():
    model = reader()
    model.weights[-1].assign([float("nan")] * 2)
    with pytest.raises(ValueError, match="Item 0: the logits are not finite"):
        model.answer(QUESTIONS, CONTEXTS)


def test_the_report_is_that_of_the_training_data():
    model = support.scramble(reader())
    wrong = [ANSWERS[0], ("slow", 3), *ANSWERS[2:]]
    x = (QUESTIONS, CONTEXTS)
    model.fit(x, wrong, validation_data=(x, ANSWERS), verbose=0)
    assert model.alignment_report.misaligned == (1,)


def test_bad_arguments(random_reader):
    with pytest.raises(ValueError, match="stride must be a number of tokens"):
        reader(stride="8")
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        reader(threshold=float("nan"))
    with pytest.raises(ValueError, match=r"y\[3\] has no answer. Make the model with no_answer"):
        reader(no_answer=False).fit((QUESTIONS, CONTEXTS), ANSWERS, verbose=0)
    for name, number in (("max_answer_length", 0), ("max_answer_length", 2.5), ("top_k", 0)):
        with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1; got"):
            random_reader.answer(QUESTIONS, CONTEXTS, **{name: number})
    with pytest.raises(ValueError, match="takes no class_weight"):
        random_reader.fit((QUESTIONS, CONTEXTS), ANSWERS, class_weight={0: 1}, verbose=0)
    ids = {"token_ids": np.ones((2, 4), "int32")}
    with pytest.raises(ValueError, match="y must be a dict of start and end"):
        random_reader.fit(ids, np.zeros(2, "int32"), verbose=0)
    with pytest.raises(ValueError, match=r"y\['end'\] must hold 2 positions from 0 to 3"):
        random_reader.fit(ids, {"start": np.zeros(2, "int32"), "end": np.array([0, 4])}, verbose=0)
