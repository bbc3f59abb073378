"""A tiny model that knows the words of the examples' texts, and a way to run an example with it."""

import importlib

import keras
import pytest
from example_support import DATA, EXAMPLES

import keras_bert_zoo as kbz


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a tiny encoder and a vocabulary of the examples' own texts."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    lines = [
        line
        for path in sorted(DATA.iterdir())
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    tokenizer = kbz.Tokenizer.train(lines, 4000)
    keras.utils.set_random_seed(7)
    backbone = kbz.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
    )
    preprocessor = kbz.Preprocessor(tokenizer, max_length=128)
    kbz.TextEmbedder(backbone, preprocessor=preprocessor).save_to_preset(folder)
    return str(folder)


@pytest.fixture
def run(model, monkeypatch):
    """Runs an example: its name and arguments, to what its `main` returns."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(name, *arguments, quick=("--small", "--epochs", "1")):
        example = importlib.import_module(name)
        return example.main(example.parse(["--model", model, *quick, *map(str, arguments)]))

    return run


@pytest.fixture
def learn(run, monkeypatch):
    """As `run`, but long and fast enough for the tiny model to know its examples by heart."""
    create = kbz.create_optimizer
    monkeypatch.setattr(kbz, "create_optimizer", lambda rate, steps: create(30 * rate, steps))
    return lambda *arguments: run(*arguments, quick=("--small", "--epochs", "30"))
