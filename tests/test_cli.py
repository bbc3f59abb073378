"""The commands that make vocabularies and pre-training data."""

import dataclasses
import importlib.util
import json
import re

import pytest

import keras_bert_zoo as kbz
from keras_bert_zoo import cli
from keras_bert_zoo.data.pretraining import PretrainingRecipe, read_pretraining_data

TEXT = """The market opens at six. Fishermen bring what the night gave them!
Is the bridge still closed? Nobody in the café knew.

Ink dries slowly in the rain. The clerk waited an hour, then another.
He wrote the letter again. This time it was short.
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(*arguments):
    cli.main([str(argument) for argument in arguments])


def test_a_vocabulary_from_the_command_line(text, tmp_path, capsys):
    run("train-vocabulary", tmp_path / "lower", text, "--size", 60)
    run("train-vocabulary", tmp_path / "cased", text, "--size", 90, "--cased")
    assert f"60 tokens in {tmp_path / 'lower'}" in capsys.readouterr().out
    lower, cased = (kbz.Tokenizer.from_preset(tmp_path / name) for name in ("lower", "cased"))
    unknown = lower.special_ids["unk"]
    assert unknown not in lower.tokenize("café CAFE")
    assert unknown not in cased.tokenize("café The")
    assert cased.detokenize(cased.tokenize("The")) == "The"


@pytest.mark.parametrize("command", ["train-vocabulary", "pretrain-data"])
def test_each_option_is_explained(command, capsys):
    with pytest.raises(SystemExit):
        run(command, "--help")
    text = " ".join(capsys.readouterr().out.split("positional arguments:")[1].split())
    for option in re.split(r" (?=--[a-z])", text)[1:]:
        if not option.endswith(","):  # the first name of two
            words = re.sub(r"--[\w-]+|[A-Z_]{3,}|\{[\w,]+\}|\(default \S+\)", "", option).split()
            assert len(words) > 2, option
    assert text.count("(default ") == len(re.findall(r"\(default \S+\)", text))


def test_the_help_is_of_the_recipes_fields():
    assert list(cli.RECIPE_HELP) == [field.name for field in dataclasses.fields(PretrainingRecipe)]


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_rows_from_the_command_line(text, tmp_path, capsys):
    run("train-vocabulary", tmp_path / "tokenizer", text, "--size", 60)
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("the bridge\nan hour\n", encoding="utf-8")
    choices = ("--max-length", 24, "--mask-unit", "word", "--phrases", phrases, "--static-masks")
    rest = ("--tokenizer", tmp_path / "tokenizer", "--processes", 1, "--pairs", "none")
    for _ in range(2):  # the second time there is nothing left to do
        run("pretrain-data", tmp_path / "rows", text, *rest, *choices)
    last = capsys.readouterr().out.splitlines()[-1]
    rows = read_pretraining_data(tmp_path / "rows").rows
    assert json.loads(last)["rows"] == len(rows) > 1
    assert json.loads(last)["documents"] == 2
    assert rows[0].mask_ids is not None and rows[0].joined is not None
    recipe = json.loads((tmp_path / "rows" / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert (recipe["pairs"], recipe["max_length"], recipe["short_seq_prob"]) == ("none", 24, 0.1)
    with pytest.raises(SystemExit, match="holds rows with another recipe"):
        run("pretrain-data", tmp_path / "rows", text, *rest)
