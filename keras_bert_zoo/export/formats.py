"""The formats of `task.export`: who writes each, and what it needs."""

import dataclasses
import importlib.util

from keras_bert_zoo.spelling import did_you_mean


@dataclasses.dataclass(frozen=True)
class Format:
    """One format.

    Args:
        backend: str. The Keras backend that writes it, whatever the model was trained on.
        writer: str. The module of `export/` that writes it.
        files: tuple of str. What a folder of it holds, first the file that tells it.
        packages: dict of what must be installed to write and check it, by the names to import, to
            the names to install.
        dtypes: tuple of str. Precisions beside float32.
    """

    backend: str
    writer: str
    files: tuple
    packages: dict
    dtypes: tuple


# What lies beside a model of ids.
TEXT_FILES = ("preset.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
_ONNX_WRITER = {"torch": "torch", "onnx": "onnx", "onnxscript": "onnxscript"}

FORMATS = {
    "tf_saved_model": Format(
        "tensorflow",
        "saved_model",
        ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"),
        {"tensorflow": "tensorflow"},
        ("bfloat16", "float16", "int8"),
    ),
    "onnx": Format(
        "torch",
        "onnx_model",
        ("model.onnx", *TEXT_FILES),
        {**_ONNX_WRITER, "onnxruntime": "onnxruntime"},
        ("int8",),
    ),
    "openvino": Format(
        "torch",
        "openvino_model",
        ("model.xml", "model.bin", *TEXT_FILES),
        {**_ONNX_WRITER, "openvino": "openvino"},
        ("float16",),
    ),
    "litert": Format(
        "tensorflow",
        "litert_model",
        ("model.tflite", *TEXT_FILES),
        {"tensorflow": "tensorflow", "ai_edge_litert": "ai-edge-litert"},
        ("int8",),
    ),
}


def check_format(name, dtype=None):
    """The format of a name.

    Args:
        name: str.
        dtype: str or None. A precision that is wanted.

    Returns:
        Format.

    Raises:
        ImportError: a package that it needs is not installed.
        ValueError: there is no such format, or it does not come in this precision.
    """
    if name not in FORMATS:
        near = did_you_mean(name, FORMATS)
        raise ValueError(f"format must be one of {', '.join(FORMATS)}; got {name!r}.{near}")
    found = FORMATS[name]
    if dtype not in (None, "float32", *found.dtypes):
        raise ValueError(
            f'dtype must be None or, for format="{name}", one of float32, '
            f"{', '.join(found.dtypes)}; got {dtype!r}."
        )
    lacking = [wheel for package, wheel in found.packages.items() if not _is_installed(package)]
    if lacking:
        raise ImportError(
            f'format="{name}" is written with {found.backend}, whatever the backend of the model: '
            f"pip install {' '.join(lacking)}"
        )
    return found


def _is_installed(package):
    return importlib.util.find_spec(package) is not None
