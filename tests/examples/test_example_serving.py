"""The example of serving writes what its configuration names."""

import importlib

import keras
import pytest
from example_support import EXAMPLES


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow writes SavedModels")
def test_models_to_serve(model, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(EXAMPLES / "serving")
    example = importlib.import_module("export_models")
    names = example.main(example.parse(["--model", model, "--target", str(tmp_path)]))
    assert names == sorted(path.name for path in tmp_path.iterdir())
    config = (EXAMPLES / "serving" / "models.config").read_text(encoding="utf-8")
    assert all(f'name: "{name}"' in config for name in names)
    assert all((tmp_path / name / "1" / "saved_model.pb").is_file() for name in names)
