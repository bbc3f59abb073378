"""Trainings that are interrupted and go on."""

import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import resumable
import support

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints.readers import save_safetensors
from keras_bert_zoo.training.checkpoints import STATE_FILE

PROGRAM = Path(resumable.__file__)


def train(folder=None, epochs=4, dropout=0.1, callbacks=(), task=None):
    """The model after a training in `folder`, and what was logged."""
    task = resumable.pretrainer(dropout, epochs=4) if task is None else task
    history = task.fit(
        resumable.batches(), epochs=epochs, checkpoints=folder, callbacks=[*callbacks], verbose=0
    )
    return task, history


class Stop(keras.callbacks.Callback):
    """Ends a training in the middle of an epoch, without mercy."""

    def __init__(self, epoch):
        super().__init__()
        self.last, self.epoch = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.last and batch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("dropout", [pytest.param(0.0, marks=pytest.mark.slow), 0.1])
def test_an_interrupted_training_ends_as_an_unbroken_one(tmp_path, dropout):
    whole, logged = train(tmp_path / "whole", dropout=dropout)
    for epoch in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "broken", dropout=dropout, callbacks=[Stop(epoch)])
    again, found = train(tmp_path / "broken", dropout=dropout)
    assert found.history == logged.history
    assert found.epoch == [0, 1, 2, 3]
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # A control: a training that forgets its optimizer's state ends elsewhere.
    forgetful, _ = train(tmp_path / "control", dropout=dropout, epochs=2)
    forgetful.compile(kbz.create_optimizer(1e-3, resumable.STEPS * 4))
    data = resumable.batches()
    forgetful.fit(data, initial_epoch=2, epochs=4, verbose=0)
    changed = zip(whole.get_weights(), forgetful.get_weights(), strict=True)
    assert max(np.abs(one - other).max() for one, other in changed) > 1e-5


def test_a_training_that_is_done_stays_so(tmp_path):
    task, logged = train(tmp_path)
    state = (tmp_path / STATE_FILE).read_bytes()
    again, found = train(tmp_path)
    assert found.history == logged.history
    assert (tmp_path / STATE_FILE).read_bytes() == state
    for one, other in zip(task.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_second_fit_goes_on_through_the_batches():
    data, seen = resumable.batches(), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(data.epoch)
    )
    task = resumable.pretrainer()
    task.fit(data, epochs=2, callbacks=note, verbose=0)
    task.fit(data, epochs=2, callbacks=[note], verbose=0)
    assert seen == [0, 1, 2, 3]


def test_without_checkpoints_batches_begin_anew():
    one, _ = train()
    other, _ = train()
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("algorithm", [pytest.param("google", marks=pytest.mark.slow), "lamb"])
def test_other_optimizers_and_gathered_gradients_go_on_too(tmp_path, algorithm):
    def task():
        made = resumable.pretrainer()
        made.compile(
            kbz.create_optimizer(1e-2, 20, algorithm=algorithm, gradient_accumulation_steps=3)
        )
        return made

    whole, _ = train(tmp_path / "whole", task=task())
    train(tmp_path / "parts", epochs=2, task=task())
    parts, _ = train(tmp_path / "parts", task=task())
    for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_of_something_else_is_refused(tmp_path):
    train(tmp_path, epochs=1)

    def pretrainer(**config):
        task = kbz.Pretrainer(support.tiny_backbone(**config), None)
        task.compile(kbz.create_optimizer(1e-3, resumable.STEPS * 4))
        return task

    wider = pretrainer(hidden_dim=32)
    with pytest.raises(kbz.CheckpointError, match=r"has the shape \(29, 16\)"):
        train(tmp_path, task=wider)
    deeper = pretrainer(num_layers=3)
    with pytest.raises(kbz.CheckpointError, match=r"another model or optimizer: they differ in"):
        train(tmp_path, task=deeper)
    other = resumable.pretrainer(epochs=4)
    data = resumable.batches()
    data.seed = 5
    with pytest.raises(kbz.CheckpointError, match="with seed=2; this one has 5"):
        other.fit(data, checkpoints=tmp_path, verbose=0)
    with pytest.raises(ValueError, match="checkpoints need PretrainingBatches"):
        other.fit({}, checkpoints=tmp_path)


USUAL = {"learning_rate": 1e-3, "num_train_steps": resumable.STEPS * 4}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a training that is not done."""
    folder = tmp_path_factory.mktemp("begun")
    train(folder, epochs=1)
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "lamb"}, "optimizer='AdamW'; this one has 'Lamb'"),
        ({"algorithm": "google"}, "optimizer's epsilon=1e-07; this one has 1e-06"),
        ({"weight_decay": 0.1}, "optimizer's weight_decay=0.01; this one has 0.1"),
        ({"num_train_steps": 99}, "optimizer's learning_rate={.*99"),
        ({"learning_rate": 2e-3}, "optimizer's learning_rate={.*0.002"),
    ],
)
def test_the_state_of_another_optimizer_is_refused(begun, settings, message):
    other = resumable.pretrainer(dropout=0.1)
    other.compile(kbz.create_optimizer(**{**USUAL, **settings}))
    before = (begun / STATE_FILE).read_bytes()
    with pytest.raises(kbz.CheckpointError, match=message):
        train(begun, task=other)
    assert (begun / STATE_FILE).read_bytes() == before


def test_the_same_settings_in_another_optimizer_go_on(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "copy")
    same = resumable.pretrainer(dropout=0.1)
    same.compile(kbz.create_optimizer(**USUAL, name="again"))
    _, found = train(tmp_path / "copy", epochs=2, task=same)
    assert found.epoch == [0, 1]


def test_a_rate_that_a_callback_lowered_is_found_again(tmp_path):
    def lower(epoch, rate):
        return rate / 2

    def constant():
        task = resumable.pretrainer()
        task.compile(kbz.create_optimizer(1e-3))
        return task

    callbacks = [keras.callbacks.LearningRateScheduler(lower)]
    train(tmp_path, epochs=2, task=constant(), callbacks=callbacks)
    again, _ = train(tmp_path, epochs=3, task=constant(), callbacks=callbacks)
    assert float(again.optimizer.learning_rate) == pytest.approx(1e-3 / 8)


def test_a_file_of_something_else_is_named(tmp_path):
    save_safetensors({"weights/0": np.zeros(2, "float32")}, tmp_path / STATE_FILE)
    with pytest.raises(kbz.CheckpointError, match="holds no training's state"):
        train(tmp_path)


def test_a_damaged_state_is_named(tmp_path):
    train(tmp_path, epochs=1)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(kbz.CheckpointError, match=STATE_FILE):
        train(tmp_path)


# === Processes, killed and on other backends ===


def run(backend, folder, epochs, weights, kill_after=None):
    """Runs the program; True when it came to its end."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, PROGRAM, folder, str(epochs), weights], env=environment
    )
    if kill_after is not None:
        until = time.monotonic() + 120
        # Counted from the first epoch that this process ends, so that it always gets on.
        before = _stamp(folder)
        while process.poll() is None and _stamp(folder) == before and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    return process.wait() == 0


def _stamp(folder):
    path = folder / STATE_FILE
    return path.stat().st_mtime_ns if path.is_file() else None


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    backend = keras.backend.backend()
    whole, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    assert run(backend, tmp_path / "whole", 90, whole)
    draws, kills = random.Random(1), 0
    while kills < 20:
        # The state is whole whenever the process dies: reading it is what comes next.
        kills += not run(backend, tmp_path / "broken", 90, broken, draws.uniform(0, 0.3))
        if broken.is_file():
            break
    assert kills == 20 or broken.is_file()
    assert run(backend, tmp_path / "broken", 90, broken)
    assert kills >= 15
    with np.load(whole) as one, np.load(broken) as other:
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.slow
def test_one_training_on_three_backends(tmp_path):
    """450 steps: 150 on each, against all on one."""
    here = keras.backend.backend()
    backends = ["jax", "torch", "tensorflow"]
    if not all(importlib.util.find_spec(name) for name in backends):
        pytest.skip("needs all three backends")
    for part, backend in enumerate(backends, start=1):
        assert run(backend, tmp_path / "parts", 30 * part, tmp_path / "parts.npz")
    assert run(here, tmp_path / "whole", 90, tmp_path / "whole.npz")
    losses = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("parts", "whole")]
    assert len(losses[0]) == 90
    np.testing.assert_allclose(*losses, atol=1e-4)
    assert losses[0][0] - losses[0][-1] > 0.3
