"""Shared fixtures: a tiny backbone and its tokenizer, and a seed for each test."""

import hypothesis
import keras
import pytest
import support

# How fast the machine is decides no test.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(1)  # tiny models: more threads only wait for each other


@pytest.fixture(autouse=True)
def seed():
    """Every test draws the same random numbers."""
    keras.utils.set_random_seed(7)


@pytest.fixture
def backbone():
    return support.tiny_backbone()


@pytest.fixture
def tokenizer():
    return support.tiny_tokenizer()
