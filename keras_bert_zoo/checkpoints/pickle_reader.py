"""Reads PyTorch `.bin` files without PyTorch, and without running anything they contain.

A `.bin` file is a pickle, and a pickle can call any function. This reader knows the few names
that a dict of tensors needs and refuses every other.
"""

import collections
import io
import os
import pickle
import struct
import sys
import zipfile
import zlib

import ml_dtypes
import numpy as np

from keras_bert_zoo.checkpoints.errors import CheckpointError

_STORAGE_DTYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}

# What damaged bytes make of pickle, zipfile and numpy.
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)

# The first object in files written before PyTorch 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class _Tensor:
    """A tensor whose numbers are not read yet."""

    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def read(self, storages):
        flat = storages(self.storage)
        steps = [(n - 1) * s for n, s in zip(self.size, self.stride, strict=True)]
        inside = min([self.offset, *steps]) >= 0 and self.offset + sum(steps) < len(flat)
        if 0 not in self.size and not inside:
            raise CheckpointError("A tensor reaches outside its storage; the file is damaged.")
        if 0 in self.size:
            return np.zeros(self.size, flat.dtype)
        strides = [s * flat.itemsize for s in self.stride]
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.size, strides).copy()


def _rebuild_tensor(storage, offset, size, stride, *_):
    return _Tensor(storage, offset, size, stride)


def _rebuild_parameter(tensor, *_):
    return tensor


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): name for name in _STORAGE_DTYPES},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise CheckpointError(
                f"The file asks to run {module}.{name}, which no dict of tensors needs; refused. "
                "Convert it to safetensors where you trust it."
            ) from None

    def persistent_load(self, identifier):
        # ("storage", type, key, location, number of elements[, view]).
        return (identifier[1], identifier[2], identifier[4])


class PickleReader(collections.abc.Mapping):
    """The tensors of a `.bin` file, as a read-only mapping of name to numpy array.

    Args:
        path: str or Path.

    Raises:
        CheckpointError: the file is damaged, is no dict of tensors, or asks to run code.
    """

    def __init__(self, path):
        self.path = path
        try:
            zipped = zipfile.is_zipfile(path)
            tensors = self._open_zip() if zipped else self._open_legacy()
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except _DAMAGE as error:
            raise CheckpointError(
                f"{path} is truncated, damaged, or no PyTorch file: {error!r}"
            ) from error
        if not isinstance(tensors, dict) or not all(
            isinstance(tensor, _Tensor) for tensor in tensors.values()
        ):
            raise CheckpointError(f"{path} is no dict of tensors.")
        self._tensors = tensors

    def _open_zip(self):
        archive = zipfile.ZipFile(self.path)
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise CheckpointError("no data.pkl inside; not a file of torch.save.")
        root = names[0].removesuffix("data.pkl")

        def storage(reference):
            kind, key, length = reference
            data = archive.read(f"{root}data/{key}")
            return np.frombuffer(data, _STORAGE_DTYPES[kind], count=length)

        self._storages = storage
        return _Unpickler(io.BytesIO(archive.read(names[0]))).load()

    def _open_legacy(self):
        with open(self.path, "rb") as file:
            if _Unpickler(file).load() != _LEGACY_MAGIC:
                raise CheckpointError("not a file of torch.save.")
            _Unpickler(file).load()  # the protocol's version
            system = _Unpickler(file).load()
            if system.get("little_endian", True) != (sys.byteorder == "little"):
                raise CheckpointError("written on a machine of the other byte order.")
            tensors = _Unpickler(file).load()
            keys = _Unpickler(file).load()
            kinds = {t.storage[1]: t.storage[0] for t in tensors.values()}
            storages = {}
            for key in keys:
                (length,) = struct.unpack("<q", file.read(8))
                dtype = np.dtype(_STORAGE_DTYPES[kinds.get(key, "ByteStorage")])
                if not 0 <= length * dtype.itemsize <= os.fstat(file.fileno()).st_size:
                    raise CheckpointError(f"truncated or damaged: {length} numbers in a storage.")
                data = file.read(length * dtype.itemsize)
                storages[key] = np.frombuffer(data, dtype, count=length)
        self._storages = lambda reference: storages[reference[1]]
        return tensors

    def __getitem__(self, name):
        tensor = self._tensors[name]
        try:
            return tensor.read(self._storages)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {name}: {error}") from error
        except _DAMAGE as error:
            raise CheckpointError(
                f"{self.path}: {name} is truncated or damaged: {error!r}"
            ) from error

    def __iter__(self):
        return iter(self._tensors)

    def __len__(self):
        return len(self._tensors)
