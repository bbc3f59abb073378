"""Weights get their values in one copy, or lie in a mapped file: they keep nothing else."""

import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo import memory
from keras_bert_zoo.checkpoints import variables
from keras_bert_zoo.checkpoints.readers import SafetensorsReader, save_safetensors
from keras_bert_zoo.checkpoints.variables import fill

DRAW = np.random.default_rng(7)


def random(*shape):
    return np.asarray(DRAW.normal(size=shape), "float32")


LAYOUTS = {
    "as it is": lambda: random(40, 24),
    "turned": lambda: random(24, 40).T,
    "turned, wide": lambda: random(5, 40).T,
    "every second": lambda: random(80, 48)[::2, ::2],
    "backwards": lambda: random(40, 24)[::-1, ::-1],
    "turned and backwards": lambda: random(24, 40).T[::-1],
    "not aligned": lambda: np.frombuffer(b"\0" + random(40, 24).tobytes(), "<f4", offset=1).reshape(
        40, 24
    ),
    "float16": lambda: random(40, 24).astype("float16"),
    "float64": lambda: random(24, 40).astype("float64").T,
    "big-endian": lambda: random(40, 24).astype(">f4"),
    "one number": lambda: random(),
    "a row": lambda: random(80)[::2],
    "whole numbers": lambda: DRAW.integers(-9, 9, (40, 24)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless asked")
    array = LAYOUTS[layout]()
    variable = keras.Variable(np.zeros(array.shape), dtype=dtype)
    fill([(variable, [array])])
    assert keras.backend.standardize_dtype(variable.dtype) == dtype
    expected = ops.cast(ops.cast(np.array(array, "float32"), dtype), "float32")
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(ops.cast(value, "float32")) for value in (variable, expected))
    )


def test_parts_lie_side_by_side():
    parts = [random(6, 4), random(4, 6).T, random(6, 4)]
    kernel, bias = keras.Variable(np.zeros((6, 12))), keras.Variable(np.zeros(6))
    halves = [random(3), random(3)]
    fill([(kernel, parts), (bias, halves)])
    np.testing.assert_array_equal(ops.convert_to_numpy(kernel), np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(ops.convert_to_numpy(bias), np.concatenate(halves))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_turned_parts_lie_side_by_side(dtype):
    parts = [random(4, 6).T, random(4, 6).T[::-1], random(4, 12).T[::2]]
    kernel = keras.Variable(np.zeros((6, 12)), dtype=dtype)
    fill([(kernel, parts)])
    assert kernel.shape == (6, 12) and kernel.value.dtype == ops.zeros(1, dtype).dtype
    joined = ops.cast(np.concatenate(parts, axis=1), dtype)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(ops.cast(value, "float32")) for value in (kernel, joined))
    )
    if keras.backend.backend() == "torch" and dtype != "bfloat16":
        assert kernel.value.stride() == (1, 6)  # as they lay


def test_nothing_of_the_source_is_kept():
    source = memory.empty((64, 32), "float32")
    source[...] = 1.0
    variable = keras.Variable(np.zeros((64, 32), "float32"))
    fill([(variable, [source])])
    source[...] = 2.0
    assert (ops.convert_to_numpy(variable) == 1.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_one_copy_is_what_the_variable_holds(monkeypatch, dtype):
    places = []

    def noted(variable, arrays):
        copy = joined(variable, arrays)
        places.append(copy.ctypes.data)
        return copy

    joined = variables._copied
    monkeypatch.setattr(variables, "_copied", noted)
    variable = keras.Variable(np.zeros((700, 300)), dtype=dtype)
    fill([(variable, [random(300, 700).T])])
    assert [address(variable)] == places


# How a matrix of a file comes, and which backends take it as it lies.
MAPPED = {
    "as it is": (lambda array: array, ("tensorflow", "jax", "torch")),
    "turned": (lambda array: array.T, ("torch",)),
    "not on a line of the cache": (
        lambda array: array.reshape(-1)[8:-16].reshape(39, 24),
        ("torch",),
    ),
    "of another type": (lambda array: array.view("float64"), ()),
}


@pytest.mark.parametrize("kind", MAPPED)
def test_a_mapped_array_becomes_the_variable(tmp_path, kind):
    change, backends = MAPPED[kind]
    array = change(mapped(tmp_path, random(40, 24)))
    values = np.array(array, "float32")
    variable = keras.Variable(np.zeros(array.shape), dtype="float32")
    fill([(variable, [array])])
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), values)
    is_taken = keras.backend.backend() in backends
    assert (address(variable) == array.ctypes.data) == is_taken


def test_mapped_arrays_side_by_side_are_joined_by_a_copy(tmp_path):
    array = mapped(tmp_path, random(40, 24))
    parts = [array[:20], array[20:]]
    variable = keras.Variable(np.zeros((20, 48)), dtype="float32")
    fill([(variable, parts)])
    joined = np.concatenate(parts, axis=-1)
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), joined)


@pytest.mark.parametrize("turned", [False, True])
def test_training_leaves_the_file_alone(tmp_path, turned):
    kernel = random(5, 64)
    array = mapped(tmp_path, kernel.T if turned else kernel)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    dense = keras.layers.Dense(64)
    dense.build((None, 5))
    fill([(dense.kernel, [array.T if turned else array])])
    train_and_assign(dense, kernel)
    assert path.read_bytes() == content
    np.testing.assert_array_equal(SafetensorsReader(path)["a"], kernel.T if turned else kernel)


def test_what_lies_in_a_file(tmp_path, monkeypatch):
    array = mapped(tmp_path, random(4, 16))
    assert all(memory.is_mapped(view) for view in (array, array.T, array[1:], array.reshape(-1)))
    read_only = np.memmap(next(tmp_path.iterdir()), mode="r")
    others = (np.array(array), array + 1, read_only, read_only[8:], np.zeros(3))
    assert not any(memory.is_mapped(other) for other in others)
    with monkeypatch.context() as patch:
        patch.setattr(memory.os, "name", "nt")  # where such a file could not be replaced
        assert not memory.is_mapped(array)


def test_a_filled_variable_trains():
    dense = keras.layers.Dense(3)
    dense.build((None, 5))
    kernel = random(5, 3)
    fill([(dense.kernel, [kernel])])
    train_and_assign(dense, kernel)


def mapped(folder, array):
    save_safetensors({"a": array}, folder / "a.safetensors")
    return SafetensorsReader(folder / "a.safetensors")["a"]


def address(variable):
    """Where the numbers of a variable lie."""
    value = variable.value
    if keras.backend.backend() == "torch":
        return value.data_ptr()
    if keras.backend.backend() == "tensorflow":
        value = value.read_value().__array__()
    return np.asarray(value).ctypes.data


def train_and_assign(dense, kernel):
    """Asserts what a step of training, and an assignment, make of a kernel."""
    inputs, units = kernel.shape
    model = keras.Sequential([dense])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x, y = random(4, inputs), random(4, units)
    model.train_on_batch(x, y)
    step = 2 * x.T @ (x @ kernel - y) / y.size  # the gradient of the mean of squares
    np.testing.assert_allclose(ops.convert_to_numpy(dense.kernel), kernel - 0.5 * step, atol=1e-5)
    dense.kernel.assign(kernel + 1)
    np.testing.assert_array_equal(ops.convert_to_numpy(dense.kernel), kernel + 1)


def test_whole_numbers_stay_whole():
    numbers = np.array([2**24 + 1, 2**31 - 1, -7])
    variable = keras.Variable(np.zeros(3), dtype="int32", trainable=False)
    fill([(variable, [numbers])])
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), numbers)


def test_few_copies_lie_in_memory_at_a_time(monkeypatch):
    """Of weights that the backend copies once more."""
    alive, most, joined = [], [], variables._copied

    def counted(variable, arrays):
        copy = joined(variable, arrays)
        alive.append(weakref.ref(copy.base))
        most.append(sum(array() is not None for array in alive))
        return copy

    monkeypatch.setattr(variables, "_copied", counted)
    monkeypatch.setattr(variables, "THREADS", 2)
    targets = [keras.Variable(np.zeros(9), dtype="bfloat16") for _ in range(60)]
    fill((variable, [random(9)]) for variable in targets)
    assert len(most) == 60 and max(most) < 20


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (700, 2000)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_memory_is_aligned(shape, dtype):
    arrays = [memory.empty(shape, dtype) for _ in range(5)]
    for i, array in enumerate(arrays):
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
        assert array.ctypes.data % memory.ALIGNMENT == 0 and array.flags.c_contiguous
        array[...] = i
    assert all((array == i).all() for i, array in enumerate(arrays))
