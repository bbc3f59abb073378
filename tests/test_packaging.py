"""A wheel holds the package and its presets."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import keras_bert_zoo as kbz

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with the hatchling at hand, else with one that `build` fetches."""
    command = [sys.executable, "-m", "build", "--wheel"]
    if importlib.util.find_spec("build") is None:
        pytest.skip("building a wheel needs the package build")
    if importlib.util.find_spec("hatchling"):
        command.append("--no-isolation")
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [*command, "--outdir", folder, ROOT], capture_output=True, text=True, check=False
    )
    if done.returncode and "hatchling" in done.stdout + done.stderr and len(command) == 4:
        pytest.skip("hatchling is neither installed nor to be downloaded")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_modules_and_presets_alone(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern, place in (
        (ROOT / "keras_bert_zoo", "*.py", "keras_bert_zoo"),
        (ROOT / "presets", "*.json", "keras_bert_zoo/_presets"),
    ):
        for path in folder.rglob(pattern):
            assert f"{place}/{path.relative_to(folder).as_posix()}" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"keras_bert_zoo", f"keras_bert_zoo-{kbz.__version__}.dist-info"}


@pytest.mark.slow
def test_an_installed_wheel_lists_presets(wheel, tmp_path):
    """In an empty environment; the dependencies are lent from this one."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [python, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run(install, check=True)
    # Appended, not PYTHONPATH, which would come before the installed package.
    lent = [path for path in sys.path if path.endswith("site-packages")]
    code = f"""
import sys
sys.path += {lent!r}
import keras_bert_zoo as kbz
print(kbz.__file__)
print(*kbz.list_presets())
print(kbz.preset_info("bert_base_en")["parameters"])
"""
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place, presets, parameters = done.stdout.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert presets.split() == kbz.list_presets()
    assert int(parameters) == kbz.preset_info("bert_base_en")["parameters"]
