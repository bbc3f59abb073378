"""Mixed precision, from the backbone's policy to the optimizer; and a task without a tokenizer."""

import keras
import numpy as np
import pytest
import support

import keras_bert_zoo as kbz

TEXTS = ["good film", "bad film", "very good", "not good", "slow film", "warm tea"] * 4
LABELS = [1, 0, 1, 0, 0, 1] * 4


def classifier(policy):
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=16)
    return kbz.TextClassifier(support.tiny_backbone(dtype=policy), preprocessor=preprocessor)


def test_mixed_float16_scales_the_loss():
    model = classifier("mixed_float16")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = keras.ops.convert_to_numpy(model.backbone.blocks[0].attention.qkv.kernel)
    model.fit(TEXTS, LABELS, batch_size=8, epochs=3, verbose=0)
    after = keras.ops.convert_to_numpy(model.backbone.blocks[0].attention.qkv.kernel)
    assert np.isfinite(after).all() and np.abs(after - before).max() > 0
    assert np.isfinite(model.predict(TEXTS)).all()


def test_the_scaled_optimizer_survives_saving_and_freezing(tmp_path):
    model = classifier("mixed_float16")
    model.fit(TEXTS, LABELS, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(TEXTS), model.predict(TEXTS))
    loaded.freeze("backbone")
    for one in (loaded, model):
        assert isinstance(one.optimizer, keras.optimizers.LossScaleOptimizer)
        assert isinstance(one.optimizer.inner_optimizer, kbz.AdamW)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_other_policies_do_not_scale(policy):
    assert isinstance(classifier(policy).optimizer, kbz.AdamW)


def test_a_folder_without_a_tokenizer_takes_id_arrays(tmp_path):
    support.tiny_backbone().save_to_preset(tmp_path)
    model = kbz.TextClassifier.from_preset(tmp_path)
    assert model.predict({"token_ids": [[2, 6, 3]]}).shape == (1, 2)
    with pytest.raises(ValueError, match="has no tokenizer, so it takes id arrays only"):
        model.predict(["good"])
