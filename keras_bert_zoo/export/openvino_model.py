"""Writes OpenVINO files, of any batch and any length, by way of ONNX."""

import tempfile
from pathlib import Path

import openvino

from keras_bert_zoo.export import onnx_model

FILE = "model.xml"


def write(model, folder, dtype=None):
    """Writes a model that takes ids as `model.xml` and `model.bin`.

    Args:
        model: a task, with `input_axes` and `named_outputs`.
        folder: Path.
        dtype: str or None. With `"float16"` weights are stored so.
    """
    with tempfile.TemporaryDirectory() as aside:
        onnx_model.write(model, Path(aside))
        converted = openvino.convert_model(Path(aside) / onnx_model.FILE)
        openvino.save_model(converted, folder / FILE, compress_to_fp16=dtype == "float16")
