"""Importing is silent and light, and JAX and PyTorch need no TensorFlow."""

import os
import subprocess
import sys
import textwrap

import keras
import pytest

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.each_environment

REFUSE_THE_NETWORK = """
import socket

def refuse(*_, **__):
    raise AssertionError("the network was asked")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


def run(code, *preambles):
    """Runs Python code in a process of its own, with this backend; returns the process."""
    source = "\n".join(textwrap.dedent(part) for part in (*preambles, code))
    environment = {
        **os.environ,
        "KERAS_BACKEND": BACKEND,
        "PYTHONPATH": os.path.dirname(__file__),
        # The exception is the one of pyproject.toml.
        "PYTHONWARNINGS": "error,ignore:__array__ implementation doesn:DeprecationWarning",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.run(
        [sys.executable, "-c", source], env=environment, capture_output=True, text=True, timeout=240
    )


def test_import_is_silent_and_asks_no_network():
    alone = run("import keras")
    done = run("import keras_bert_zoo", REFUSE_THE_NETWORK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == alone.stdout == ""
    # Keras may write to stderr itself (TensorFlow's greeting); we add nothing.
    assert len(done.stderr.splitlines()) <= len(alone.stderr.splitlines()), done.stderr


def test_the_network_would_have_been_noticed():
    done = run(
        "import urllib.request; urllib.request.urlopen('http://x.invalid')", REFUSE_THE_NETWORK
    )
    assert "the network was asked" in done.stderr


def test_import_brings_in_nothing_heavy():
    """Beyond what Keras itself imports with this backend."""
    code = """
    import sys
    import keras
    before = set(sys.modules)
    import keras_bert_zoo
    added = {name.split(".")[0] for name in set(sys.modules) - before}
    heavy = "transformers keras_hub kagglehub huggingface_hub safetensors sklearn pandas"
    backends = "tensorflow tensorflow_text jax torch"
    print(*sorted(added & {*heavy.split(), *backends.split()}))
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.skipif(BACKEND == "tensorflow", reason="this backend is TensorFlow")
def test_no_tensorflow_is_needed():
    block = """
    import sys
    for name in ("tensorflow", "tensorflow_text", "keras_hub", "transformers"):
        sys.modules[name] = None
    """
    code = """
    import pathlib, tempfile
    from support import tiny_backbone, tiny_tokenizer
    import keras_bert_zoo as kbz

    folder = pathlib.Path(tempfile.mkdtemp())
    assert tiny_tokenizer().tokenize("a film") == [6, 7]
    classifier = kbz.TextClassifier(
        tiny_backbone(), preprocessor=kbz.Preprocessor(tiny_tokenizer(), 8), num_classes=2
    )
    classifier.fit(["a good film", "slow"], [1, 0], batch_size=2, epochs=1, verbose=0)
    before = classifier.predict(["a good film", "bad tea"])
    classifier.save_to_preset(folder)
    after = kbz.TextClassifier.from_preset(folder).predict(["a good film", "bad tea"])
    assert before.shape == (2, 2) and (before == after).all()
    print("done")
    """
    done = run(code, block)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"


def test_importing_changes_no_setting():
    code = """
    import random
    import keras
    import numpy as np

    def state():
        return (
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            keras.config.image_data_format(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
        )

    before = state()
    import keras_bert_zoo
    assert state() == before
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
