"""`Pretrainer`: both losses, on batches that are masked already."""

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import PretrainingBatches, PretrainingRecipe

X = {
    "token_ids": np.array([[2, 8, 4, 3], [2, 4, 3, 0], [2, 4, 9, 3]]),
    "segment_ids": np.array([[0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]]),
    "padding_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]]),
    "mask_positions": np.array([[2, 0], [1, 0], [1, 2]]),
}
Y = {"masked_lm": np.array([[9, 0], [10, 0], [8, 9]]), "next_sentence": np.array([0, 1, 0])}
WEIGHTS = {"masked_lm": np.array([[1, 0], [1, 0], [1, 1]]), "next_sentence": np.array([1, 0, 1])}


def pretrainer(**fields):
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=16)
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, attention_dropout=0.0, **fields)
    return kbz.Pretrainer(backbone, preprocessor)


def cross_entropies(logits, labels):
    shifted = logits - logits.max(-1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(log, labels[..., None], -1)[..., 0]


@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_the_loss_is_that_of_the_real_rows(batch_size):
    """Batch sizes that do not divide three examples are filled up with empty rows."""
    task = support.scramble(pretrainer())
    logits = task.predict(X)
    parts = {name: cross_entropies(logits[name], Y[name]) for name in Y}
    result = task.evaluate(X, Y, batch_size=batch_size, verbose=0, return_dict=True)
    assert result["loss"] == pytest.approx(sum(p.mean() for p in parts.values()), abs=1e-4)


def test_positions_of_weight_0_do_not_count():
    task = support.scramble(pretrainer())
    other = {**Y, "masked_lm": np.where(WEIGHTS["masked_lm"], Y["masked_lm"], 7)}
    losses = [
        task.evaluate(X, y, sample_weight=weights, verbose=0, return_dict=True)["loss"]
        for y, weights in ((Y, WEIGHTS), (other, WEIGHTS), (Y, None), (other, None))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert abs(losses[2] - losses[3]) > 1e-3


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        (
            {**Y, "next_sentence": np.array([0, 5, 1])},
            None,
            r"y\['next_sentence'\]\[1\] is 5; .* 1",
        ),
        ({**Y, "masked_lm": Y["masked_lm"] - 1}, None, r"y\['masked_lm'\]\[0, 1\] is -1"),
        (Y, {"masked_lm": WEIGHTS["masked_lm"]}, "an array, or a dict of masked_lm and next"),
        (Y, {**WEIGHTS, "masked_lm": np.ones((3, 3))}, r"has the shape \(3, 3\)"),
        (Y, np.ones((3, 2)), "one sample weight an example"),
    ],
)
def test_labels_and_weights_that_do_not_fit(y, weights, message):
    with pytest.raises(ValueError, match=message):
        pretrainer().fit(X, y, sample_weight=weights, verbose=0)


def test_one_weight_an_example_counts_for_both_losses():
    task = support.scramble(pretrainer())
    first = {name: array[:1] for name, array in X.items()}
    alone = task.evaluate(first, {name: y[:1] for name, y in Y.items()}, verbose=0)[0]
    whole = task.evaluate(X, Y, sample_weight=np.array([3.0, 0, 0]), verbose=0)[0]
    assert whole == pytest.approx(alone, abs=1e-4)


def test_fit_lowers_the_loss():
    task = pretrainer()
    task.compile(optimizer=keras.optimizers.Adam(1e-2))
    losses = task.fit(X, Y, sample_weight=WEIGHTS, epochs=6, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]


def test_the_decoder_learns_with_the_embeddings():
    task = pretrainer()
    table = task.backbone.embeddings.token_embedding.embeddings
    assert sum(weight is table for weight in task.weights) == 1
    task.freeze("embeddings")
    before = keras.ops.convert_to_numpy(table).copy()
    task.fit(X, Y, verbose=0)
    assert np.array_equal(keras.ops.convert_to_numpy(table), before)
    task.freeze("nothing")
    task.fit(X, Y, verbose=0)
    assert not np.array_equal(keras.ops.convert_to_numpy(table), before)


def test_it_is_saved_exactly(tmp_path):
    task = support.scramble(pretrainer(embedding_dim=8))
    before = task.predict(X)
    task.save(tmp_path / "task.keras")
    task.save_to_preset(tmp_path / "folder")
    for back in (
        keras.saving.load_model(tmp_path / "task.keras"),
        kbz.Pretrainer.from_preset(tmp_path / "folder"),
    ):
        assert back.preprocessor.tokenizer.tokenize("the film") == [5, 7]
        for name, value in back.predict(X).items():
            assert np.array_equal(value, before[name])


def test_it_goes_on_from_a_backbone(tmp_path):
    task = pretrainer()
    kbz.TextClassifier(task.backbone, preprocessor=task.preprocessor).save_to_preset(tmp_path)
    back = kbz.Pretrainer.from_preset(tmp_path)
    new = {path.split("/")[0] for path in back.transfer_report.newly_initialised}
    assert new == {"masked_lm", "next_sentence"}


@pytest.mark.parametrize(
    "labels", [np.array([0, 1, 0]), {"masked_lm": Y["masked_lm"]}, {**Y, "more": Y["masked_lm"]}]
)
def test_wrong_labels_are_named(labels):
    with pytest.raises(ValueError, match="Labels must be a dict of masked_lm and next_sentence"):
        pretrainer().fit(X, labels, verbose=0)


def test_missing_positions_are_named():
    with pytest.raises(ValueError, match="mask_positions"):
        pretrainer().predict({"token_ids": X["token_ids"]})


@pytest.mark.parametrize("wrong", [4, -1])
def test_positions_outside_the_rows_are_named(wrong):
    positions = np.array([[2, 0], [1, wrong], [1, 2]])
    with pytest.raises(
        ValueError, match=rf"mask_positions\[1, 1\] is {wrong}; the length of token_ids is 4"
    ):
        pretrainer().predict({**X, "mask_positions": positions})


def test_it_needs_a_pooler():
    with pytest.raises(ValueError, match="Pretrainer needs a backbone with pooler=True"):
        pretrainer(pooler=False)


# === From text ===

DOCUMENTS = [
    "the film was good. it was very warm!\nwe saw it again. not bad?" * 2,
    ["a cup of tea.", "the warmest tea was bad.", "we saw a slow film again."],
] * 4


def batches(max_length=16, **recipe):
    recipe = PretrainingRecipe(max_length=max_length, **recipe)
    return PretrainingBatches.from_documents(
        DOCUMENTS, support.tiny_tokenizer(), recipe, batch_size=4, seed=1
    )


@pytest.mark.parametrize("pairs", ["next_sentence", "sentence_order"])
def test_pairs_are_learned_from_text(pairs):
    logs = pretrainer().fit(batches(pairs=pairs), epochs=2, verbose=0).history
    assert set(logs) == {
        "loss",
        *(f"{name}_{what}" for name in Y for what in ("loss", "accuracy")),
    }
    assert np.isfinite([logs[name][-1] for name in logs]).all()


def masked_lm_alone(**fields):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, **fields)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=16)
    return kbz.Pretrainer(backbone, preprocessor, sentence_pairs=False)


@pytest.mark.parametrize("pooler", [True, False])
def test_masked_lm_alone(tmp_path, pooler):
    task = masked_lm_alone(pooler=pooler)
    pooled = [w for w in task.weights if w.path.startswith("pooler/")]
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in pooled]
    logs = task.fit(batches(pairs="none"), epochs=2, verbose=0).history
    assert set(logs) == {"loss", "accuracy"}
    assert len(pooled) == 2 * pooler
    for weight, value in zip(pooled, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(weight), value)
    outputs = task.predict(X)
    assert set(outputs) == {"masked_lm"}
    task.save_to_preset(tmp_path / "folder")
    task.save(tmp_path / "task.keras")
    for back in (
        kbz.Pretrainer.from_preset(tmp_path / "folder"),
        keras.saving.load_model(tmp_path / "task.keras"),
    ):
        assert not back.sentence_pairs
        assert np.array_equal(back.predict(X)["masked_lm"], outputs["masked_lm"])
    filled = kbz.MaskedLM.from_preset(tmp_path / "folder").fill_mask("the film was [MASK]")
    assert len(filled) > 0


def test_rows_that_do_not_fit_the_model():
    with pytest.raises(ValueError, match="make the Pretrainer with sentence_pairs=False"):
        pretrainer().fit(batches(pairs="none"), verbose=0)
    with pytest.raises(ValueError, match=r"The rows have up to 128 tokens; .* is 64"):
        pretrainer().fit(batches(max_length=128), verbose=0)
    with pytest.raises(ValueError, match=r"The rows have up to 128 tokens"):
        pretrainer().fit(batches(), validation_data=batches(max_length=128), verbose=0)
    few = kbz.Pretrainer(support.tiny_backbone(vocabulary_size=20))
    with pytest.raises(ValueError, match=r"ids up to \d+; the backbone's has 20 tokens"):
        few.fit(batches(), verbose=0)
    with pytest.raises(ValueError, match="needs a backbone with pooler=True, or sentence_pairs="):
        kbz.Pretrainer(support.tiny_backbone(pooler=False))


def test_settings_of_fit_that_contradict_each_other(tmp_path):
    with pytest.raises(ValueError, match="their steps instead of steps_per_epoch"):
        pretrainer().fit(batches(), steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match="know the initial_epoch"):
        pretrainer().fit(batches(), checkpoints=tmp_path, initial_epoch=1, verbose=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_it_trains_in_mixed_precision(policy):
    backbone = support.tiny_backbone(num_layers=1, dropout=0.0, dtype=policy)
    task = kbz.Pretrainer(backbone, kbz.Preprocessor(support.tiny_tokenizer(), max_length=16))
    task.compile(kbz.create_optimizer(1e-2))
    losses = task.fit(batches(), epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 0.2
    assert all(weight.dtype == "float32" for weight in task.weights)


def test_callbacks_see_each_objective(tmp_path):
    """Keras's own callbacks see each objective."""
    log = tmp_path / "log.csv"
    pretrainer().fit(batches(), epochs=2, verbose=0, callbacks=[keras.callbacks.CSVLogger(log)])
    assert "next_sentence_accuracy" in log.read_text().splitlines()[0]
    assert len(log.read_text().splitlines()) == 3
