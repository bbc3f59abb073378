"""What the benchmarks keep, and read again."""

import importlib
import itertools
from pathlib import Path

import pytest

from keras_bert_zoo.data.pretraining.documents import read_documents

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Imports a benchmark by its name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
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
