"""Batches that are run in parts give what they give as a whole."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import toys
from hypothesis import example, given
from hypothesis import strategies as st
from support import count_calls, scramble, tiny_backbone, tiny_classifier, tiny_tokenizer

import keras_bert_zoo as kbz
from keras_bert_zoo.tasks import batch_runs

COMPILED = keras.backend.backend() == "jax"
PREPROCESSOR = kbz.Preprocessor(tiny_tokenizer(), max_length=32)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 96 tokens: three rows of 32."""
    monkeypatch.setattr(batch_runs, "MOST_NUMBERS", 96 * 32)


@pytest.fixture
def calls(monkeypatch):
    """The inputs that models are run on."""
    return count_calls(monkeypatch, kbz.TextClassifier, "predict_on_batch")


def shapes(calls):
    return [inputs["token_ids"].shape for _, inputs in calls]


def in_one(predict, monkeypatch):
    """What a prediction gives where every batch is one part."""
    with monkeypatch.context() as patch:
        patch.setattr(batch_runs, "MOST_NUMBERS", 2**40)
        return predict()


@given(
    lengths=st.lists(st.integers(0, 32), min_size=1, max_size=40),
    filled=st.integers(0, 9),
    most_tokens=st.sampled_from([1, 40, 100, 200, 400]),
    buckets=st.sampled_from([None, (8, 16, 32), range(1, 33)]),
    is_sorted=st.booleans(),
    shapes_cost=st.booleans(),
)
@example([32] * 7, 0, 100, None, True, True)
@example([3] * 2, 0, 400, (8, 16, 32), True, True)
@example([32, 9, 8, 8, 8], 1, 100, (8, 16, 32), True, True)
@example([32, 9, 8, 8, 8], 1, 100, range(1, 33), True, False)
def test_parts_hold_every_real_row_once(
    lengths, filled, most_tokens, buckets, is_sorted, shapes_cost
):
    lengths = np.array(sorted(lengths, reverse=True) if is_sorted else lengths)
    rows = len(lengths) + filled
    mask = np.arange(32) < np.append(lengths, [0] * filled)[:, None]
    ids = np.where(mask, np.arange(rows)[:, None] + 1, 0)
    numbers = 100 + np.arange(len(lengths))
    model = SimpleNamespace(
        shapes_cost=shapes_cost, config=SimpleNamespace(intermediate_dim=batch_runs.MOST_NUMBERS)
    )
    model.config.intermediate_dim //= most_tokens
    inputs = {"token_ids": ids, "padding_mask": mask, "of_rows": np.arange(rows)}
    parts = list(batch_runs._parts(model, inputs, numbers, buckets))
    np.testing.assert_array_equal(np.concatenate([found for _, found, _ in parts]), numbers)
    assert [is_last for *_, is_last in parts] == [False] * (len(parts) - 1) + [True]
    shapes = {}
    for part, found, _ in parts:
        places = found - 100
        (size, width), real = part["token_ids"].shape, len(found)
        np.testing.assert_array_equal(part["of_rows"][:real], places)
        np.testing.assert_array_equal(part["token_ids"][:real], ids[places, :width])
        np.testing.assert_array_equal(part["padding_mask"][:real], mask[places, :width])
        assert lengths[places].max(initial=0) <= width and not part["padding_mask"][real:].any()
        assert size == 1 or size * width * model.config.intermediate_dim <= batch_runs.MOST_NUMBERS
        if buckets is None:
            assert width == 32
        elif shapes_cost:
            assert width in buckets
        else:
            assert width == next(b for b in buckets if b >= lengths[places].max(initial=1))
        shapes.setdefault(width, set()).add(size)
    assert max(max(sizes) for sizes in shapes.values()) <= rows
    if shapes_cost:
        assert all(len(sizes) == 1 for sizes in shapes.values())


def test_texts(small_parts, calls, monkeypatch):
    model = scramble(tiny_classifier())
    whole = in_one(lambda: model.predict(toys.TEXTS), monkeypatch)
    assert len(calls) == 1
    np.testing.assert_allclose(model.predict(toys.TEXTS), whole, atol=1e-5)
    parts = shapes(calls)[1:]
    assert all(rows * length <= 96 for rows, length in parts)
    if COMPILED:  # 11 texts in a batch of 32 rows; the other rows are not run
        assert parts == [(3, 32), (12, 8)]
    else:
        longest = max(len(found) for found in PREPROCESSOR.encode(toys.TEXTS))
        widths = [length for _, length in parts]
        assert len(parts) > 1
        assert widths == sorted(widths, reverse=True)
        assert widths[0] == longest > widths[-1]


def test_arrays_keep_their_width(small_parts, monkeypatch):
    calls = count_calls(monkeypatch, kbz.TokenClassifier, "predict_on_batch")
    model = scramble(kbz.TokenClassifier(tiny_backbone(), labels=["O", "B-A", "I-A"]))
    rows = np.random.default_rng(0).integers(5, 20, (9, 24))
    arrays = {"token_ids": rows, "padding_mask": np.arange(24) < np.arange(3, 12)[:, None]}
    whole = in_one(lambda: model.predict(arrays), monkeypatch)
    found = model.predict(arrays)
    assert found.shape[:2] == (9, 24)
    assert len(calls) == 1 + 3
    real = arrays["padding_mask"]
    np.testing.assert_allclose(found[real], whole[real], atol=1e-5)


def test_one_output_a_token(small_parts, monkeypatch):
    calls = count_calls(monkeypatch, kbz.TokenClassifier, "predict_on_batch")
    model = kbz.TokenClassifier(
        tiny_backbone(), labels=["O", "B-A", "I-A"], preprocessor=PREPROCESSOR
    )
    scramble(model)
    sentences = [text.split() for text in toys.TEXTS]
    whole = in_one(lambda: model.predict(sentences), monkeypatch)
    for one, other in zip(model.predict(sentences), whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert len(calls) > 2


def test_windows_of_questions(small_parts, monkeypatch):
    preprocessor = kbz.Preprocessor(tiny_tokenizer(), max_length=16)
    model = scramble(kbz.QuestionAnswerer(tiny_backbone(), preprocessor=preprocessor))
    x = ["was the film good ?"] * 3, [toys.TEXTS[9], toys.SECONDS[3], "good"]
    whole = in_one(lambda: model.answer(*x), monkeypatch)
    calls = count_calls(monkeypatch, kbz.QuestionAnswerer, "predict_on_batch")
    for one, other in zip(model.answer(*x), whole, strict=True):
        assert (one["answer"], one["start"]) == (other["answer"], other["start"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    assert len(calls) > 1


def test_choices_count_each_for_itself(small_parts, monkeypatch):
    preprocessor = kbz.Preprocessor(tiny_tokenizer(), max_length=16)
    model = scramble(kbz.MultipleChoice(tiny_backbone(), preprocessor=preprocessor))
    x = ["the tea was", "we saw"] * 4, [["good", "film", "tea"], ["it", "tea", "bad"]] * 4
    whole = in_one(lambda: model.predict(x), monkeypatch)
    calls = count_calls(monkeypatch, kbz.MultipleChoice, "predict_on_batch")
    np.testing.assert_allclose(model.predict(x), whole, atol=1e-5)
    assert len(calls) > 1
    assert all(np.prod(shape) <= 96 for shape in shapes(calls))


def test_masked_positions(small_parts, monkeypatch):
    model = scramble(kbz.MaskedLM(tiny_backbone(), preprocessor=PREPROCESSOR))
    texts = ["the [MASK] was good", "we saw the [MASK] and the [MASK] again", "a [MASK] ."] * 4
    whole = in_one(lambda: (model.fill_mask(texts), model.score(toys.TEXTS)), monkeypatch)
    calls = count_calls(monkeypatch, kbz.MaskedLM, "predict_on_batch")
    filled, scores = model.fill_mask(texts), model.score(toys.TEXTS)
    for one, other in zip(*map(keras.tree.flatten, (filled, whole[0])), strict=True):
        assert one == (pytest.approx(other, abs=1e-5) if isinstance(other, float) else other)
    np.testing.assert_allclose(scores, whole[1], atol=1e-4)
    assert len(calls) > 4
    assert len({length for _, length in shapes(calls)}) > 2


def test_callbacks_get_whole_batches(small_parts, calls):
    class Watch(keras.callbacks.Callback):
        seen = ()

        def on_predict_batch_begin(self, batch, logs=None):
            self.seen = (*self.seen, (batch, len(calls)))

        def on_predict_batch_end(self, batch, logs=None):
            self.seen = (*self.seen, (batch, len(logs["outputs"]), len(calls)))

    watch, model = Watch(), scramble(tiny_classifier())
    found = model.predict(toys.TEXTS, batch_size=8, callbacks=[watch])
    assert watch.seen == ((0, 0), (0, 8, 1), (1, 1), (1, 3, 2))
    np.testing.assert_allclose(model.predict(toys.TEXTS), found, atol=1e-5)


def test_each_batch_ends_once_for_the_progress_bar(small_parts, monkeypatch):
    ended = count_calls(monkeypatch, keras.callbacks.CallbackList, "on_predict_batch_end")
    tiny_classifier().predict(toys.TEXTS, batch_size=8)
    assert [step for _, step, _ in ended] == [0, 1]


def test_accelerators_run_whole_batches(small_parts, calls, monkeypatch):
    monkeypatch.setattr(batch_runs, "is_cpu", lambda: False)
    tiny_classifier().predict(toys.TEXTS, batch_size=8)
    assert [rows for rows, _ in shapes(calls)] == ([8, 8] if COMPILED else [8, 3])


@pytest.mark.parametrize("steps, examples", [(1, 4), (2, 8)])
def test_steps_count_batches(monkeypatch, calls, steps, examples):
    monkeypatch.setattr(batch_runs, "MOST_NUMBERS", 32 * 32)
    assert len(tiny_classifier().predict(toys.TEXTS, batch_size=4, steps=steps)) == examples
    assert len(calls) > steps
