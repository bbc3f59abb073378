"""One read-only mapping of name to numpy array for each file format of weights."""

import collections
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

from keras_bert_zoo import memory
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.pickle_reader import PickleReader

# What numpy reads from the file as it lies there. The library brings the other types.
MAPPED = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
# The format's names of numpy's types.
TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


class SafetensorsReader(collections.abc.Mapping):
    """The tensors of a safetensors file: float ones mapped into memory, read when they are used.

    What is written to such an array stays in this process. An array that is asked for again is the
    same memory; and whoever writes over the file, rather than replaces it, changes the array.

    Args:
        path: str or Path.

    Raises:
        CheckpointError: the file is damaged.
    """

    def __init__(self, path):
        from safetensors import SafetensorError, safe_open

        self.path = path
        self._error = SafetensorError
        try:
            self._file = safe_open(str(path), framework="numpy")
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error
        self._names = tuple(self._file.keys())
        with open(path, "rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            self._entries = json.loads(file.read(start - 8))
        self._data = np.memmap(path, mode="c")[start:]

    @property
    def metadata(self):
        """The texts beside the tensors: dict of str."""
        return self._file.metadata() or {}

    def __getitem__(self, name):
        if name not in self._names:
            raise KeyError(name)
        entry = self._entries[name]
        if entry["dtype"] in MAPPED and sys.byteorder == "little":
            array = self._data[slice(*entry["data_offsets"])].view(np.ndarray)
            array = array.view(MAPPED[entry["dtype"]]).reshape(entry["shape"])
            if array.flags.aligned:
                return array
        try:
            return self._file.get_tensor(name)
        except self._error as error:
            raise CheckpointError(f"{self.path}: {name}: {error}") from error

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)


class ShardedReader(collections.abc.Mapping):
    """The tensors of a checkpoint in several files, by its index.

    Args:
        index_path: str or Path. A `*.index.json` file with a `weight_map`.

    Raises:
        CheckpointError: the index is damaged, a file is missing, or lacks a tensor it should hold.
    """

    def __init__(self, index_path):
        index_path = Path(index_path)
        weight_map = read_json(index_path).get("weight_map")
        if (
            not isinstance(weight_map, dict)
            or not weight_map
            or not all(isinstance(name, str) for name in weight_map.values())
        ):
            raise CheckpointError(f"{index_path} has no weight_map of tensor to file names.")
        files = sorted(set(weight_map.values()))
        outside = [name for name in files if Path(name).name != name]
        if outside:
            raise CheckpointError(f"{index_path} names files outside its folder: {outside}.")
        missing = [name for name in files if not (index_path.parent / name).is_file()]
        if missing:
            raise CheckpointError(f"{index_path.parent} lacks {', '.join(missing)}.")
        readers = {name: open_weights_file(index_path.parent / name) for name in files}
        self._readers = {name: readers[file] for name, file in weight_map.items()}
        for name, file in weight_map.items():
            if name not in readers[file]:
                raise CheckpointError(f"{index_path.parent / file} lacks the tensor {name}.")

    def __getitem__(self, name):
        return self._readers[name][name]

    def __iter__(self):
        return iter(self._readers)

    def __len__(self):
        return len(self._readers)


class TensorFlowReader(collections.abc.Mapping):
    """The tensors of a TensorFlow checkpoint (`*.index` and `*.data-…`), read with TensorFlow.

    Args:
        prefix: str or Path. The path without `.index`.

    Raises:
        ImportError: TensorFlow is not installed.
        CheckpointError: the files are damaged.
    """

    def __init__(self, prefix):
        if importlib.util.find_spec("tensorflow") is None:
            raise ImportError(
                f"{prefix} is a TensorFlow checkpoint, and reading it needs TensorFlow: "
                "pip install tensorflow. Or convert it once where TensorFlow is installed, with "
                "Backbone.from_preset(…).save_to_preset(…)."
            )
        import tensorflow as tf

        self.prefix = prefix
        # Out of range, and unknown kinds of failure, come as Python's own errors.
        self._errors = (tf.errors.OpError, ValueError, IndexError, RuntimeError)
        try:
            self._file = tf.train.load_checkpoint(str(prefix))
            self._names = tuple(self._file.get_variable_to_shape_map())
        except self._errors as error:
            raise CheckpointError(f"{prefix} is truncated or no TensorFlow checkpoint.") from error

    def __getitem__(self, name):
        try:
            return self._file.get_tensor(name)
        except self._errors as error:
            raise CheckpointError(f"{self.prefix}: {name} cannot be read: {error}") from error

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)


def open_weights_file(path):
    """The reader of one weights file, by its ending."""
    return PickleReader(path) if str(path).endswith(".bin") else SafetensorsReader(path)


def read_json(path, kind=dict):
    """A JSON file's content.

    Args:
        path: str or Path.
        kind: type. What it must be: dict or list.

    Raises:
        CheckpointError: the file is damaged, or is of another kind.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or no JSON: {error}") from error
    if not isinstance(content, kind):
        wanted = "object" if kind is dict else "list"
        raise CheckpointError(f"{path} is no JSON {wanted}.")
    return content


def save_safetensors(tensors, path, metadata=None):
    """Writes a safetensors file whose large tensors every backend can take over as they lie.

    The library's own writer puts them anywhere. Here the header is filled up, and tensors of whole
    lines of `memory.ALIGNMENT` bytes come first.

    Args:
        tensors: dict of str to numpy array, of the types in `TYPES`.
        path: str or Path.
        metadata: dict of str to str, or None. Texts beside the tensors.

    Raises:
        TypeError: a tensor is of another type, or a text none.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    if not all(isinstance(text, str) for pair in (metadata or {}).items() for text in pair):
        raise TypeError(f"metadata must be texts; got {metadata!r}.")
    # Not `ascontiguousarray`, which gives a scalar a dimension.
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    arrays = {name: a.astype(a.dtype.newbyteorder("<"), copy=False) for name, a in arrays.items()}
    in_order = sorted(arrays.items(), key=_place)
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, array in in_order:
        if array.dtype.name not in TYPES:
            raise TypeError(f"{name!r} is of type {array.dtype}; this writes {', '.join(TYPES)}.")
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": TYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [start, end],
        }
    header = json.dumps(header, ensure_ascii=False).encode()
    header += b" " * (-(8 + len(header)) % memory.ALIGNMENT)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _, array in in_order:
            # Not `tofile`, which takes no disk that is full for an error.
            file.write(array.reshape(-1).view("uint8"))


def _place(item):
    """Where a tensor stands among others.

    Those of whole lines come first; of the rest wide numbers before narrow ones, so that each
    begins at a multiple of its own width.
    """
    name, array = item
    return array.nbytes % memory.ALIGNMENT != 0, -array.itemsize, name
