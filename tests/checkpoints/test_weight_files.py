"""Every kind of weights file: the numbers in it, and what is said of a damaged one."""

import collections
import json
import os
import pickle
import shutil
import struct
import zipfile

import keras
import ml_dtypes
import numpy as np
import pytest
import support
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints.pickle_reader import PickleReader
from keras_bert_zoo.checkpoints.readers import (
    TYPES,
    SafetensorsReader,
    ShardedReader,
    open_weights_file,
    read_json,
    save_safetensors,
)
from keras_bert_zoo.checkpoints.transfer import load_own

SHAPES = {"a.weight": (3, 4), "a.bias": (4,), "b.weight": (2, 3, 2), "scalar": ()}


@pytest.fixture
def arrays():
    random = np.random.default_rng(3)
    return {name: random.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="writes the .bin files")


def tensors_of(torch, arrays):
    return {name: torch.tensor(array) for name, array in arrays.items()}


def same(reader, arrays):
    assert set(reader) == set(arrays)
    assert len(reader) == len(arrays)
    for name, array in arrays.items():
        read = reader[name]
        assert read.dtype == array.dtype
        assert np.array_equal(read, array)


FORMATS = {"zip": True, "legacy": False}


# === What the files hold ===


def test_safetensors(tmp_path, arrays):
    save_safetensors(arrays, tmp_path / "model.safetensors")
    same(SafetensorsReader(tmp_path / "model.safetensors"), arrays)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64", "int64"])
def test_safetensors_keeps_dtypes(tmp_path, arrays, dtype):
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    save_safetensors(arrays, tmp_path / "model.safetensors")
    same(SafetensorsReader(tmp_path / "model.safetensors"), arrays)


@pytest.mark.parametrize("kind", FORMATS)
def test_bin(torch, tmp_path, arrays, kind):
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors_of(torch, arrays), path, _use_new_zipfile_serialization=FORMATS[kind])
    same(open_weights_file(path), arrays)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dtype", "float16 float64 int64 int32 int16 int8 uint8 bool".split())
def test_bin_dtypes(torch, tmp_path, kind, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.tensor(array)}, path, _use_new_zipfile_serialization=FORMATS[kind])
    same(PickleReader(path), {"a": array})


@pytest.mark.parametrize("kind", FORMATS)
def test_bin_bfloat16(torch, tmp_path, kind):
    array = np.linspace(-2, 2, 6).astype(ml_dtypes.bfloat16)
    path = tmp_path / "pytorch_model.bin"
    tensor = torch.tensor(array.astype("float32")).to(torch.bfloat16)
    torch.save({"a": tensor}, path, _use_new_zipfile_serialization=FORMATS[kind])
    same(PickleReader(path), {"a": array})


@pytest.mark.parametrize("kind", FORMATS)
def test_bin_views_of_one_storage(torch, tmp_path, kind):
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    views = {
        "whole": base,
        "transposed": base.T,
        "row": base[2],
        "column": base[:, 1],
        "steps": base[::2, ::3],
        "expanded": base[0, 0].expand(2, 3),
        "empty": base[:0],
        "parameter": torch.nn.Parameter(base[1:3]),
    }
    path = tmp_path / "pytorch_model.bin"
    torch.save(collections.OrderedDict(views), path, _use_new_zipfile_serialization=FORMATS[kind])
    same(PickleReader(path), {name: view.detach().numpy() for name, view in views.items()})


def test_shards(tmp_path, arrays):
    names = sorted(arrays)
    weight_map = {}
    for i, part in enumerate((names[:2], names[2:])):
        save_safetensors({n: arrays[n] for n in part}, tmp_path / f"part-{i}.safetensors")
        weight_map |= dict.fromkeys(part, f"part-{i}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    same(ShardedReader(index), arrays)


# === A .bin file runs nothing ===


class Bomb:
    """Unpickled by Python itself this would make a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_the_bomb_is_live(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "gone-off")))
    assert (tmp_path / "gone-off").is_dir()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_bin_file_cannot_run_code(torch, tmp_path, arrays, kind):
    path = tmp_path / "pytorch_model.bin"
    torch.save(
        {**tensors_of(torch, arrays), "x": Bomb(tmp_path / "gone-off")},
        path,
        _use_new_zipfile_serialization=FORMATS[kind],
    )
    with pytest.raises(kbz.CheckpointError, match=r"asks to run \w+\.mkdir.*refused"):
        PickleReader(path)
    assert not (tmp_path / "gone-off").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_cannot_run_code(tmp_path, protocol):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "gone-off"), protocol))
    with pytest.raises(kbz.CheckpointError, match=r"asks to run \w+\.mkdir.*refused"):
        PickleReader(path)
    assert not (tmp_path / "gone-off").exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "FloatStorage.__class__"),
        ("keras_bert_zoo.checkpoints.pickle_reader", "io.open"),
    ],
)
def test_no_other_name_is_reached(tmp_path, module, name):
    path = tmp_path / "pytorch_model.bin"
    names = b"".join(b"\x8c" + bytes([len(n)]) + n.encode() for n in (module, name))
    path.write_bytes(b"\x80\x04" + names + b"\x93.")
    with pytest.raises(kbz.CheckpointError, match="asks to run"):
        PickleReader(path)


# === Damaged files ===


def write_zip(path, content, data=b"\0" * 16):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"\x80\x02", "truncated|damaged"),
        (pickle.dumps([1, 2]), "no dict of tensors"),
        (pickle.dumps({"a": 1}), "no dict of tensors"),
        (pickle.dumps("text"), "no dict of tensors"),
    ],
)
def test_a_zip_of_something_else(tmp_path, content, message):
    path = tmp_path / "pytorch_model.bin"
    write_zip(path, content)
    with pytest.raises(kbz.CheckpointError, match=message):
        PickleReader(path)


def test_a_zip_without_data(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(kbz.CheckpointError, match=r"no data\.pkl inside"):
        PickleReader(path)


@pytest.mark.parametrize("kind", [*FORMATS, "safetensors"])
@pytest.mark.parametrize("kept", [0, 0.1, 0.4, 0.7, 0.99])
def test_a_truncated_file_is_named(torch, tmp_path, arrays, kind, kept):
    path = write(torch, tmp_path, arrays, kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(kbz.CheckpointError, match=f"{path.name}.*(truncated|damaged|not a file)"):
        dict(open_weights_file(path))


@pytest.mark.parametrize("kind", [*FORMATS, "safetensors"])
def test_a_flipped_bit_is_an_error_or_changes_numbers_only(torch, tmp_path, arrays, kind):
    """No other exception, no hang, no giant allocation. A safetensors or legacy file has no
    checksum, so a bit inside a number cannot be seen; names, shapes and dtypes stay whole."""
    content = write(torch, tmp_path, arrays, kind).read_bytes()
    path = tmp_path / f"flipped{'.safetensors' if kind == 'safetensors' else '.bin'}"
    random = np.random.default_rng(0)
    refused = 0
    for spot in random.choice(len(content), 250, replace=False):
        damaged = bytearray(content)
        damaged[spot] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            read = dict(open_weights_file(path))
        except kbz.CheckpointError as error:
            assert path.name in str(error)
            refused += 1
        else:
            assert all(isinstance(array, np.ndarray) for array in read.values())
    assert refused > 10


def write(torch, folder, arrays, kind):
    if kind == "safetensors":
        save_safetensors(arrays, folder / "model.safetensors")
        return folder / "model.safetensors"
    path = folder / "pytorch_model.bin"
    torch.save(tensors_of(torch, arrays), path, _use_new_zipfile_serialization=FORMATS[kind])
    return path


def test_a_legacy_file_cannot_ask_for_all_memory(torch, tmp_path, arrays):
    path = write(torch, tmp_path, {"a": arrays["a.bias"]}, "legacy")
    content = path.read_bytes()
    length = struct.pack("<q", 4)
    assert content.count(length) == 1
    for claimed in (2**60, 2**40, -1, 5):
        path.write_bytes(content.replace(length, struct.pack("<q", claimed)))
        with pytest.raises(kbz.CheckpointError, match=r"pytorch_model\.bin.*(damaged|truncated)"):
            dict(PickleReader(path))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "has no weight_map"),
        ({"weight_map": {}}, "has no weight_map"),
        ({"weight_map": ["a"]}, "has no weight_map"),
        ({"weight_map": {"a": "../part.safetensors"}}, "names files outside its folder"),
        ({"weight_map": {"a": "/part.safetensors"}}, "names files outside its folder"),
        ({"weight_map": {"a": "sub/part.safetensors"}}, "names files outside its folder"),
        ({"weight_map": {"a": ".."}}, "outside its folder|lacks"),
        ({"weight_map": {"a": 3}}, "has no weight_map"),
        ({"weight_map": {"a": "gone.safetensors"}}, r"lacks gone\.safetensors"),
        ({"weight_map": {"b": "part.safetensors"}}, r"part\.safetensors lacks the tensor b"),
    ],
)
def test_a_wrong_index(tmp_path, index, message):
    folder = tmp_path / "model"
    folder.mkdir()
    for place in (folder / "part.safetensors", tmp_path / "part.safetensors"):
        save_safetensors({"a": np.zeros(2, "float32")}, place)
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    with pytest.raises(kbz.CheckpointError, match=message):
        ShardedReader(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "truncated or no JSON"), ('{"a": 1', "truncated or no JSON"), ("[1]", "no JSON object")],
)
def test_damaged_json(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(kbz.CheckpointError, match=rf"config\.json.*{message}"):
        read_json(path)


def test_json_in_another_encoding(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes("{}".encode("utf-16"))
    with pytest.raises(kbz.CheckpointError, match="truncated or no JSON"):
        read_json(path)


def test_an_unknown_tensor_is_a_key_error(torch, tmp_path, arrays):
    for kind in (*FORMATS, "safetensors"):
        with pytest.raises(KeyError):
            open_weights_file(write(torch, tmp_path, arrays, kind))["nothing"]


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64", ">f4", "int8"])
def test_other_types_load_exactly(tmp_path, dtype):
    """The backends take numpy's types each in its own way."""
    array = np.array([0.5, -2.5, 3.0]).astype(dtype)
    variable = keras.Variable(np.zeros(3), dtype="float32", name="a")
    load_own([variable], {"a": array}, "here")
    assert np.array_equal(keras.ops.convert_to_numpy(variable), array.astype("float32"))


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        read_only(np.arange(3, dtype="float32")),
        np.arange(3, dtype="float32")[::-1],
        np.arange(6, dtype="float32")[::2],
        np.zeros(3, [("a", "float32"), ("b", "int8")])["a"],
    ],
)
def test_arrays_lie_in_memory_in_any_way(array):
    before = array.copy()
    variable = keras.Variable(np.zeros(3), name="a")
    load_own([variable], {"a": array}, "here")
    variable.assign(variable * 2)
    assert np.array_equal(array, before)
    assert np.array_equal(keras.ops.convert_to_numpy(variable), 2 * before)


@pytest.mark.parametrize("way", ["save_to_preset", "export_to_transformers"])
def test_a_loaded_model_outlives_its_file(tmp_path, backbone, way):
    """Its weights lie in the file's pages, which stay when another file takes its name."""
    x = {"token_ids": np.arange(5, 13)[None]}
    support.scramble(backbone)
    before = keras.ops.convert_to_numpy(backbone(x)["sequence_output"])
    getattr(backbone, way)(tmp_path)
    again = kbz.Backbone.from_preset(tmp_path)
    support.scramble(backbone, seed=1)
    getattr(backbone, way)(tmp_path)
    other = kbz.Backbone.from_preset(tmp_path)
    shutil.rmtree(tmp_path)
    for model, like in ((again, before), (other, backbone(x)["sequence_output"])):
        found = keras.ops.convert_to_numpy(model(x)["sequence_output"])
        np.testing.assert_allclose(found, keras.ops.convert_to_numpy(like), atol=1e-6)


@pytest.mark.parametrize("shift", range(8))
def test_tensors_lie_anywhere(tmp_path, shift):
    """A header may have any length, so that numbers lie across the processor's words."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})
    header = header.encode() + b" " * shift
    values = np.arange(6, dtype="float32").reshape(2, 3)
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + values.tobytes())
    np.testing.assert_array_equal(SafetensorsReader(path)["a"], values)


def test_what_is_written_to_an_array_stays_in_memory(tmp_path):
    path = tmp_path / "a.safetensors"
    save_safetensors({"a": np.ones(3, "float32"), "none": np.zeros((0, 4), "float16")}, path)
    tensors = SafetensorsReader(path)
    assert tensors["none"].shape == (0, 4)
    tensors["a"][:] = 5
    np.testing.assert_array_equal(SafetensorsReader(path)["a"], np.ones(3))


@pytest.mark.parametrize("dtype", [*TYPES, ">f4", ">i8"])
def test_the_library_reads_what_is_written(tmp_path, dtype):
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    shapes = {"b": (3, 5), "none": (0, 4), "ä": (), "a": (64, 2), "turned": (7, 16)}
    arrays = {name: np.arange(np.prod(shape)).reshape(shape) for name, shape in shapes.items()}
    arrays = {name: (array % 100).astype(kind) for name, array in arrays.items()}
    arrays["turned"] = arrays["turned"].T
    save_safetensors(arrays, tmp_path / "a.safetensors", {"made by": "tests", "ß": '"'})
    ours = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    same(load_file(tmp_path / "a.safetensors"), ours)
    with safe_open(tmp_path / "a.safetensors", "numpy") as file:
        assert file.metadata() == {"made by": "tests", "ß": '"'}


SIZED_TENSORS = st.lists(
    st.tuples(st.integers(0, 100), st.sampled_from(["float64", "float32", "float16", "uint8"]))
)


@given(SIZED_TENSORS, st.text())
def test_large_tensors_lie_on_lines_of_the_cache(tmp_path_factory, sizes, text):
    arrays = {f"{i}": np.full(size, i % 200, kind) for i, (size, kind) in enumerate(sizes)}
    path = tmp_path_factory.getbasetemp() / "lines.safetensors"
    save_safetensors(arrays, path, {"text": text})
    read = SafetensorsReader(path)
    same(read, arrays)
    assert read.metadata == {"text": text}
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    for name, array in arrays.items():
        place = start + header[name]["data_offsets"][0]
        grid = 64 if array.nbytes % 64 == 0 else array.itemsize
        assert array.nbytes == 0 or place % grid == 0


def test_what_is_not_written_is_named(tmp_path):
    with pytest.raises(TypeError, match="'a' is of type complex64; this writes float64"):
        save_safetensors({"a": np.zeros(2, "complex64")}, tmp_path / "a.safetensors")
    with pytest.raises(TypeError, match="metadata must be texts"):
        save_safetensors({"a": np.zeros(2)}, tmp_path / "a.safetensors", {"n": 1})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shift", range(0, 64, 8))
def test_wherever_an_array_begins(tmp_path, shift):
    """That decides whether a backend takes it over as it lies."""
    table = np.random.default_rng(0).normal(size=(64, 32)).astype("float32")
    header = json.dumps({"t": {"dtype": "F32", "shape": [64, 32], "data_offsets": [0, 8192]}})
    header = header.encode().ljust(120 + shift)
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + table.tobytes())
    variable = keras.Variable(np.zeros((64, 32)), dtype="float32", name="t")
    load_own([variable], SafetensorsReader(path), str(path))
    path.unlink()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), table)
    variable.assign(variable * 2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), table * 2)
