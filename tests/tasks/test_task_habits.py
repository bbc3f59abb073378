"""What people do by habit from plain Keras works, or says what to do instead."""

import os

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz

TEXTS = ["good film", "bad film", "very good", "not good"]
LABELS = [1, 0, 1, 0]


def frozen_paths(model):
    return {weight.path for weight in model.weights if not weight.trainable}


def reload(model, tmp_path, form):
    if form == "keras":
        model.save(tmp_path / "model.keras")
        return keras.models.load_model(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "model")
    return kbz.TextClassifier.from_preset(tmp_path / "model")


def test_a_loss_by_name_takes_logits():
    model = support.tiny_classifier(num_classes=2, dropout=0.0)
    losses = []
    for loss in ("sparse_categorical_crossentropy", "auto"):
        model.compile(loss=loss)
        losses.append(model.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)["loss"])
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] == pytest.approx(np.log(2), abs=0.05)


def test_a_loss_of_probabilities_is_refused():
    with pytest.raises(ValueError, match="gives logits; pass from_logits=True"):
        support.tiny_classifier().compile(loss=keras.losses.SparseCategoricalCrossentropy())


@pytest.mark.parametrize("segments", [0, 1])
def test_pairs_on_an_encoder_without_a_second_segment(segments):
    model = support.tiny_classifier(backbone=support.tiny_backbone(num_segments=segments))
    history = model.fit((TEXTS, TEXTS), LABELS, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(model.predict((TEXTS, TEXTS))).all()


@pytest.mark.parametrize("form", ["keras", "preset"])
def test_trainable_set_by_hand_survives(form, tmp_path):
    model = support.tiny_classifier(num_layers=2)
    model.backbone.embeddings.trainable = False
    model.backbone.blocks[1].trainable = False
    model.compile()
    assert model.frozen == ["embeddings", "layer_1"]
    assert frozen_paths(reload(model, tmp_path, form)) == frozen_paths(model) != set()


def test_a_frozen_backbone_stays_frozen_inside_a_task():
    backbone = support.tiny_backbone(trainable=False)
    model = support.tiny_classifier(backbone=backbone)
    assert model.frozen == "backbone"
    assert [w.path.split("/")[0] for w in model.trainable_weights] == ["text_classifier"] * 2


def test_freezing_keeps_a_learning_rate_set_by_hand():
    model = support.tiny_classifier()
    model.optimizer.learning_rate = 1e-3
    model.freeze("embeddings")
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


def test_train_on_batch_without_a_mask():
    model = support.tiny_classifier()
    loss = model.train_on_batch({"token_ids": np.array([[2, 6, 3]])}, np.array([1]))
    assert np.isfinite(loss).all()


def test_a_sample_weight_that_is_no_number_is_refused():
    model = support.tiny_classifier()
    with pytest.raises(ValueError, match=r"sample_weight\[2\] is nan, no finite number"):
        model.fit(TEXTS, LABELS, sample_weight=[1, 1, float("nan"), 1])
    with pytest.raises(ValueError, match="Sample weights must be numbers"):
        model.fit(TEXTS, LABELS, sample_weight=["a", "b", "c", "d"])


def test_numpy_arguments():
    labels = np.unique(["yes", "no", "yes"])
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=np.int64(9))
    model = kbz.TextClassifier(
        support.tiny_backbone(), labels=labels, preprocessor=preprocessor, threshold=np.float32(0.5)
    )
    model.freeze(np.int64(1))
    assert model.labels == ("no", "yes") and model.frozen == 1


def test_one_label_is_refused_with_both_readings():
    with pytest.raises(ValueError, match=r"two ways: .* multi_label=True, .* num_classes=1"):
        support.tiny_classifier(labels=["spam"])
    assert support.tiny_classifier(labels=["spam"], multi_label=True).problem == "multi_label"


@pytest.mark.parametrize("threshold", [7, -0.1, "high", None])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold must lie between 0 and 1"):
        support.tiny_classifier(threshold=threshold)


def test_a_head_of_another_kind_is_new(tmp_path):
    support.tiny_classifier(labels=["a", "b"], frozen="embeddings").save_to_preset(tmp_path)
    model = kbz.TextClassifier.from_preset(tmp_path, multi_label=True)
    new = ("text_classifier/bias", "text_classifier/kernel")
    assert model.transfer_report.newly_initialised == new
    assert model.frozen == "embeddings"


def test_a_head_of_another_kind_has_the_same_classes(tmp_path):
    labels = ["a", "b", "c"]
    support.tiny_classifier(labels=labels).save_to_preset(tmp_path / "classes")
    model = kbz.TextClassifier.from_preset(tmp_path / "classes", multi_label=True)
    assert (model.labels, model.num_classes) == (tuple(labels), 3)
    other = kbz.TextClassifier.from_preset(tmp_path / "classes", num_classes=4, multi_label=True)
    assert (other.labels, other.num_classes) == (None, 4)


def test_a_crf_on_a_foreign_head(tmp_path):
    tagger = support.scramble(
        kbz.TokenClassifier(
            support.tiny_backbone(),
            labels=["O", "B-tea", "I-tea"],
            preprocessor=kbz.Preprocessor(support.tiny_tokenizer(), 16),
        )
    )
    tagger.export_to_transformers(tmp_path)
    model = kbz.TokenClassifier.from_preset(tmp_path, crf=True)
    assert model.labels == tagger.labels and model.has_crf
    np.testing.assert_array_equal(
        *(
            next(keras.ops.convert_to_numpy(w) for w in m.weights if w.path.endswith("r/kernel"))
            for m in (tagger, model)
        )
    )
    assert all(path.startswith("crf") for path in model.transfer_report.newly_initialised)


def test_a_folder_holds_one_format(tmp_path):
    model = support.tiny_classifier()
    model.save_to_preset(tmp_path)
    with pytest.raises(kbz.CheckpointError, match=r"of another format \(preset\.json\)"):
        model.export_to_transformers(tmp_path)


def test_saving_over_a_model_takes_its_tokenizer_away(tmp_path):
    support.tiny_classifier().save_to_preset(tmp_path)
    kbz.TextClassifier(support.tiny_backbone()).save_to_preset(tmp_path)
    assert kbz.TextClassifier.from_preset(tmp_path).preprocessor is None


def test_half_a_head_is_an_error(tmp_path):
    from safetensors.numpy import load_file, save_file

    support.tiny_classifier().save_to_preset(tmp_path)
    tensors = load_file(tmp_path / "weights.safetensors")
    del tensors["text_classifier/kernel"]
    save_file(tensors, tmp_path / "weights.safetensors")
    with pytest.raises(kbz.CheckpointError, match="1 weights are missing: text_classifier/kernel"):
        kbz.TextClassifier.from_preset(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_saved_weights_have_the_mode_of_other_files(tmp_path):
    support.tiny_backbone().save_to_preset(tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_bfloat16_predictions_are_float32():
    model = support.tiny_classifier(backbone=support.tiny_backbone(dtype="mixed_bfloat16"))
    assert model.predict(TEXTS).dtype == np.float32
