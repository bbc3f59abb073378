"""Seconds to `import keras_bert_zoo`, beside Keras alone and transformers' BERT (on PyTorch).

    python benchmarks/speed/import_time.py [--environments DIR]

DIR is what `environments.py` has filled. Each import runs in a fresh process, all by turns, after
one round that warms the disk. Prints one markdown row a backend, medians over the rounds.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
from pathlib import Path

import environments

BACKENDS = ("tensorflow", "jax", "torch")
PEER = "transformers.models.bert.modeling_bert"
MODULES = ("keras", PEER, "keras_bert_zoo")
TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module, backend, folder):
    side = environments.TRANSFORMERS if module == PEER else backend
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [environments.python_of(folder, side), "-c", TIMED.format(module)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--environments", type=Path, help="one a side; else this one for all")
    arguments = parser.parse_args()
    rounds, folder = arguments.rounds, arguments.environments
    print("| backend | keras, s | transformers' BERT, s | keras_bert_zoo, s | of Keras | of BERT |")
    print("|---|---:|---:|---:|---:|---:|")
    for backend in arguments.backends:
        if folder is None and importlib.util.find_spec(backend) is None:
            continue
        taken = {module: [] for module in MODULES}
        for i in range(rounds + 1):
            for module in MODULES:
                duration = seconds(module, backend, folder)
                if i:
                    taken[module].append(duration)
        keras, peer, ours = (statistics.median(taken[module]) for module in MODULES)
        times = f"{keras:.2f} | {peer:.2f} | {ours:.2f} | {ours / keras:.2f} | {ours / peer:.2f}"
        print(f"| {backend} | {times} |", flush=True)


if __name__ == "__main__":
    main()
