"""Which processor this is, as each system tells."""

import platform
from pathlib import Path

import pytest

from keras_bert_zoo.layers import devices


@pytest.fixture(autouse=True)
def asked_anew():
    devices.is_amd.cache_clear()
    yield
    devices.is_amd.cache_clear()


@pytest.mark.parametrize("vendor, answer", [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_linux(monkeypatch, vendor, answer):
    told = f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: 25\n"
    monkeypatch.setattr(Path, "read_text", lambda path, **_: told)
    assert devices.is_amd() == answer


@pytest.mark.parametrize(
    "name, answer",
    [
        ("AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD", True),
        ("Intel64 Family 6 Model 158 Stepping 10, GenuineIntel", False),
        ("arm", False),
        ("", False),
    ],
)
def test_systems_without_that_file(monkeypatch, name, answer):
    def missing(path, **_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: name)
    assert devices.is_amd() == answer
