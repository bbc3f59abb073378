"""The command line: `python -m keras_bert_zoo.cli --help`."""

import argparse
import dataclasses
import json
from pathlib import Path

import keras_bert_zoo
from keras_bert_zoo import pretrained
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.data.masking import UNITS
from keras_bert_zoo.data.pretraining import (
    JiebaWords,
    Phrases,
    PretrainingRecipe,
    make_pretraining_data,
)
from keras_bert_zoo.data.pretraining.documents import read_documents
from keras_bert_zoo.data.pretraining.files import FORMATS as ROW_FORMATS
from keras_bert_zoo.data.pretraining.rows import PAIRS
from keras_bert_zoo.export.checking import ExportError
from keras_bert_zoo.export.formats import FORMATS

# What each field of PretrainingRecipe is, in a phrase.
RECIPE_HELP = {
    "max_length": "longest row in tokens, special tokens included",
    "pairs": f"what the second segment of a row is: {', '.join(PAIRS)}",
    "short_seq_prob": "share of the documents whose rows are shorter at random",
    "dupe_factor": "passes over the text, each with other pairs",
    "static_masks": "choose masks now, not anew for each batch",
    "mask_rate": "share of a row's tokens to hide",
    "mask_unit": f"what is hidden together: {', '.join(UNITS)}",
    "max_predictions_per_seq": "most tokens to hide in a row, whatever its length",
    "split": "split lines into sentences; not where each line is one already",
    "seed": "of all that is drawn at random",
    "block_characters": "text that each process holds in memory and writes to one file",
}


def list_presets(arguments):
    """Prints the names of the presets."""
    print(*keras_bert_zoo.list_presets(), sep="\n")


def show(arguments):
    """Prints what is known of a preset."""
    print(json.dumps(keras_bert_zoo.preset_info(arguments.preset), indent=2))


def export(arguments):
    """Exports a saved task."""
    task = task_class(arguments).from_preset(arguments.source)
    task.export(
        arguments.target,
        format=arguments.format,
        dtype=arguments.dtype,
        self_check=not arguments.no_self_check,
        **arguments.options,
    )


def task_class(arguments):
    """The class of a saved task: what the folder says, or what the caller does."""
    name = arguments.task
    if name is None:
        found = pretrained.open_pretrained(arguments.source, False)
        if found.task is None:
            raise SystemExit(
                f"{arguments.source} is a model without a task; name one by --task, such as "
                "--task TextEmbedder."
            )
        name = found.task["class"]
    known = getattr(keras_bert_zoo, name, None)
    if not hasattr(known, "service"):
        raise SystemExit(f"There is no task {name!r} in keras_bert_zoo.")
    return known


def train_vocabulary(arguments):
    """Learns a vocabulary from text and writes its tokenizer."""
    lines = (line for document in read_documents(arguments.files) for line in document)
    tokenizer = keras_bert_zoo.Tokenizer.train(
        lines,
        arguments.size,
        lowercase=not arguments.cased,
        character_coverage=arguments.character_coverage,
    )
    arguments.target.mkdir(parents=True, exist_ok=True)
    tokenizer.save_to_preset(arguments.target)
    print(f"{tokenizer.vocabulary_size} tokens in {arguments.target}")


def pretrain_data(arguments):
    """Makes rows for pre-training from text, or goes on making them."""
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(PretrainingRecipe)}
    find_units = JiebaWords() if arguments.jieba else None
    if arguments.phrases:
        phrases = arguments.phrases.read_text(encoding="utf-8").split("\n")
        find_units = Phrases(tuple(phrase.strip() for phrase in phrases if phrase.strip()))
    made = make_pretraining_data(
        arguments.files,
        arguments.target,
        keras_bert_zoo.Tokenizer.from_preset(arguments.tokenizer),
        PretrainingRecipe(**given),
        find_units=find_units,
        format=arguments.format,
        processes=arguments.processes,
    )
    print(json.dumps(made))


def options(text):
    """A dict written as JSON."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object such as '{{\"top_k\": 3}}'")
    return found


def parser():
    """The parser of the command line."""
    program = argparse.ArgumentParser(prog="keras_bert_zoo", description="BERT on Keras 3.")
    commands = program.add_subparsers(required=True, metavar="command")

    command = commands.add_parser("list", help="names of presets")
    command.set_defaults(run=list_presets)

    command = commands.add_parser("show", help="what is known of a preset")
    command.add_argument("preset")
    command.set_defaults(run=show)

    command = commands.add_parser("export", help="a saved task as a SavedModel, or in a format")
    command.add_argument("source", help="a folder of save_to_preset, or another source of models")
    command.add_argument("target", help='where to write; for TensorFlow Serving "name/version"')
    command.add_argument("--task", help="the task's class, where the folder does not say")
    command.add_argument(
        "--format", default="tf_saved_model", help=f"one of {', '.join(FORMATS)}, or Keras's"
    )
    command.add_argument("--dtype", help="another precision, such as int8")
    command.add_argument(
        "--options", type=options, default={}, help="of the export, as JSON: '{\"top_k\": 3}'"
    )
    command.add_argument("--no-self-check", action="store_true")
    command.set_defaults(run=export)

    text = "text files, plain or .gz or .xz: a paragraph a line, a blank line between documents"
    command = commands.add_parser("train-vocabulary", help="a WordPiece vocabulary from text")
    command.add_argument("target", type=Path, help="the folder to write the tokenizer to")
    command.add_argument("files", nargs="+", help=text)
    command.add_argument(
        "--size",
        type=int,
        default=30_000,
        help="most tokens, the five special ones included (default %(default)s)",
    )
    command.add_argument("--cased", action="store_true", help="keep capitals and accents")
    command.add_argument(
        "--character-coverage",
        type=float,
        default=1.0,
        help="share of the text's characters to hold; 0.9999 leaves the rarest to the unknown "
        "token (default %(default)s)",
    )
    command.set_defaults(run=train_vocabulary)

    command = commands.add_parser(
        "pretrain-data", help="rows for pre-training from text; run it again to go on after a kill"
    )
    command.add_argument("target", type=Path, help="the folder to write the rows to")
    command.add_argument("files", nargs="+", help=text)
    command.add_argument("--tokenizer", required=True, help="a folder with one, or a model")
    for field in dataclasses.fields(PretrainingRecipe):
        add_field(command, field)
    units = command.add_mutually_exclusive_group()
    units.add_argument("--jieba", action="store_true", help="hide Chinese words as a whole")
    units.add_argument("--phrases", type=Path, help="a file of phrases to hide as a whole")
    command.add_argument(
        "--format",
        default="arrow",
        choices=ROW_FORMATS,
        help="of the files of rows: arrow, the faster one, or tfrecord, which other BERT trainers "
        "read (default %(default)s)",
    )
    command.add_argument("--processes", type=int, help="one a core if not given")
    command.set_defaults(run=pretrain_data)
    return program


def add_field(command, field):
    """An option of the command line for a field of PretrainingRecipe."""
    name, default = "--" + field.name.replace("_", "-"), field.default
    if field.type is bool:
        how = {"action": argparse.BooleanOptionalAction}
    else:
        how = {"type": int if default is None else type(default)}
    action = command.add_argument(name, default=default, dest=field.name, **how)
    # Not an argument of the above: Python 3.11 adds the default of a bool, later ones do not.
    action.help = f"{RECIPE_HELP[field.name]} (default {default})"


def main(arguments=None):
    """Runs a command.

    Args:
        arguments: list of str. Defaults to those of the process.
    """
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except (ValueError, TypeError, OSError, ImportError, ExportError, CheckpointError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error


if __name__ == "__main__":
    main()
