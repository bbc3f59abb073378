"""Compares what was written with the model, in a fresh process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from keras_bert_zoo.export import self_check


class ExportError(RuntimeError):
    """A model could not be written, or does not answer as it should; nothing is left of it."""


def compare(directory, cases, tolerance):
    """Loads an export in a fresh process, without Keras, and compares its answers.

    Args:
        directory: Path.
        cases, tolerance: as for `write_cases`.

    Returns:
        float. The largest difference.

    Raises:
        ExportError: an answer differs by more, or cannot be had.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        write_cases(path, cases, tolerance)
        done = run_python(["-P", self_check.__file__, str(directory), str(path)])
    if done.returncode:
        raise ExportError(
            f"The exported model does not answer as the model does: {what_it_said(done)}"
        )
    return float(done.stdout)


def write_cases(path, cases, tolerance):
    """Writes what `self_check.py` reads.

    Args:
        path: Path. A `.npz` file.
        cases: list of `(signature, inputs, outputs)`, the last two dicts of arrays.
        tolerance: function from an array of the outputs to how far its like may lie from it.
    """
    arrays = {}
    for number, (signature, inputs, outputs) in enumerate(cases):
        limits = {name: tolerance(np.asarray(part)) for name, part in outputs.items()}
        for side, parts in (("in", inputs), ("out", outputs), ("limit", limits)):
            for name, part in parts.items():
                arrays[f"{number}/{signature}/{side}/{name}"] = np.asarray(part)
    np.savez(path, **arrays)


def what_it_said(done):
    """The end of what a process said, its last line first: that is the cause.

    Args:
        done: `subprocess.CompletedProcess`.
    """
    lines = done.stderr.strip()[-2000:].split("\n")
    return "\n".join([lines[-1], *lines[:-1]])


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
