"""Heads that are kept, and heads that are new."""

import json

import numpy as np
import pytest
import support
import toys
from keras import ops

import keras_bert_zoo as kbz

HEAD = ("text_classifier/bias", "text_classifier/kernel")


@pytest.fixture
def own(tmp_path):
    """Our own folder of a classifier with three labels."""
    model = support.tiny_classifier(
        max_length=19, labels=["dull", "fair", "fine"], threshold=0.4, dropout=0.3, frozen=1
    )
    support.scramble(model).save_to_preset(tmp_path / "own")
    return model, tmp_path / "own"


@pytest.fixture
def foreign(tmp_path, own):
    """The same in transformers' form, without needing transformers."""
    own[0].export_to_transformers(tmp_path / "foreign")
    return own[0], tmp_path / "foreign"


def edit(folder, **fields):
    path = folder / "config.json"
    content = {**json.loads(path.read_text(encoding="utf-8")), **fields}
    content = {key: value for key, value in content.items() if value is not ...}
    path.write_text(json.dumps(content), encoding="utf-8")


def head(model):
    return [ops.convert_to_numpy(w) for w in model.weights if w.path in HEAD]


@pytest.fixture(params=["own", "foreign"])
def saved(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    "asked",
    [{}, {"num_classes": 3}, {"labels": ["dull", "fair", "fine"]}, {"load_weights": True}],
)
def test_a_head_that_fits_is_kept(saved, asked):
    model, folder = saved
    again = kbz.TextClassifier.from_preset(folder, max_length=19, **asked)
    assert again.labels == ("dull", "fair", "fine")
    assert again.transfer_report.newly_initialised == ()
    np.testing.assert_allclose(model.predict(toys.TEXTS), again.predict(toys.TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    "asked, classes, labels",
    [
        ({"num_classes": 5}, 5, None),
        ({"num_classes": 1}, 1, None),
        ({"labels": ["no", "yes"]}, 2, ("no", "yes")),
        ({"labels": ["x", "y", "z"]}, 3, ("x", "y", "z")),
    ],
)
def test_a_head_that_does_not_fit_is_new_and_named(saved, asked, classes, labels, caplog):
    model, folder = saved
    again = kbz.TextClassifier.from_preset(folder, **asked)
    assert (again.num_classes, again.labels) == (classes, labels)
    assert again.transfer_report.newly_initialised == HEAD
    assert any("classifi" in name for name in again.transfer_report.unused)
    assert "its classification head does not fit and is left out" in caplog.text
    assert np.abs(head(again)[0]).max() < 0.2  # fresh weights; the saved ones are larger
    assert np.abs(head(model)[0]).max() > 0.2
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model.weights[0]), ops.convert_to_numpy(again.weights[0])
    )


def test_labels_in_another_order_are_refused(saved):
    with pytest.raises(ValueError, match=r"in the order dull, fair, fine; pass them so, or not"):
        kbz.TextClassifier.from_preset(saved[1], labels=["fine", "fair", "dull"])


def test_generic_labels_can_be_named(foreign):
    model, folder = foreign
    edit(folder, id2label={str(i): f"LABEL_{i}" for i in range(3)}, label2id=...)
    assert kbz.TextClassifier.from_preset(folder).labels is None
    again = kbz.TextClassifier.from_preset(folder, labels=["x", "y", "z"], max_length=19)
    assert again.labels == ("x", "y", "z")
    np.testing.assert_allclose(model.predict(toys.TEXTS), again.predict(toys.TEXTS), atol=1e-6)


def test_without_a_head_two_classes_are_new(tmp_path):
    support.tiny_backbone().save_to_preset(tmp_path)
    support.tiny_tokenizer().save_to_preset(tmp_path)
    again = kbz.TextClassifier.from_preset(tmp_path)
    assert again.num_classes == 2
    assert again.transfer_report.newly_initialised == HEAD
    assert kbz.TextClassifier.from_preset(tmp_path, num_classes=7).num_classes == 7


def test_a_pooler_that_the_checkpoint_lacks_is_new(tmp_path):
    support.tiny_backbone(pooler=False).save_to_preset(tmp_path)
    support.tiny_tokenizer().save_to_preset(tmp_path)
    report = kbz.TextClassifier.from_preset(tmp_path).transfer_report
    assert report.newly_initialised == ("pooler/dense/bias", "pooler/dense/kernel", *HEAD)


def test_random_weights_on_request(own):
    model, folder = own
    again = kbz.TextClassifier.from_preset(folder, load_weights=False)
    assert again.transfer_report is None
    assert again.task_config() == model.task_config()
    assert not np.allclose(head(again)[1], head(model)[1], atol=1e-2)


def test_saved_settings_and_their_overrides(own):
    _, folder = own
    kept = kbz.TextClassifier.from_preset(folder)
    assert (kept.threshold, kept.dropout, kept.frozen) == (0.4, 0.3, 1)
    assert kept.preprocessor.max_length == 19
    changed = kbz.TextClassifier.from_preset(
        folder, threshold=0.6, dropout=0.0, frozen="nothing", max_length=12, truncation="only_first"
    )
    assert (changed.threshold, changed.dropout, changed.frozen) == (0.6, 0.0, "nothing")
    assert changed.preprocessor.max_length == 12
    assert changed.preprocessor.truncation == "only_first"
    with pytest.raises(ValueError, match="max_length must be at least 3; got 0"):
        kbz.TextClassifier.from_preset(folder, max_length=0)


@pytest.mark.parametrize(
    "field, multi_label", [("multi_label_classification", True), (None, False)]
)
def test_the_problem_type_is_taken_over(foreign, field, multi_label):
    _, folder = foreign
    edit(folder, problem_type=field)
    assert kbz.TextClassifier.from_preset(folder).multi_label is multi_label


def test_regression_of_several_numbers_is_refused(foreign):
    edit(foreign[1], problem_type="regression")
    with pytest.raises(kbz.CheckpointError, match="regression of 3 numbers is not supported"):
        kbz.TextClassifier.from_preset(foreign[1])


@pytest.mark.parametrize(
    "settings, problem_type",
    [
        ({"labels": ["no", "yes"]}, "single_label_classification"),
        ({"labels": ["no", "yes"], "multi_label": True}, "multi_label_classification"),
        ({"num_classes": 1}, "regression"),
    ],
)
def test_labels_and_problem_travel_out_and_back(settings, problem_type, tmp_path):
    model = support.scramble(support.tiny_classifier(**settings))
    model.export_to_transformers(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    names = settings.get("labels") or ["LABEL_0"]
    assert config["id2label"] == {str(i): name for i, name in enumerate(names)}
    assert config["label2id"] == {name: i for i, name in enumerate(names)}
    assert config["problem_type"] == problem_type
    assert config["architectures"] == ["BertForSequenceClassification"]
    again = kbz.TextClassifier.from_preset(tmp_path)
    assert (again.problem, again.labels) == (model.problem, model.labels)
    np.testing.assert_allclose(model.predict(toys.TEXTS), again.predict(toys.TEXTS), atol=1e-6)


def test_a_backbone_from_a_classifiers_folder(own):
    model, folder = own
    backbone = kbz.Backbone.from_preset(folder)
    assert backbone.transfer_report.newly_initialised == ()
    assert set(backbone.transfer_report.unused) == set(HEAD)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model.weights[3]), ops.convert_to_numpy(backbone.weights[3])
    )
