"""The command line: `python -m keras_bert_zoo.cli --help`."""

import argparse
import json

import keras_bert_zoo
from keras_bert_zoo import pretrained
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.export.checking import ExportError
from keras_bert_zoo.export.formats import FORMATS


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
    return program


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
