"""Tiny random `transformers` models: numbers to compare with, and folders to load.

Their norm scales are near 1, as in `support.scramble`, so that a wrong activation or a dropped
bias stands far above 1e-5. The embeddings are smaller: a wrong LayerNorm epsilon would hide behind
a variance of 1.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models of transformers run on torch")
transformers = pytest.importorskip("transformers", reason="the numbers to compare with")

TOLERANCE = 1e-5
SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
OURS = {
    "token_ids": "input_ids",
    "segment_ids": "token_type_ids",
    "padding_mask": "attention_mask",
}


def make(class_name="BertModel", seed=0, attention="eager", **fields):
    """A BERT of transformers with random weights, in eval mode."""
    config = transformers.BertConfig(**{**SIZES, **fields})
    return randomise(build(class_name, config, attention), seed)


def build(class_name, config, attention="eager", **options):
    """A model of transformers from its configuration, in eval mode."""
    config._attn_implementation = attention
    return getattr(transformers, class_name)(config, **options).eval()


def randomise(model, seed=0):
    """Gives every weight of a transformers model random values."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            value = random.normal(size=tuple(weight.shape))
            if "norm" in name.lower() and name.endswith("weight"):
                value = 1 + 0.2 * value
            elif "embeddings." in name and value.ndim == 2:
                value = 0.1 * value
            elif value.ndim == 2:
                value = value / np.sqrt(value.shape[1])
            weight.copy_(torch.tensor(value))
    return model


def save(model, folder, **options):
    """Writes a model's folder, with a vocabulary."""
    model.save_pretrained(folder, **options)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [f"w{i}" for i in range(model.config.vocab_size - len(special))]
    (folder / "vocab.txt").write_text("\n".join([*special, *words]) + "\n", encoding="utf-8")
    return folder


def inputs(seed=0, rows=3, length=9, vocabulary_size=40, num_segments=2):
    """Ids with segments and a ragged padding mask; one row has a single real token."""
    random = np.random.default_rng(seed)
    lengths = np.linspace(length, 1, rows).astype(int)
    return {
        "token_ids": random.integers(0, vocabulary_size, (rows, length)),
        "segment_ids": random.integers(0, num_segments, (rows, length)),
        "padding_mask": (np.arange(length) < lengths[:, None]).astype("int64"),
    }


def run(model, arrays, **options):
    """A transformers model's outputs for inputs of our names."""
    with torch.no_grad():
        return model(
            **{OURS[name]: torch.tensor(array) for name, array in arrays.items()}, **options
        )


def difference(ours, theirs):
    """The largest difference of two arrays of one shape; NaN counts as infinite."""
    ours, theirs = as_numpy(ours).astype("float64"), as_numpy(theirs).astype("float64")
    assert ours.shape == theirs.shape
    gap = np.abs(ours - theirs).max(initial=0.0)
    return float("inf") if np.isnan(gap) else float(gap)


def as_numpy(tensor):
    """A tensor of any backend as a numpy array."""
    return tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)
