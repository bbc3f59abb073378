"""`task.export`: from any backend to a SavedModel that takes raw text."""

import importlib.util
import json
import logging
import tempfile

import keras
import numpy as np

from keras_bert_zoo.export.samples import TEXTS
from keras_bert_zoo.export.saved_model import (
    ExportError,
    compare,
    new_folder,
    run_python,
    write_service,
)

logger = logging.getLogger("keras_bert_zoo")

# How far the answers of an export may lie from the model's.
_TOLERANCE = {"float32": 1e-4, "float16": 5e-2, "bfloat16": 2e-1}


class Exportable:
    """What a task gives so that it can be exported. Abstract."""

    # The inputs of the signature that takes texts.
    text_inputs = ("text",)

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        self_check=True,
        **options,
    ):
        """Writes the model as a program of its own; by default a SavedModel that takes raw text.

        TensorFlow Serving, and whatever else loads SavedModels, runs it as it is: the tokenizer is
        part of the graph, which holds none but TensorFlow's own ops. The model may have been
        trained on any backend; TensorFlow must be installed.

        The signature `serving_default` takes texts, `tokens` ids. What they answer is in the
        README; each output has the batch as its first axis.

        Args:
            filepath: str or Path. For a SavedModel a folder, for TensorFlow Serving
                `"<name>/<version>"`. A SavedModel that is there is replaced.
            format: str. `"tf_saved_model"`, or another one of Keras's, which take ids.
            verbose: as for Keras, for its formats.
            input_signature: for Keras's own export from ids.
            self_check: bool. Whether to load what was written in a fresh process and compare its
                answers with the model's.
            **options: the task's own, see `service`; or Keras's for its formats.

        Raises:
            ImportError: TensorFlow is not installed.
            ExportError: the export does not answer as the model does; it is deleted again.
            FileExistsError: the folder holds something else.
            ValueError: an option or the tokenizer cannot be exported.
        """
        if format != "tf_saved_model" or input_signature is not None or self.preprocessor is None:
            super().export(
                filepath, format, verbose=verbose, input_signature=input_signature, **options
            )
            return
        export_task(self, filepath, self_check, **options)

    def service(self, folder):
        """The export's answers: a Service, under the TensorFlow backend.

        Args:
            folder: Path. Where the service may write files.

        Returns:
            Service.

        Raises:
            NotImplementedError: the task has no export that takes text.
            ValueError: its tokenizer does what a graph cannot express.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be exported with raw text.")

    def samples(self):
        """Texts to try an export on, in the form that `predict` takes."""
        return list(TEXTS)

    def served(self, x):
        """What the signature for texts should answer: a dict of arrays, or some of them."""
        return {"logits": self.predict(x)}

    def served_rows(self, rows):
        """The same for the signature for ids."""
        return {"logits": self.predict(rows)}


def export_task(task, directory, self_check=True, **options):
    """Writes a SavedModel and compares its answers with the task's.

    Args:
        task: Task.
        directory: str or Path.
        self_check: bool.
        **options: for the task's `service`.

    Returns:
        float or None. The largest difference found.

    Raises:
        ImportError: TensorFlow is not installed.
        ExportError: the export does not answer as the task does.
        FileExistsError: the folder holds something else.
        ValueError: an option, or the tokenizer, cannot be exported.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(
            "A SavedModel is written by TensorFlow, whatever the backend: pip install tensorflow."
        )
    with new_folder(directory) as folder:
        if keras.backend.backend() == "tensorflow":
            write_task(task, folder, options)
        else:
            _write_reopened(task, folder, options)
        if not self_check:
            return None
        tolerance = _TOLERANCE.get(task.dtype_policy.compute_dtype, _TOLERANCE["float32"])
        apart = compare(folder, check_cases(task, options), tolerance)
        logger.info("%s answers as the model does, to %.1e.", directory, apart)
        return apart


def write_task(task, folder, options):
    """Writes the SavedModel of a task, under the TensorFlow backend."""
    write_service(lambda files: task.service(files, **options), folder, _requests(task, options))


def check_cases(task, options):
    """What the export is tried on: triples of a signature, inputs, and what to answer."""
    x = _fitting_samples(task, options)
    rows = _rows(task, x)
    return [
        ("serving_default", _named(task, x), task.served(x, **options)),
        ("tokens", rows, task.served_rows(rows)),
    ]


def _requests(task, options):
    """For the server's warm-up: one example, and several."""
    x = _fitting_samples(task, options)
    several = _named(task, x)
    one = {name: array[:1] for name, array in several.items()}
    return [("serving_default", one), ("serving_default", several), ("tokens", _rows(task, x))]


def _fitting_samples(task, options):
    """The samples that the task takes; a short `max_length` may be too short for some."""
    x = task.samples(**options)
    columns = x if isinstance(x, tuple) else (x,)
    fitting, refusal = [], None
    for row in zip(*columns, strict=True):
        try:
            task.encode_texts(tuple([item] for item in row) if isinstance(x, tuple) else [*row])
        except ValueError as error:
            refusal = error
        else:
            fitting.append(row)
    if not fitting:
        raise ValueError(f"The task takes none of the texts it is tried on: {refusal}")
    columns = tuple(list(column) for column in zip(*fitting, strict=True))
    return columns if isinstance(x, tuple) else columns[0]


def _named(task, x):
    """Texts as the inputs of `serving_default`."""
    columns = x if isinstance(x, tuple) else (x,)
    return {n: np.array(column) for n, column in zip(task.text_inputs, columns, strict=True)}


def _rows(task, x):
    """The inputs of the model for texts, all in one batch."""
    examples = task.encode_texts(x)
    inputs = examples.take(np.arange(len(examples)), len(examples))
    return {name: array.astype("int32") for name, array in inputs.items()}


def _write_reopened(task, folder, options):
    """Saves the task and has a process with the TensorFlow backend write the SavedModel."""
    with tempfile.TemporaryDirectory() as saved:
        task.save_to_preset(saved)
        done = run_python(
            [
                *("-m", "keras_bert_zoo.cli", "export", saved, str(folder), "--no-self-check"),
                *("--task", type(task).__name__, "--options", json.dumps(options)),
            ],
            KERAS_BACKEND="tensorflow",
        )
    if done.returncode:
        raise ExportError(
            f"TensorFlow, in a process of its own, could not write the model: "
            f"{done.stderr.strip()[-2000:]}"
        )


def padded(rows, value=0.0):
    """Arrays of different lengths as one, filled up with a value.

    Args:
        rows: list of arrays, each `(length, …)`; at least one.
        value: float.
    """
    longest = max(map(len, rows))
    return np.stack(
        [
            np.pad(
                row,
                [(0, longest - len(row))] + [(0, 0)] * (row.ndim - 1),
                constant_values=value,
            )
            for row in rows
        ]
    )
