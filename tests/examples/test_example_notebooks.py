"""The notebooks run from top to bottom."""

import json
from pathlib import Path

import keras
import pytest
from example_support import EXAMPLES

# The scripts are the same for every backend: one runs them all, JAX would compile for minutes.
pytestmark = [] if keras.backend.backend() == "torch" else [pytest.mark.slow]


@pytest.mark.parametrize(("name", "folder"), [("classifier", "notebooks"), ("tagger", "..")])
def test_notebook_runs_from_top_to_bottom(name, folder, model, monkeypatch):
    text = (EXAMPLES / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert notebook["nbformat"] == 4 and str(Path.home()) not in text
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert [cell["metadata"].get("tags") == ["parameters"] for cell in cells].count(True) == 1
    monkeypatch.chdir(EXAMPLES / folder)
    namespace = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), f"{name}.ipynb", "exec"), namespace)
        if cell["metadata"].get("tags") == ["parameters"]:
            namespace.update(SMALL=True, MODEL=model)
    assert namespace["same"]
