"""Two batches at a time: in order, and only where nothing belongs to one thread."""

import threading
import time
from concurrent import futures

import keras
import numpy as np
import pytest
import toys
from support import count_calls, scramble, tiny_classifier

if keras.backend.backend() != "torch":
    pytest.skip("of PyTorch alone", allow_module_level=True)

import torch
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import keras_bert_zoo as kbz
from keras_bert_zoo.tasks import torch_lanes


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def lanes():
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("keras_bert_zoo")]


def test_in_order_with_half_of_the_threads_each():
    together = threading.Barrier(2)

    def run(number):
        together.wait(timeout=10)  # never passed by one thread alone
        time.sleep(0.01 * (number % 3))
        return number, threading.current_thread().name, torch.get_num_threads()

    found = list(torch_lanes.run(run, range(10)))
    assert [number for number, _, _ in found] == list(range(10))
    assert len({name for _, name, _ in found}) == 2
    assert {count for _, _, count in found} == {2}
    assert torch.get_num_threads() == 4
    assert len(lanes()) == 2


@pytest.mark.parametrize("count, alone", [(0, 0), (1, 1), (3, 3), (4, 0), (5, 1), (8, 0)])
def test_few_batches_and_an_odd_one_get_all_threads(count, alone):
    found = list(torch_lanes.run(lambda _: torch.get_num_threads(), range(count)))
    assert found == [2] * (count - alone) + [4] * alone


def test_new_threads_start_with_the_number_of_before():
    list(torch_lanes.run(abs, range(6)))
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [4]


def test_an_error_comes_through_and_nothing_more_is_run():
    begun = []

    def run(number):
        begun.append(number)
        if number == 5:
            raise ValueError("no fifth")
        return number

    found = torch_lanes.run(run, range(100))
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no fifth"):
        next(found)
    assert len(begun) < 12
    assert list(torch_lanes.run(abs, range(6))) == [0, 1, 2, 3, 4, 5]


def test_when_a_caller_stops_nothing_runs_any_more():
    running = []

    def run(number):
        running.append(number)
        time.sleep(0.02)
        running.remove(number)
        return number

    found = torch_lanes.run(run, range(100))
    assert next(found) == 0
    found.close()
    assert not running


def test_errors_of_the_batches_come_through():
    def batches():
        yield from range(6)
        raise OSError("the disk")

    found = torch_lanes.run(abs, batches())
    with pytest.raises(OSError, match="the disk"):
        list(found)


def test_many_threads_that_predict_leave_the_number_alone():
    for _ in range(20):
        torch_lanes._lanes.cache_clear()
        new = [
            threading.Thread(target=lambda: list(torch_lanes.run(abs, range(4)))) for _ in range(4)
        ]
        for thread in new:
            thread.start()
        for thread in new:
            thread.join()
        seen = []
        last = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))  # noqa: B023
        last.start()
        last.join()
        assert seen == [4] and torch.get_num_threads() == 4


def test_threads_that_cannot_begin(monkeypatch):
    def refuse(number):
        if threading.current_thread().name.startswith("keras_bert_zoo"):
            raise RuntimeError("no such number")

    torch_lanes._lanes.cache_clear()
    monkeypatch.setattr(torch, "set_num_threads", refuse)
    with pytest.raises(RuntimeError, match="no such number"):
        list(torch_lanes.run(abs, range(6)))


def test_a_thread_whose_fellow_cannot_start_ends(monkeypatch):
    submit, threads = futures.ThreadPoolExecutor.submit, set(threading.enumerate())

    def start_one(pool, begin):
        if len(set(threading.enumerate()) - threads) == 1:
            raise RuntimeError("can't start new thread")
        return submit(pool, begin)

    torch_lanes._lanes.cache_clear()
    monkeypatch.setattr(futures.ThreadPoolExecutor, "submit", start_one)
    with pytest.raises(RuntimeError, match="can't start"):
        list(torch_lanes.run(abs, range(6)))
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_batches_are_read_little_ahead():
    read = []
    found = torch_lanes.run(abs, (read.append(n) or n for n in range(100)))
    for number in range(20):
        assert next(found) == number
    assert len(read) <= 20 + 2 * torch_lanes.LANES


def test_predictions_are_the_same(monkeypatch):
    model = scramble(tiny_classifier())
    taken = count_calls(monkeypatch, torch_lanes, "run")
    together = model.predict(toys.TEXTS * 3, batch_size=2)
    assert len(taken) == 1
    torch.set_num_threads(1)
    np.testing.assert_allclose(model.predict(toys.TEXTS * 3, batch_size=2), together, atol=1e-6)
    assert len(taken) == 1
    assert np.ptp(together) > 0.1


def test_suits():
    model = tiny_classifier()
    assert torch_lanes.suits(model)
    model.compile(jit_compile=True)
    assert not torch_lanes.suits(model)


@pytest.mark.parametrize("of_all", [False, True])
def test_hooks_see_batches_in_order(of_all):
    model = tiny_classifier()
    part = model.backbone.blocks[0].attention
    made = register_module_forward_hook if of_all else part.register_forward_hook
    hook = made(lambda *_: None)
    assert not torch_lanes.suits(model)
    hook.remove()
    assert torch_lanes.suits(model)


def test_what_belongs_to_one_thread():
    model = tiny_classifier()
    with torch.autocast("cpu"):
        assert not torch_lanes.suits(model)
    with FlopCounterMode(display=False):
        assert not torch_lanes.suits(model)
    with TorchFunctionMode():
        assert not torch_lanes.suits(model)
    with keras.StatelessScope():
        assert not torch_lanes.suits(model)
    torch.set_num_threads(1)
    assert not torch_lanes.suits(model)


def test_examples_that_share_rows_are_run_in_turn(monkeypatch):
    taken = count_calls(monkeypatch, torch_lanes, "run")
    model = tiny_classifier()
    embedder = kbz.TextEmbedder(model.backbone, preprocessor=model.preprocessor)
    embedder.predict(toys.TEXTS, batch_size=2, pack_examples=True)
    assert not taken
    embedder.predict(toys.TEXTS, batch_size=2)
    assert len(taken) == 1
