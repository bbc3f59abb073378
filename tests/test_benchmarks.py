"""What the benchmarks keep, and read again."""

import importlib
import itertools
from pathlib import Path

import keras
import pytest

from keras_bert_zoo.data.pretraining.documents import read_documents

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Imports a benchmark by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(BENCHMARKS / "speed")
    return importlib.import_module


def test_a_result_that_a_kill_cut_short_is_made_again(benchmark, tmp_path, capsys):
    results = benchmark("transfer_results")
    path = tmp_path / "results.jsonl"
    runs = [{**dict.fromkeys(results.KEYS, "x"), "seed": seed} for seed in range(3)]
    results.append_result(path, runs[0])
    with path.open("a", encoding="utf-8") as file:
        file.write('{"source": "x", "se')
    assert list(results.read_results(path).values()) == runs[:1]
    assert "results.jsonl, line 2 is cut short and left out" in capsys.readouterr().err
    for run in runs[1:]:
        results.append_result(path, run)
    assert list(results.read_results(path).values()) == runs
    assert path.read_bytes().count(b"\n") == 4


def test_results_that_are_whole_are_read_in_silence(benchmark, tmp_path, capsys):
    results = benchmark("transfer_results")
    assert results.read_results(tmp_path / "none.jsonl") == {}
    results.append_result(tmp_path / "some.jsonl", dict.fromkeys(results.KEYS, 1))
    assert len(results.read_results(tmp_path / "some.jsonl")) == 1
    assert capsys.readouterr().err == ""


def test_the_text_of_a_measurement_is_cut_off_at_its_size(benchmark, tmp_path):
    parity = benchmark("pretraining_parity")
    assert benchmark("pretraining_speed").write_documents is parity.write_documents
    documents = itertools.cycle([["one", "two"], ["three"]])
    assert parity.write_documents(tmp_path / "text.txt", documents, 20) == 25
    assert list(read_documents([tmp_path / "text.txt"])) == [
        ["one", "two"],
        ["three"],
        ["one", "two"],
    ]


def test_operations_of_an_encoder(benchmark):
    sizes = benchmark("sizes")
    # Base has 85 million weights in its blocks, each of which multiplies once a token; attention
    # multiplies twice the length by the width.
    weights, attention = 12 * 12 * 768**2, 12 * 2 * 128 * 768
    shapes = sizes.product_shapes("base", rows=3, length=128)
    assert sizes.operations(shapes) == 2 * 3 * 128 * (weights + attention)
    pooled = sizes.operations(sizes.product_shapes("base", rows=3, length=128, pooled=True))
    assert 0.92 < pooled / sizes.operations(shapes) < 0.95


def test_a_share_of_the_peak(benchmark):
    used = benchmark("run").used_of_peak
    # 6 operations a weight and token, but in the last block; and attention's besides.
    assert 1.0 < used(1000, "base-128", peak=6 * 85e6 * 128 * 1000 / 1e12 * 0.93) < 1.05
    assert used(500, "base-128", peak=80) == pytest.approx(used(1000, "base-128", peak=160))


@pytest.fixture
def tiny_on_gpu(benchmark, monkeypatch):
    """The job `tiny`, for whatever device there is."""
    sizes = benchmark("sizes")
    monkeypatch.setitem(sizes.ON_GPU, "tiny", ("tiny", 2, 16))
    return benchmark("gpu")


def test_the_job_for_gpus_trains_in_bfloat16(tiny_on_gpu):
    before = keras.config.dtype_policy()
    try:
        assert tiny_on_gpu.ours("tiny", None, on_gpu=False, steps=3)() == 6
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch alone")
def test_the_bare_products_for_gpus(tiny_on_gpu):
    assert tiny_on_gpu.matrix_products("tiny", None, device="cpu", steps=3)() == 6


def test_the_job_for_gpus_wants_one(tiny_on_gpu, monkeypatch):
    from keras_bert_zoo.layers import devices

    monkeypatch.setattr(devices, "is_cpu", lambda: True)
    with pytest.raises(RuntimeError, match="on the CPU"):
        tiny_on_gpu.ours("tiny", None)
