"""Shared fixtures: a tiny backbone and its tokenizer, and a seed for each test."""

import keras
import pytest
import support


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
