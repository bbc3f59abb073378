"""Pre-trains a small BERT on text from nothing: vocabulary, rows, three phases, a preset.

    python examples/pretrain/pretrain.py en --text train.txt --held-out dev.txt --output runs/en

The bundled presets are made by this program as it stands; README.md beside it says from what text.
Run the same command again after an interruption, and it goes on where it was.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import keras
import numpy as np

import keras_bert_zoo as kbz
from keras_bert_zoo.data.formats.lines import read_lines
from keras_bert_zoo.data.pretraining import (
    PretrainingRecipe,
    make_pretraining_data,
    read_pretraining_data,
)

SIZES = {
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 128, "intermediate_dim": 512},
    "mini": {"num_layers": 4, "num_heads": 4, "hidden_dim": 256, "intermediate_dim": 1024},
}


@dataclasses.dataclass(frozen=True)
class Language:
    """What is the language's own.

    Args:
        vocabulary_size: int.
        scripts: tuple of str. OpenCC's conversions; the text is learned in the outcome of each.
            None for the text as it is.
    """

    vocabulary_size: int
    scripts: tuple = (None,)


LANGUAGES = {
    "en": Language(8192),
    # Simplified and traditional: each document once in either, whichever it was written in.
    "zh": Language(10240, ("t2s", "s2t")),
}


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of the training.

    Args:
        max_length: int. Longest row in tokens.
        batch_size: int.
        epochs: int. Of so many steps as the command line says.
        known_positions: int or None. The positions that are learned by then, whose vectors the
            later ones start from: too few steps are left to learn them from nothing.
    """

    max_length: int
    batch_size: int
    epochs: int
    known_positions: int | None = None


# 4,096 places for tokens a step in each, nine tenths of which hold one. A small model finds out
# from short rows how words depend on their neighbours; on rows of 128 alone it guesses by topic for
# thousands of steps. The last phase teaches the positions beyond 128.
PHASES = (Phase(32, 128, 10), Phase(128, 32, 22), Phase(512, 8, 2, known_positions=128))
HELD_OUT_STEPS = 16


def main(arguments):
    language, folder = LANGUAGES[arguments.language], arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    text = in_scripts(arguments.text, language.scripts, folder / "text")
    held_out = in_scripts(arguments.held_out, language.scripts, folder / "held_out")
    size = arguments.vocabulary_size or language.vocabulary_size
    tokenizer = vocabulary(text, size, folder / "tokenizer")
    phases = [
        dataclasses.replace(phase, epochs=epochs)
        for phase, epochs in zip(PHASES, arguments.epochs, strict=True)
        if epochs
    ]
    for phase in phases:
        recipe = PretrainingRecipe(max_length=phase.max_length, seed=arguments.seed)
        for name, files in (("train", text), ("held_out", held_out)):
            target = folder / f"{name}_{phase.max_length}"
            made = make_pretraining_data(
                files, target, tokenizer, recipe, processes=arguments.processes
            )
            print(target, made, flush=True)

    keras.utils.set_random_seed(arguments.seed)
    pretrainer = new_model(tokenizer, SIZES[arguments.size], arguments.dtype)
    steps = arguments.steps * sum(phase.epochs for phase in phases)
    pretrainer.compile(
        kbz.create_optimizer(arguments.learning_rate, num_train_steps=steps, warmup_ratio=0.05)
    )
    history = []
    for phase in phases:
        history += train(pretrainer, phase, arguments.steps, folder, arguments.seed)
    (folder / "history.json").write_text(json.dumps(history, indent=1) + "\n")
    pretrainer.save_to_preset(folder / "trained")
    # As it ships: half of the size, and with the dropout that fine-tuning wants.
    shipped = kbz.Pretrainer.from_preset(
        folder / "trained", dtype="float32", dropout=0.1, attention_dropout=0.1
    )
    shipped.save_to_preset(folder / "preset", weights_dtype="float16")
    return history


def in_scripts(files, scripts, folder):
    """The text in each script: the files themselves where there is but one.

    Args:
        files: list of Path.
        scripts: tuple of str; see `Language`.
        folder: Path. Where converted text is kept.
    """
    if scripts == (None,):
        return files
    import opencc

    folder.mkdir(exist_ok=True)
    written = []
    for script in scripts:
        path, converter = folder / f"{script}.txt", opencc.OpenCC(script)
        if not path.is_file():
            aside = path.with_suffix(".part")
            with aside.open("w", encoding="utf-8") as file:
                for name in files:
                    for _, line in read_lines(name):
                        file.write(converter.convert(line) + "\n")
                    file.write("\n")
            aside.replace(path)
        written.append(path)
    return written


def vocabulary(files, size, folder):
    """The tokenizer of the run, learned from its text."""
    if not folder.is_dir():
        lines = (line for name in files for _, line in read_lines(name))
        tokenizer = kbz.Tokenizer.train(lines, size, character_coverage=0.9998)
        aside = folder.with_suffix(".part")
        aside.mkdir(exist_ok=True)
        tokenizer.save_to_preset(aside)
        aside.replace(folder)
    return kbz.Tokenizer.from_preset(folder)


def new_model(tokenizer, size, dtype):
    """The model before its first step. It sees each text once or twice: no dropout."""
    backbone = kbz.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size,
        max_sequence_length=512,
        dropout=0.0,
        attention_dropout=0.0,
        dtype=dtype,
        **size,
    )
    return kbz.Pretrainer(backbone, kbz.Preprocessor(tokenizer))


def train(pretrainer, phase, steps, folder, seed):
    """One phase. Returns what was logged, a dict an epoch."""
    length, size = phase.max_length, phase.batch_size
    if phase.known_positions is not None:
        repeat_positions(pretrainer.backbone, phase.known_positions)
    rows = read_pretraining_data(folder / f"train_{length}", size, steps, seed=seed)
    held_out = read_pretraining_data(
        folder / f"held_out_{length}", 2 * size, HELD_OUT_STEPS, shuffle=False
    )
    found = pretrainer.fit(
        rows,
        epochs=phase.epochs,
        validation_data=held_out,
        verbose=2,
        checkpoints=folder / f"state_{length}",
    )
    return [
        {"max_length": length, **{name: values[i] for name, values in found.history.items()}}
        for i in range(len(found.epoch))
    ]


def repeat_positions(backbone, known):
    """Gives later positions the vectors of the first `known` ones, over and over.

    Source: Beltagy et al. 2020 (Longformer), §5.
    """
    table = backbone.embeddings.position_embedding.embeddings  # (positions, E)
    positions = np.arange(table.shape[0]) % known
    table.assign(keras.ops.convert_to_numpy(table)[positions])


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language", choices=LANGUAGES)
    text = "files: a paragraph a line, a blank line between documents; .gz and .xz too"
    parser.add_argument("--text", type=Path, nargs="+", required=True, help=text)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="other documents")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--vocabulary-size", type=int, help="8,192 for English, 10,240 for Chinese")
    parser.add_argument("--steps", type=int, default=500, help="of an epoch")
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=len(PHASES),
        default=[phase.epochs for phase in PHASES],
        help="of each phase; 0 leaves it out",
    )
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="its peak")
    parser.add_argument("--dtype", default="mixed_bfloat16", help="float32 where that is faster")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, help="that make the rows; one a core")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
