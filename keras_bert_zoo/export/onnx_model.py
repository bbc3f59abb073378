"""Writes ONNX files, of any batch and any length, under the PyTorch backend."""

import contextlib
import logging
import tempfile
import warnings
from pathlib import Path

import torch

FILE = "model.onnx"
# Sizes to trace with: no two alike, and none of them 0 or 1, which would become constants.
_TRACED = {"batch": 2, "length": 7, "choices": 3, "masks": 5}


def write(model, folder, dtype=None):
    """Writes a model that takes ids as `model.onnx`.

    Args:
        model: a task, with `input_axes` and `named_outputs`.
        folder: Path.
        dtype: str or None. With `"int8"` ONNX Runtime stores the weights of matrix products and
            embeddings as bytes, and rounds what they are multiplied with while it runs.
    """
    if dtype is None:
        _write(model, folder / FILE)
        return
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as aside, _quiet():
        _write(model, Path(aside) / FILE)
        # With one scale a matrix the lowest cosine of MiniLM's vectors falls from 0.97 to 0.81.
        quantize_dynamic(
            Path(aside) / FILE, folder / FILE, weight_type=QuantType.QInt8, per_channel=True
        )


def _write(model, path):
    axes = model.input_axes
    rows = {
        name: torch.zeros([_TRACED[axis] for axis in several], dtype=torch.int32)
        for name, several in axes.items()
    }
    free = {
        name: dict.fromkeys(range(len(several)), torch.export.Dim.DYNAMIC)
        for name, several in axes.items()
    }
    with torch.no_grad(), _quiet(), _gathering():
        program = torch.onnx.export(
            _Answers(model).eval(),
            kwargs={"rows": rows},
            input_names=list(axes),
            dynamic_shapes={"rows": free},
            dynamo=True,
            verbose=False,
        )
        names = list(model.named_outputs(model(rows, training=False)))
    _name_outputs(program.model.graph, names)
    _name_axes(program.model.graph, axes)
    program.save(str(path))


class _Answers(torch.nn.Module):
    """The model without dropout, its outputs in order."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, rows):
        return tuple(self.model.named_outputs(self.model(rows, training=False)).values())


def _name_outputs(graph, names):
    """Gives the outputs their names; the tracer may have called something inside so."""
    for node in graph:
        for value in node.outputs:
            if value.name in names:
                value.name = f"inner_{value.name}"
    for value, name in zip(graph.outputs, names, strict=True):
        value.name = name


def _name_axes(graph, axes):
    """Calls free axes by their names, instead of the tracer's, in inputs and outputs."""
    names = {}
    for value in graph.inputs:
        for i, axis in enumerate(axes[value.name]):
            names[str(value.shape[i])] = axis
    for value in [*graph.inputs, *graph.outputs]:
        for i, size in enumerate(value.shape):
            if str(size) in names:
                value.shape[i] = names[str(size)]


@contextlib.contextmanager
def _quiet():
    """Without what the exporter says about its own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "root")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)


@contextlib.contextmanager
def _gathering():
    """With `take_along_dim` as a gather: the tracer takes the sizes it is given for constants."""
    usual = torch.take_along_dim

    def gather(values, places, dim):
        return torch.gather(values, dim, places.expand(-1, -1, values.shape[-1]))

    torch.take_along_dim = gather
    try:
        yield
    finally:
        torch.take_along_dim = usual
