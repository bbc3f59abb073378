"""What a folder with a model holds, and how one is written so that no half is ever read."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.readers import (
    ShardedReader,
    TensorFlowReader,
    open_weights_file,
    read_json,
)

OWN_MARKER = "preset.json"
OWN_WEIGHTS = "weights.safetensors"
CONFIG_FILES = {
    "own": OWN_MARKER,
    "google": "bert_config.json",
    "transformers": "config.json",
    "keras_hub": "config.json",
}
TRANSFORMERS_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json")

# What sentence-transformers adds to a folder of transformers.
SENTENCE_FILES = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json")


def layout_of(directory):
    """Which package wrote a folder: `"own"`, `"google"`, `"transformers"` or `"keras_hub"`.

    Raises:
        CheckpointError: the folder holds none of their configuration files.
    """
    directory = Path(directory)
    for layout in ("own", "google"):
        if (directory / CONFIG_FILES[layout]).is_file():
            return layout
    if (directory / "config.json").is_file():
        registered = str(read_json(directory / "config.json").get("registered_name", ""))
        return (
            "keras_hub" if registered.startswith(("keras_hub>", "keras_nlp>")) else "transformers"
        )
    raise CheckpointError(
        f"{directory} holds no model: none of {', '.join(sorted(set(CONFIG_FILES.values())))} "
        "is there."
    )


def read_configuration(directory):
    """The configuration file of a folder, as a dict."""
    return read_json(Path(directory) / CONFIG_FILES[layout_of(directory)])


def open_tensors(directory):
    """The tensors of a folder, as a read-only mapping of name to numpy array.

    Raises:
        CheckpointError: the weights are missing or damaged.
    """
    directory = Path(directory)
    layout = layout_of(directory)
    if layout == "google":
        return TensorFlowReader(_tensorflow_prefix(directory))
    candidates = {"own": (OWN_WEIGHTS,), "transformers": TRANSFORMERS_WEIGHTS}[layout]
    for name in candidates:
        if (directory / name).is_file():
            reader = ShardedReader if name.endswith(".index.json") else open_weights_file
            return reader(directory / name)
    raise CheckpointError(
        f"{directory} lacks its weights: none of {', '.join(candidates)} is there."
    )


def _tensorflow_prefix(directory):
    indices = sorted(directory.glob("*.ckpt*.index"))
    standard = directory / "bert_model.ckpt.index"
    if standard in indices:
        indices = [standard]
    if len(indices) != 1:
        found = ", ".join(index.name for index in indices) or "none"
        raise CheckpointError(
            f"{directory} should hold bert_model.ckpt.index, or one other *.ckpt*.index; found: "
            f"{found}."
        )
    prefix = indices[0].with_suffix("")
    if not list(directory.glob(f"{prefix.name}.data-*")):
        raise CheckpointError(f"{directory} lacks {prefix.name}.data-00000-of-00001.")
    return prefix


@contextlib.contextmanager
def replace_files(directory, marker):
    """Writes a folder's files aside and moves them in place once all of them are whole.

    While they are being moved the marker file, without which the folder is not read, is away; it
    comes last. The tokenizer and the pooling of a model that was there before go with it; files of
    other kinds stay.

    Args:
        directory: str or Path. Made if it is not there.
        marker: str. Name of the file that makes the folder a model.

    Yields:
        Path. An empty folder to write to.

    Raises:
        CheckpointError: the path is a file, or the folder holds a model of another format, which
            would then be read instead of this one or together with it.
    """
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise CheckpointError(f"{directory} is a file, not a folder.")
    others = {name for name in CONFIG_FILES.values() if (directory / name).is_file()} - {marker}
    if others:
        raise CheckpointError(
            f"{directory} holds a model of another format ({', '.join(sorted(others))}); write to "
            "a folder of its own."
        )
    directory.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield aside
        (directory / marker).unlink(missing_ok=True)
        for name in (*TOKENIZER_FILES, *SENTENCE_FILES):
            (directory / name).unlink(missing_ok=True)
        files = [path.relative_to(aside) for path in aside.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.name == marker and not path.parent.name):
            (directory / path.parent).mkdir(exist_ok=True)
            os.replace(aside / path, directory / path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
