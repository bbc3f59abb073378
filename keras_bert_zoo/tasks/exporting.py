"""`task.export`: from any backend to a program of its own, by default one that takes raw text."""

import importlib
import inspect
import json
import logging
import tempfile
import warnings

import keras
import numpy as np

from keras_bert_zoo.export.checking import ExportError, compare, run_python, what_it_said
from keras_bert_zoo.export.formats import FORMATS, check_format
from keras_bert_zoo.export.new_folder import new_folder
from keras_bert_zoo.export.samples import TEXTS
from keras_bert_zoo.export.static_shapes import static_sizes
from keras_bert_zoo.export.text_files import write_text_files
from keras_bert_zoo.tasks.export_cases import check_cases, numbers_alone, warmup_requests

logger = logging.getLogger("keras_bert_zoo")

# How far the numbers of an export may lie from the model's, as shares of the largest number; in
# float32 of 1 where that is less.
_SHARES = {"float32": 1e-5, "float16": 0.02, "bfloat16": 0.1, "int8": 0.35}
# Left to Keras.
_OF_KERAS_ALONE = "torch"


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
        dtype=None,
        self_check=True,
        **options,
    ):
        """Writes the model as a program of its own; by default a SavedModel that takes raw text.

        TensorFlow Serving, and whatever else loads SavedModels, runs it as it is: the tokenizer is
        part of the graph, which holds none but TensorFlow's own ops. The signature
        `serving_default` takes texts, `tokens` ids. What they answer is in the README; each output
        has the batch as its first axis.

        The other formats take ids. The folder then holds the model (`model.onnx`, `model.xml`,
        `model.tflite`) and `tokenizer.json`, which cuts and packs a text as the task does,
        wherever the `tokenizers` library is to be had; `preset.json` tells labels and lengths.

        The model may have been trained on any backend.

        Args:
            filepath: str or Path. A folder, for TensorFlow Serving `"<name>/<version>"`. An
                earlier export of the format that is there is replaced.
            format: str. `"tf_saved_model"`; `"onnx"` and `"openvino"`, of any batch and length;
                `"litert"`, of one shape; or Keras's `"torch"`.
            verbose: for Keras's own exports: of `"torch"`, with `input_signature`, and of a model
                without a preprocessor.
            input_signature: for Keras's own export from ids.
            dtype: str or None. None for the model's own, which for models of ids is float32
                whatever it was trained in; `"float32"`; or `"bfloat16"`, `"float16"` or `"int8"`
                where the format knows it.
            self_check: bool. Whether to load what was written in a fresh process and compare its
                answers with the model's.
            **options: the task's own, see `service`; for `"litert"` the sizes of its shape:
                `batch=1`, `length` (that of the longest row), `choices=4`, `masks=1`; or Keras's
                for its own exports.

        Raises:
            ImportError: what writes the format is not installed.
            ExportError: the export does not answer as the model does; it is deleted again.
            FileExistsError: the folder holds something else.
            TypeError: there is no such option.
            ValueError: an option, a precision or the tokenizer cannot be exported.
        """
        of_ids = input_signature is not None or self.preprocessor is None
        if format != _OF_KERAS_ALONE and not of_ids:
            export_task(self, filepath, format, dtype, self_check, **options)
            return
        if dtype is not None:
            raise ValueError(
                "dtype goes with a model that has a preprocessor, and without input_signature."
            )
        super().export(
            filepath, format, verbose=verbose, input_signature=input_signature, **options
        )

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
        """What the signature for ids should answer, and the formats that take ids."""
        return self.named_outputs(self.predict(rows))

    def named_outputs(self, outputs):
        """What the model returns, by the names that exports give it."""
        return {"logits": outputs}

    @property
    def input_axes(self):
        """For each input of the model what its axes are."""
        return dict.fromkeys(self.input, ("batch", "length"))

    def in_precision(self, dtype):
        """A copy of another precision.

        Args:
            dtype: str. `"float32"`, `"bfloat16"`, `"float16"` or `"int8"`.
        """
        with tempfile.TemporaryDirectory() as saved:
            self.save_to_preset(saved)
            copy = type(self).from_preset(saved, dtype=None if dtype == "int8" else dtype)
        if dtype == "int8":
            with warnings.catch_warnings():  # of layers that have no weights to quantize
                warnings.filterwarnings("ignore", message="Layer .* `quantize` method")
                copy.quantize("int8")
        return copy


def export_task(task, directory, format="tf_saved_model", dtype=None, self_check=True, **options):
    """Writes a task in a format, and compares what was written with it.

    Args:
        task: Task.
        directory, format, dtype, self_check, **options: as for `Exportable.export`.

    Returns:
        float or None. The largest difference found.

    Raises:
        as `Exportable.export`.
    """
    form = check_format(format, dtype)
    _check_options(task, format, options)
    precision = task.dtype_policy.compute_dtype
    if dtype == "float32" or (format != "tf_saved_model" and precision != "float32"):
        task, precision = task.in_precision("float32"), "float32"
    dtype = None if dtype == "float32" else dtype
    cases = check_cases(task, format, options)
    with new_folder(directory, form.files) as folder:
        if keras.backend.backend() == form.backend:
            write_task(task, folder, format, dtype, options)
        else:
            _write_reopened(task, folder, format, dtype, options)
        if not self_check:
            return None
        precision = dtype or precision
        if precision != "float32":  # texts may change with the numbers
            cases = [(signature, x, numbers_alone(y)) for signature, x, y in cases]
        apart = compare(folder, cases, _tolerance(precision))
        logger.info("%s answers as the model does, to %.1e.", directory, apart)
        return apart


def write_task(task, folder, format, dtype, options):
    """Writes a task in a format, under the format's backend.

    Args:
        task: Task.
        folder: Path. An empty folder.
        format, dtype: as for `Exportable.export`.
        options: dict.
    """
    writer = importlib.import_module(f"keras_bert_zoo.export.{FORMATS[format].writer}")
    if format == "tf_saved_model":
        model = task.in_precision(dtype) if dtype else task
        requests = warmup_requests(task, options)
        writer.write_saved_model(lambda files: model.service(files, **options), folder, requests)
    else:
        writer.write(task, folder, dtype, **options)
        write_text_files(task, folder)


def _check_options(task, format, options):
    """Raises where the export has no such option."""
    known = {"tf_saved_model": task.service, "litert": static_sizes}.get(format)
    # But the first one, which is no option.
    names = list(inspect.signature(known).parameters)[1:] if known else []
    strange = sorted(set(options) - set(names))
    if strange:
        raise TypeError(
            f'{type(task).__name__} in format="{format}" has no option {strange[0]!r}; it has '
            f"{', '.join(names) or 'none'}."
        )


def _write_reopened(task, folder, format, dtype, options):
    """Saves the task and has a process with the format's backend write it."""
    form = FORMATS[format]
    if not type(task).__module__.startswith("keras_bert_zoo."):
        raise ValueError(
            f"{type(task).__name__} is a class of your own, which another process does not know; "
            f"export it under the {form.backend} backend."
        )
    with tempfile.TemporaryDirectory() as saved:
        task.save_to_preset(saved)
        command = [
            "-P",
            "-m",
            "keras_bert_zoo.cli",
            "export",
            saved,
            str(folder),
            "--no-self-check",
        ]
        command += ["--format", format, "--task", type(task).__name__]
        command += ["--options", json.dumps(options, default=int)] + (
            ["--dtype", dtype] if dtype else []
        )
        done = run_python(command, KERAS_BACKEND=form.backend)
    if done.returncode:
        raise ExportError(
            f"A process with the {form.backend} backend could not write the model: "
            f"{what_it_said(done)}"
        )


def _tolerance(precision):
    """How far an output of a precision may lie from the model's: a function of the latter."""
    share = _SHARES.get(precision, _SHARES["float32"])
    least = 1.0 if share == _SHARES["float32"] else 0.0

    def tolerance(wanted):
        if wanted.dtype.kind not in "fiu":
            return 0.0
        sizes = np.abs(wanted.astype("float64"))
        # What stands for no logit at all, -1e9, is no measure.
        return share * float(np.max(sizes, where=sizes < 1e8, initial=least))

    return tolerance
