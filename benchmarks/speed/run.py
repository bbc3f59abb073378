"""Speed beside what a user would pick instead, by turns within one run.

    python benchmarks/speed/run.py --data DIR [--jobs training predict] [--backends torch]

Every side of a job is a process of its own: this package on each backend, transformers on PyTorch,
KerasHub on the same backends, the bare matrix products of the model. They take rounds by turns (A B
C A B C …); a side's speed is its median over the rounds, and what counts is the ratio to another.
Prints markdown tables; `--results` keeps every round as JSON lines.

With `--environments DIR` this package and transformers run in environments of their own, which
`environments.py` makes: memory hangs on what else is installed. Other sides stay in this one.

Where a GPU is, `--jobs gpu_training` trains Base and Large on it in bfloat16. With `--peak`, what
its data sheet promises in 10¹² operations a second, the table has the share of that which is used.
"""

import argparse
import datetime
import functools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import environments
import sizes

HERE = Path(__file__).parent
BACKENDS = ("torch", "jax", "tensorflow")
DENSE = sizes.DENSE

# A side: the module, and the job in it where that has another name. Keras sides run a backend each.
OURS, HUB, OURS_ON_GPU = "ours", "keras_hub_peer", "gpu:ours"
TRANSFORMERS, MATMUL = "transformers_peer", "matmul_peer"
SERVED = "keras_bert_zoo, a SavedModel"
JOBS = {
    # job: (sizes or sets, sides of Keras, other sides)
    "inference": (DENSE, (OURS, HUB), {"transformers": TRANSFORMERS, "matrix products": MATMUL}),
    "training": (DENSE, (OURS, HUB), {"transformers": TRANSFORMERS, "matrix products": MATMUL}),
    "memory": (
        ("minilm",),
        (OURS, f"{OURS}:memory_with_remat"),
        {"transformers": TRANSFORMERS, "transformers, remat": f"{TRANSFORMERS}:memory_with_remat"},
    ),
    "pretraining": (("small",), (OURS,), {"transformers": TRANSFORMERS}),
    "predict": (("sst2", "mrpc", "squad", "imdb"), (OURS, HUB), {"transformers": TRANSFORMERS}),
    # Without KerasHub: rows of 512, its default, take more memory than there is.
    "fine_tuning": (("sst2",), (OURS,), {"transformers": TRANSFORMERS}),
    "embedding": (
        ("sst2",),
        (OURS,),
        {
            "sentence-transformers": "embedding_peers:sentence_transformers",
            "ONNX Runtime, sorted": "embedding_peers:onnx_runtime",
        },
    ),
    "tokenization": (("sst2", "imdb"), (OURS, HUB), {"transformers": TRANSFORMERS}),
    # Requests to a SavedModel, of one text and of 32.
    "one_request": (("sst2",), (), {"transformers": TRANSFORMERS, SERVED: OURS}),
    "serving": (("sst2",), (), {"transformers": TRANSFORMERS, SERVED: OURS}),
    "loading": (
        ("base",),
        (OURS, f"{OURS}:loading_own_files"),
        {"transformers": TRANSFORMERS},
    ),
    "gpu_training": (
        tuple(sizes.ON_GPU),
        (OURS_ON_GPU,),
        {"transformers, compiled": "gpu:transformers", "matrix products": "gpu:matrix_products"},
    ),
}
ON_CPUS = [job for job in JOBS if job != "gpu_training"]
NAMES = {
    OURS: "keras_bert_zoo",
    OURS_ON_GPU: "keras_bert_zoo",
    f"{OURS}:memory_with_remat": "keras_bert_zoo, remat",
    f"{OURS}:loading_own_files": "keras_bert_zoo, its own files",
    HUB: "KerasHub",
}


class Side:
    """A worker process.

    Args:
        name: str. For the table.
        module: str. `module` or `module:job`.
        job, what: as `worker.py` takes them.
        backend: str or None. Of Keras.
        arguments: what `parse` gives: the data, the cores, the environments.
    """

    def __init__(self, name, module, job, what, backend, arguments):
        self.name = name
        owners = {OURS: backend, OURS_ON_GPU: backend}
        owners |= dict.fromkeys([TRANSFORMERS, "gpu:transformers"], environments.TRANSFORMERS)
        own = owners.get(module) or owners.get(module.partition(":")[0])
        module, _, other = module.partition(":")
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
        # The sides share a GPU: none may take all of its memory.
        environment |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "0", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), str(HERE)])
        if backend is not None:
            environment["KERAS_BACKEND"] = backend
        python = environments.python_of(arguments.environments, own) if own else sys.executable
        cores = arguments.cores
        self.process = subprocess.Popen(
            [python, HERE / "worker.py", module, other or job, what, str(arguments.data)],
            env=environment,
            # The libraries choose as many threads as there are cores.
            preexec_fn=cores and functools.partial(os.sched_setaffinity, 0, cores),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.rounds = []

    def wait(self):
        """Whether it came to be ready."""
        return self.process.stdout.readline().strip() == "ready"

    def round(self):
        """Runs and keeps one round."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} has stopped.")
        self.rounds.append(json.loads(answer))

    def close(self):
        self.process.kill()
        self.process.wait()

    @property
    def speed(self):
        """Units a second, the median round."""
        return statistics.median(one["units"] / one["seconds"] for one in self.rounds)

    @property
    def peak(self):
        return max(one["peak_mib"] for one in self.rounds)


def sides_of(job, what, arguments):
    """The sides of a job, each begun and warm, one after the other."""
    _, of_keras, others = JOBS[job]
    wanted = [
        (name, module, "tensorflow" if name == SERVED else None) for name, module in others.items()
    ]
    wanted += [
        (f"{NAMES[module]}, {backend}", module, backend)
        for backend in arguments.backends
        for module in of_keras
        if module != HUB or not arguments.without_keras_hub
    ]
    sides = []
    for name, module, backend in wanted:
        side = Side(name, module, job, what, backend, arguments)
        if side.wait():
            sides.append(side)
        else:
            print(f"left out: {name}, which did not start", flush=True)
    return sides


def measure(job, what, arguments):
    """Runs one job; prints its table."""
    sides = sides_of(job, what, arguments)
    try:
        for _ in range(arguments.rounds):
            for side in sides:
                side.round()
    finally:
        for side in sides:
            side.close()
    peers = [side for side in sides if not side.name.startswith(NAMES[OURS])]
    print(f"\n{job}, {what}; {arguments.rounds} rounds\n")
    of_peak = job == "gpu_training" and arguments.peak is not None
    heads = ["side", "a second", "peak, MiB", *(f"of {peer.name}" for peer in peers)]
    heads += ["of the device's peak"] * of_peak
    print("|", " | ".join(heads), "|")
    print("|---|" + "---:|" * (len(heads) - 1))
    for side in sides:
        ratios = [f"{side.speed / peer.speed:.2f}" for peer in peers]
        used = [f"{used_of_peak(side.speed, what, arguments.peak):.1%}"] if of_peak else []
        cells = [side.name, f"{side.speed:.1f}", f"{side.peak:.0f}", *ratios, *used]
        print("|", " | ".join(cells), "|")
    sys.stdout.flush()
    if arguments.results:
        with arguments.results.open("a") as file:
            for side in sides:
                row = {
                    "day": datetime.date.today().isoformat(),
                    "job": job,
                    "what": what,
                    "side": side.name,
                    "rounds": side.rounds,
                }
                file.write(json.dumps(row) + "\n")


def used_of_peak(speed, what, peak):
    """The share of a device's peak that products of training use: model-FLOPs utilisation.

    What counts is what our classifier multiplies. Transformers computes the last block of every
    token, a fifteenth more of Base, which is not counted as its work.

    Args:
        speed: float. Rows a second.
        what: str. A key of `sizes.ON_GPU`.
        peak: float. 10¹² operations a second.
    """
    size, rows, length = sizes.ON_GPU[what]
    shapes = sizes.product_shapes(size, rows, length, pooled=True)
    # As much again for the inputs' gradients, and for the weights'.
    return 3 * sizes.operations(shapes) / rows * speed / (peak * 1e12)


def main(arguments):
    for job in arguments.jobs:
        for what in JOBS[job][0]:
            if arguments.only is None or what in arguments.only:
                measure(job, what, arguments)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the sets")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=ON_CPUS)
    parser.add_argument("--only", nargs="+", help="some of the sizes or sets")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--without-keras-hub", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--environments", type=Path, help="one a side; else this one for all")
    parser.add_argument("--cores", type=int, nargs="+", help="numbers of those to use")
    parser.add_argument(
        "--peak", type=float, help="of the GPU in bfloat16, 10¹² operations a second"
    )
    parser.add_argument("--results", type=Path, help="a file of JSON lines that is added to")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
