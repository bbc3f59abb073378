"""What is said of texts, labels and arrays that do not fit."""

import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz

TEXTS, LABELS = ["good film", "bad tea"], ["yes", "no"]


@pytest.fixture(scope="module")
def model():
    return support.scramble(support.tiny_classifier(labels=["no", "yes"]))


@pytest.fixture(scope="module")
def others():
    return {
        "multi_label": support.tiny_classifier(labels=["dull", "kind", "odd"], multi_label=True),
        "regression": support.tiny_classifier(num_classes=1),
        "no tokenizer": kbz.TextClassifier(support.tiny_backbone(num_layers=1)),
    }


# === Weights ===


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_several_weights_an_example(model, method):
    """On JAX they would cost the model its weights."""
    with pytest.raises(ValueError, match="one sample weight an example; got"):
        getattr(model, method)(TEXTS, LABELS, sample_weight=np.ones((2, 3)))


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1, "much"])
def test_class_weights_that_are_no_weights(model, weight):
    with pytest.raises(ValueError, match=r"class_weight\['yes'\] is .* a number, 0 or more"):
        model.fit(TEXTS, LABELS, class_weight={"yes": weight}, verbose=0)


def test_no_steps(model):
    with pytest.raises(ValueError, match="steps must be at least 1; got 0"):
        model.predict(TEXTS, steps=0)


# === Texts ===


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_no_examples(model, method):
    with pytest.raises(ValueError, match="There are no examples"):
        getattr(model, method)([], [])


@pytest.mark.parametrize("empty", [[], ([], [])])
def test_no_texts_have_no_predictions(model, others, empty):
    assert model.predict(empty).shape == (0, 2)
    assert others["multi_label"].predict(empty).shape == (0, 3)
    assert model.classify(empty) == []


def test_no_rows_of_ids_have_no_predictions(model, others):
    ids = {"token_ids": np.zeros((0, 5), "int32")}
    assert model.predict(ids).shape == (0, 2)
    assert others["no tokenizer"].predict(ids).shape == (0, 2)
    with pytest.raises(ValueError, match="There are no examples"):
        model.fit(ids, np.zeros(0, "int32"))


def test_an_empty_text_is_cls_and_sep(model):
    ids = {"token_ids": np.array([[2, 3]])}
    np.testing.assert_allclose(model.predict([""]), model.predict(ids), atol=1e-5)


def test_longer_texts_are_cut(model):
    words = ["good", "film", "and", "tea"] * 20
    by_hand = " ".join(words[: model.preprocessor.max_length - 2])
    shorter = " ".join(words[: model.preprocessor.max_length - 3])
    whole = model.predict([" ".join(words)])
    np.testing.assert_allclose(whole, model.predict([by_hand]), atol=1e-6)
    assert not np.allclose(whole, model.predict([shorter]), atol=1e-6)


@pytest.mark.parametrize(
    "x, text",
    [
        (["good", None], "Item 1 is no text but NoneType"),
        (["good", 3.5], r"Item 1 is no text but float \(3.5\)"),
        ([["good", "bad"], ["a", "b"]], "Item 0 is no text but list.*pass a tuple of two lists"),
        ("good film", "got one text"),
        (("good", "bad"), r"\(\[first\], \[second\]\), or .* \[first, second\]"),
        ((["a", "b"], ["c"]), "as many second as first texts; got 2 and 1"),
        ((["a"], ["b"], ["c"]), "two lists of texts; got 3 items"),
        ((["a", "b"], ["c", None]), "Item 1 is no text but NoneType"),
        (None, "NoneType"),
        (np.array([["a", "b"]]), r"one axis; got the shape \(1, 2\)"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "classify"])
def test_texts_that_are_none(model, method, x, text):
    labels = () if method in ("predict", "classify") else (LABELS,)
    with pytest.raises(ValueError, match=text):
        getattr(model, method)(x, *labels)


def test_texts_for_a_model_without_tokenizer(others):
    for call in (
        lambda: others["no tokenizer"].predict(TEXTS),
        lambda: others["no tokenizer"].fit(TEXTS, [0, 1]),
        lambda: others["no tokenizer"].predict(toys.Slices(2, TEXTS)),
    ):
        with pytest.raises(ValueError, match=r"no tokenizer, so it takes id arrays only"):
            call()


# === Labels ===


@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize(
    "y, text",
    [
        (["yes"], "There are 2 examples but 1 labels"),
        (["yes", "no", "no"], "There are 2 examples but 3 labels"),
        (["yes", "maybe"], r"y\[1\] is 'maybe', which is none of the labels no, yes"),
        (["yes", "noo"], r'y\[1\] is .*Did you mean "no"'),
        ([0, 2], r"y\[1\] is 2; the classes are numbered 0 to 1"),
        ([[0, 1], [1, 0]], r"y\[0\] is \[0, 1\].*argmax"),
        (None, r"Labels are needed beside the texts: pass \(x, y\)"),
    ],
)
def test_labels_that_do_not_fit(model, method, y, text):
    with pytest.raises(ValueError, match=text):
        getattr(model, method)(TEXTS, y)


def test_labels_of_other_problems(others):
    with pytest.raises(ValueError, match=r"y\[1\] is \[1, 0\]; it should be 3 numbers 0 and 1"):
        others["multi_label"].fit(TEXTS, [[1, 0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"y\[1\] is nan, which is no finite number"):
        others["regression"].fit(TEXTS, [1.0, float("nan")])


def test_names_of_labels_without_names():
    unnamed = support.tiny_classifier()
    with pytest.raises(ValueError, match=r"y\[0\] is 'yes', but the classes have no names"):
        unnamed.fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"sample_weight": [1.0]}, r"2 examples but sample weights of the shape \(1,\)"),
        ({"sample_weight": 1.0}, r"2 examples but sample weights of the shape \(\)"),
        ({"class_weight": {2: 1.0}}, "class_weight is 2; the classes are numbered 0 to 1"),
        ({"class_weight": {"maybe": 1.0}}, "class_weight is 'maybe', which is none of the labels"),
        ({"class_weight": [1.0, 2.0]}, "class_weight must be a dict; got list"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ],
)
def test_weights_and_sizes_that_do_not_fit(model, settings, text):
    with pytest.raises(ValueError, match=text):
        model.fit(TEXTS, LABELS, **settings)


@pytest.mark.parametrize("problem, y", [("multi_label", [[1, 0, 1]] * 2), ("regression", [1, 2])])
def test_class_weights_need_one_class_an_example(others, problem, y):
    with pytest.raises(ValueError, match="class_weight needs one class an example"):
        others[problem].fit(TEXTS, y, class_weight={0: 2.0})


# === Held-back data ===


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"validation_split": 1.5}, "validation_split must lie between 0 and 1; got 1.5"),
        ({"validation_split": -0.5}, "validation_split must lie between 0 and 1; got -0.5"),
        ({"validation_split": 0.6}, "validation_split=0.6 leaves one side of 2 examples empty"),
        (
            {"validation_split": 0.5, "validation_data": (TEXTS, LABELS)},
            "validation_split needs x and y as lists or arrays, and no validation_data",
        ),
        ({"validation_data": TEXTS[0]}, r"validation_data must be \(x, y\), \(x, y, weights\)"),
        ({"validation_data": ()}, r"validation_data must be \(x, y\), \(x, y, weights\)"),
        ({"validation_data": (TEXTS,)}, "Labels are needed beside the texts"),
        ({"validation_data": (TEXTS, ["yes", "maybe"])}, r"y\[1\] is 'maybe'"),
    ],
)
def test_held_back_data_that_does_not_fit(model, settings, text):
    with pytest.raises(ValueError, match=text):
        model.fit(TEXTS, LABELS, **settings)


def test_places_are_those_of_the_whole_list(model):
    """Also where the wrong item lies in the part that is held back."""
    with pytest.raises(ValueError, match=r"y\[3\] is 'maybe'"):
        model.fit(TEXTS * 2, ["yes", "no", "no", "maybe"], validation_split=0.5)
    with pytest.raises(ValueError, match="Item 3 is no text"):
        model.fit([*TEXTS, "good", None], ["yes"] * 4, validation_split=0.5)
    with pytest.raises(ValueError, match="There are 4 examples but 3 labels"):
        model.fit(TEXTS * 2, ["yes"] * 3, validation_split=0.5)


# === Id arrays ===


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"token_ids": [[2, 99, 3], [2, 5, 3]]}, r"token_ids\[0, 1\] is 99; vocabulary_size is"),
        ({"token_ids": [[2, 5, 3], [2, -1, 3]]}, r"token_ids\[1, 1\] is -1; vocabulary_size is"),
        ({"token_ids": [[2.0, 5.0, 3.0]] * 2}, "must hold whole numbers; got the dtype float64"),
        ({"token_ids": [2, 5]}, r"token_ids must have the shape \(B, L\); got \(2,\)"),
        ({"segment_ids": [[0, 0, 2]] * 2}, r"segment_ids\[0, 2\] is 2; num_segments is 2"),
        ({"padding_mask": [[1, 1]] * 2}, r"padding_mask must have the shape of token_ids"),
        ({"padding_mask": [[1, 1, 1]]}, r"padding_mask must have the shape of token_ids"),
        ({"padding_mask": [[1, 1, 1], [0, 0, 0]]}, r"padding_mask\[1\] has no real token"),
        ({"token_id": [[2, 5, 3]] * 2}, '"token_id" is no input.*Did you mean "token_ids"'),
        ({"token_ids": None}, 'The inputs lack "token_ids"'),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_id_arrays_that_do_not_fit(model, method, changes, text):
    arrays = {"token_ids": [[2, 5, 3]] * 2, **changes}
    labels = () if method == "predict" else (LABELS,)
    with pytest.raises(ValueError, match=text):
        getattr(model, method)(arrays, *labels)


def test_id_arrays_are_as_good_as_texts(model):
    arrays = model.preprocessor(TEXTS)
    np.testing.assert_allclose(model.predict(arrays), model.predict(TEXTS), atol=1e-5)
    lists = {name: array.tolist() for name, array in arrays.items()}
    np.testing.assert_allclose(model.predict(lists), model.predict(TEXTS), atol=1e-5)


# === Parts that do not fit each other ===


def test_a_row_longer_than_the_backbone_takes():
    with pytest.raises(ValueError, match="max_length is 65; the backbone's max_sequence_length is"):
        support.tiny_classifier(max_length=65)


def test_a_tokenizer_larger_than_the_vocabulary():
    backbone = support.tiny_backbone(vocabulary_size=12)
    with pytest.raises(ValueError, match=r"The tokenizer has \d+ tokens; .*vocabulary_size is 12"):
        support.tiny_classifier(backbone=backbone)


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"labels": "yes"}, "labels must be a list of names; got 'yes'"),
        ({"labels": {"yes", "no"}}, "labels must be a list of names; got {"),
        ({"labels": 2}, "labels must be a list of names; got 2"),
        ({"labels": ["a", 1]}, r"labels must be a list of names; got \['a', 1\]"),
        ({"labels": ["a", "a"]}, r"labels must be distinct names; got \['a', 'a'\]"),
        ({"labels": []}, r"labels must be distinct names; got \[\]"),
        ({"labels": ["a", "b"], "num_classes": 3}, "num_classes is 3, but there are 2 labels"),
        ({"num_classes": 0}, "num_classes must be a whole number of at least 1; got 0"),
        ({"num_classes": 2.0}, "num_classes must be a whole number of at least 1; got 2.0"),
        ({"num_classes": True}, "num_classes must be a whole number of at least 1; got True"),
    ],
)
def test_classes_that_are_none(settings, text):
    with pytest.raises(ValueError, match=text):
        support.tiny_classifier(**settings)


def test_a_backbone_without_a_pooler():
    with pytest.raises(ValueError, match="needs a backbone with pooler=True"):
        support.tiny_classifier(backbone=support.tiny_backbone(pooler=False))


def test_both_kinds_of_metrics(model):
    with pytest.raises(ValueError, match="either metrics or weighted_metrics, not both"):
        support.tiny_classifier().compile(metrics=["accuracy"], weighted_metrics=["accuracy"])


# === Flags ===


@pytest.mark.parametrize(
    ("task", "flag", "settings"),
    [
        (kbz.TextClassifier, "multi_label", {}),
        (kbz.TextClassifier, "pairs", {}),
        (kbz.TokenClassifier, "crf", {"labels": ["O", "B-x", "I-x"]}),
        (kbz.QuestionAnswerer, "no_answer", {}),
        (kbz.MaskedLM, "whole_words", {}),
        (kbz.TextEmbedder, "normalize", {}),
        (kbz.Pretrainer, "sentence_pairs", {}),
    ],
)
def test_flags_that_are_no_flags(task, flag, settings):
    backbone = support.tiny_backbone(num_layers=1)
    with pytest.raises(ValueError, match=f"{flag} must be True or False; got 'no'"):
        task(backbone, **{flag: "no"}, **settings)
    assert task(backbone, **{flag: np.True_}, **settings).get_config()[flag] is True


def test_a_preprocessor_at_the_wrong_place():
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer())
    with pytest.raises(ValueError, match=r"no_answer must be True or False; got .*Preprocessor"):
        kbz.QuestionAnswerer(support.tiny_backbone(num_layers=1), preprocessor)
