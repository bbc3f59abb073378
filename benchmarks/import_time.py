"""Seconds to `import keras_bert_zoo`, beside Keras alone and transformers' BERT (on PyTorch).

Run as `python benchmarks/import_time.py`. Each import runs in a fresh process, all by turns, after
one round that warms the disk. Prints one markdown row a backend, medians over the rounds.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys

BACKENDS = ("tensorflow", "jax", "torch")
MODULES = ("keras", "transformers.models.bert.modeling_bert", "keras_bert_zoo")
TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module, backend):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(module)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("| backend | keras, s | transformers' BERT, s | keras_bert_zoo, s | of Keras | of BERT |")
    print("|---|---:|---:|---:|---:|---:|")
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            continue
        taken = {module: [] for module in MODULES}
        for i in range(rounds + 1):
            for module in MODULES:
                duration = seconds(module, backend)
                if i:
                    taken[module].append(duration)
        keras, peer, ours = (statistics.median(taken[module]) for module in MODULES)
        times = f"{keras:.2f} | {peer:.2f} | {ours:.2f} | {ours / keras:.2f} | {ours / peer:.2f}"
        print(f"| {backend} | {times} |", flush=True)


if __name__ == "__main__":
    main()
