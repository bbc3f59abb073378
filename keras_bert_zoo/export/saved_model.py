"""Writes SavedModels that TensorFlow Serving loads, and compares them with the model."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from keras_bert_zoo.export import self_check

# What tells a SavedModel's folder.
MARKER = "saved_model.pb"


class ExportError(RuntimeError):
    """A model was written that does not answer as it should; it has been deleted again."""


def write_service(make_service, directory, requests=()):
    """Writes the SavedModel of a service, under the TensorFlow backend.

    Args:
        make_service: function from a Path, where files may be written, to a Service.
        directory: Path. An empty folder.
        requests: list of pairs of a signature and its inputs, for the server's warm-up.
    """
    import tensorflow as tf

    from keras_bert_zoo.export.warmup import write_warmup

    with tempfile.TemporaryDirectory() as folder:
        service = make_service(Path(folder))
        signatures = service.signatures()
        tf.saved_model.save(service, str(directory), signatures)
    write_warmup(directory, requests)


@contextlib.contextmanager
def new_folder(directory):
    """A folder beside the one that is wanted, which takes its place at once when all is well.

    Args:
        directory: str or Path. An earlier SavedModel there is replaced.

    Yields:
        Path. An empty folder to write to.

    Raises:
        FileExistsError: something else is there.
    """
    directory = Path(directory)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
    if directory.exists() and not (directory / MARKER).is_file():
        raise FileExistsError(f"{directory} is there and is no SavedModel; name another folder.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield aside
        aside.chmod(0o755)  # a server may run as another user
        if directory.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
            os.replace(directory, old / "old")
            os.replace(aside, directory)
            shutil.rmtree(old)
        else:
            os.replace(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def compare(directory, cases, tolerance):
    """Loads a SavedModel in a fresh process, without Keras, and compares its answers.

    Args:
        directory: Path.
        cases: list of `(signature, inputs, outputs)`, the last two dicts of arrays.
        tolerance: float.

    Returns:
        float. The largest difference.

    Raises:
        ExportError: an answer differs by more, or cannot be had.
    """
    arrays = {}
    for number, (signature, inputs, outputs) in enumerate(cases):
        for side, parts in (("in", inputs), ("out", outputs)):
            for name, part in parts.items():
                arrays[f"{number}/{signature}/{side}/{name}"] = np.asarray(part)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        np.savez(path, **arrays)
        done = run_python(["-P", self_check.__file__, str(directory), str(path), str(tolerance)])
    if done.returncode:
        raise ExportError(
            f"The exported model does not answer as the model does: {done.stderr.strip()[-2000:]}"
        )
    return float(done.stdout)


def run_python(arguments, **environment):
    """Runs a Python program to its end.

    Args:
        arguments: list of str.
        **environment: what its environment has beside ours.

    Returns:
        `subprocess.CompletedProcess`.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **quiet, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
