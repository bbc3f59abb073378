"""Tiny models for the tests."""

import json
from pathlib import Path

import numpy as np

import keras_bert_zoo as kbz

TOKENS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the a film was good bad slow warm ##er ##est very not and "
    "we saw it again tea cup of . , ! ?"
).split()


def tiny_backbone(**changes):
    """A BertBackbone of two small blocks over `TOKENS`."""
    fields = {
        "vocabulary_size": len(TOKENS),
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 32,
        "max_sequence_length": 64,
        **changes,
    }
    return kbz.BertBackbone(**fields)


def tiny_tokenizer(**settings):
    """A tokenizer over `TOKENS`."""
    return kbz.Tokenizer.from_vocabulary(TOKENS, **settings)


def tiny_classifier(max_length=32, num_layers=1, backbone=None, **settings):
    """A TextClassifier over `tiny_backbone`, without dropout."""
    if backbone is None:
        backbone = tiny_backbone(num_layers=num_layers, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(tiny_tokenizer(), max_length=max_length)
    return kbz.TextClassifier(backbone, preprocessor=preprocessor, **settings)


def scramble(model, scale=1.0, seed=0):
    """Gives every weight random values with norm scales near 1.

    With fresh weights (0.02, zero biases, unit LayerNorms) a wrong GELU or epsilon hides below any
    tolerance.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if not weight.dtype.startswith(("float", "bfloat")):
            continue
        shape = tuple(weight.shape)
        value = random.normal(size=shape) * scale
        if weight.path.endswith("gamma"):
            value = 1 + 0.2 * value
        elif len(shape) == 2 and "embedding" not in weight.path:
            value = value / np.sqrt(shape[0])
        weight.assign(value)
    return model


def hard_strings():
    """The strings of `data/hard_strings.json`."""
    path = Path(__file__).parent / "data" / "hard_strings.json"
    return [entry["text"] for entry in json.loads(path.read_text(encoding="utf-8"))]


def write_vocabulary(folder, tokens, **settings):
    """Writes `vocab.txt` and `tokenizer_config.json` as a Hugging Face folder has them."""
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8", newline="\n")
    content = {"tokenizer_class": "BertTokenizer", **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def count_calls(monkeypatch, owner, name):
    """A list that gets the arguments of each call of a function from here on, named ones apart."""
    calls, function = [], getattr(owner, name)

    def noted(*arguments, **named):
        calls.append(arguments)
        return function(*arguments, **named)

    monkeypatch.setattr(owner, name, noted)
    return calls
