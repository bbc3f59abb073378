"""What pre-training gives: presets beside the same architecture and tokenizer with random weights.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python benchmarks/transfer.py --data ../shared/data
    python benchmarks/transfer.py --table

Each set is learnt from 100 %, 10 % and 1 % of its training part, by the whole model (fine-tuned)
and by the head alone (frozen), from the preset and from random weights. Each run appends a line to
`--results`; what is there already is not run again. Two processes may share the file if `--only`
gives them different sets.

Both starts get one recipe: AdamW, warm-up over a tenth of the steps, linear decay, clipping,
dropout 0.1, and the same steps: batches of 32 (16 at 1 % and for the head alone), a set's own
epochs (the head alone: one), and more where those are fewer than MIN_STEPS steps. The learning rate
is each start's own: of three that span a factor of 10, under MODES, the one with the best dev score
at seed 0, for each set, share and way of training; at 100 % that of 10 % is taken. (They were tried
on 1 % of EWT from random weights. Fine-tuned with 1e-3, 3e-3 and 1e-2 it knows 99 to 100 % of its
training words, and scores 64.7, 62.5 and 62.5 on dev; the head alone, with 3e-3, 1e-2, 3e-2 and
0.1: 48.9, 51.6, 52.7 and 52.6, and in four times the steps 52.7.) The tables name the rates taken,
and how well each start came to know its training part: at 100 % it is a comparison at equal steps,
not of what random weights might come to in the end.

A seed fixes the part of the labels, the head's first weights, the order and the dropout for both
starts, and the random weights; so differences are paired. There are 5 seeds, 3 at 100 %. The
intervals are about seeds: all runs of a set meet the same test part. Of 30 intervals of 95 % one or
two may well miss the truth.

Scores are on the test part, or on dev where test has no labels (SST-2, CLUENER); the dev part is a
piece of train there. (In SST-2 that piece holds phrases of sentences that are trained on.) SST-2
is cut to 12,000 of its 67,349 training phrases, CLUENER to 10,000 of 10,748 sentences, reviews of
ChnSentiCorp to their first 64 tokens; the sizes of all parts are under JOBS.
"""

import argparse
import dataclasses
import functools
import itertools
import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import finetune_sets as sets
import keras
import numpy as np
from finetune_jobs import KINDS, accuracy, entity_f1, word_accuracy
from transfer_results import (
    KEYS,
    STARTS,
    append_result,
    chosen_rate,
    print_table,
    read_results,
)

import keras_bert_zoo as kbz

# Way of training -> what of the backbone is frozen, and the learning rates to choose from.
MODES = {
    "fine-tuned": ("nothing", (3e-4, 1e-3, 3e-3)),
    "frozen": ("backbone", (3e-3, 1e-2, 3e-2)),
}
# Share of the training part -> seeds, and the share whose choice of a rate is taken.
SHARES = {0.01: (5, 0.01), 0.1: (5, 0.1), 1.0: (3, 0.1)}
MIN_STEPS = 250
# When the dev score is taken while all of a set is fine-tuned, as shares of the steps.
MOMENTS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1)


@dataclasses.dataclass(frozen=True)
class Job:
    """One set: how it is read and measured, and its sizes in sentences: train, dev, test.

    `read` gives these three parts, or with `cut_dev` two, of which the first is cut.
    """

    language: str
    kind: str
    folder: str
    read: Callable
    metric: str
    measure: Callable
    sizes: tuple
    epochs: int
    max_length: int = 128
    cut_dev: bool = False


_SPLITS = ("train", "dev", "test")

JOBS = {
    "EWT": Job(
        "english", "tags", "token/ud_english_ewt",
        functools.partial(sets.of_words, splits=_SPLITS, label_column=1),
        "POS accuracy", word_accuracy, (12544, 600, 1000), 3,
    ),
    "BTC": Job(
        "english", "tags", "token/btc", functools.partial(sets.of_words, splits=_SPLITS),
        "entity F1", entity_f1, (7478, 600, 930), 4,
    ),
    "SST-2": Job(
        "english", "classes", "classify/sst2",
        functools.partial(
            sets.of_classes, files=("train.tsv.gz", "dev.tsv.gz"), text="sentence"
        ),
        "accuracy", accuracy, (12000, 600, 872), 2, max_length=64, cut_dev=True,
    ),
    "CLUENER": Job(
        "chinese", "tags", "token/cluener2020", sets.of_character_spans,
        "entity F1", entity_f1, (10000, 600, 1000), 3, cut_dev=True,
    ),
    "ChnSentiCorp": Job(
        "chinese", "classes", "classify/chnsenticorp",
        functools.partial(sets.of_classes, files=[f"{split}.tsv.gz" for split in _SPLITS]),
        "accuracy", accuracy, (9600, 600, 1200), 2, max_length=64,
    ),
}  # fmt: skip


def read(job, data):
    """The training, dev and test part of a set, each `(x, y)`, and the names of its classes."""
    train, dev, test = job.sizes
    sizes = (train + dev, test) if job.cut_dev else job.sizes
    *parts, labels = job.read(data / job.folder, sizes=sizes)
    if job.cut_dev:
        (x, y), tested = parts
        parts = (x[:train], y[:train]), (x[train:], y[train:]), tested
    return *parts, labels


def some(examples, share, seed):
    """A random share of examples `(x, y)`; a smaller share lies within a larger one."""
    x, y = examples
    order = random.Random(seed).sample(range(len(y)), len(y))[: round(share * len(y))]
    return [x[i] for i in order], [y[i] for i in order]


def build(job, labels, source, start, frozen, seed):
    """The untrained task; its head's weights depend on the seed alone."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    kind = KINDS[job.kind]
    task = kind.task.from_preset(
        source,
        load_weights=start == "pre-trained",
        max_length=job.max_length,
        frozen=frozen,
        **kind.settings(labels),
    )
    kernel = task.get_layer(task.head_groups[0]).kernel
    scale = task.config.initializer_range
    kernel.assign(np.random.default_rng(seed).normal(scale=scale, size=kernel.shape))
    return task


class Curve(keras.callbacks.Callback):
    """Notes a score after given numbers of steps, as `[steps, score]`."""

    def __init__(self, moments, score):
        super().__init__()
        self.moments, self.score = moments, score
        self.step, self.points = 0, []

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step in self.moments:
            self.points.append([self.step, round(self.score(), 3)])


def run(job, parts, source, share, mode, start, rate, seed):
    """Trains and scores one model.

    Returns:
        dict. Scores in points, `seconds` of this process's own time (one core).
    """
    started = time.process_time()
    train, dev, test, labels = parts
    x, y = some(train, share, seed)
    batch_size = 32 if mode == "fine-tuned" and share > 0.01 else 16
    steps_per_epoch = -(-len(y) // batch_size)
    own_epochs = job.epochs if mode == "fine-tuned" else 1
    epochs = max(own_epochs, math.ceil(MIN_STEPS / steps_per_epoch))
    steps = epochs * steps_per_epoch
    task = build(job, labels, source, start, MODES[mode][0], seed)

    def score(part):
        return job.measure(part[1], KINDS[job.kind].predict(task, part[0]), labels)

    watched = share == 1 and mode == "fine-tuned"
    moments = {math.ceil(moment * steps) for moment in MOMENTS} if watched else ()
    curve = Curve(moments, lambda: score(dev))
    task.compile(optimizer=kbz.create_optimizer(rate, steps))
    # Building drew different numbers for the two starts; order and dropout shall be the same.
    keras.utils.set_random_seed(seed)
    history = task.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[curve])
    return {
        "metric": job.metric,
        "examples": len(y),
        "epochs": epochs,
        "steps": steps,
        "train_accuracy": round(100 * history.history["accuracy"][-1], 3),
        "dev": round(score(dev), 3) if seed == 0 else None,
        "test": round(score(test), 3),
        "curve": curve.points,
        "seconds": round(time.process_time() - started, 1),
        "backend": keras.backend.backend(),
    }


def rate_of(done, cell):
    """The learning rate of `(source, set, share, mode, start)`; None if it is not chosen yet."""
    source, name, share, mode, start = cell
    decided_at = (source, name, SHARES[share][1], mode, start)
    return chosen_rate(done, decided_at, MODES[mode][1])


def cells(names, sources, shares):
    """Every `(source, set, share, mode)`, with a source's last name."""
    for name in names:
        source = sources[JOBS[name].language].rstrip("/").rpartition("/")[2]
        for share in shares:
            for mode in MODES:
                yield source, name, share, mode


def runs(done, cell, seeds):
    """Pairs of a rate and a seed: first those that choose the rate, then the chosen one's."""
    _, _, share, mode, _ = cell
    usual, decided_at = SHARES[share]
    if share == decided_at:
        yield from ((rate, 0) for rate in MODES[mode][1])
    rate = rate_of(done, cell)
    yield from ((rate, seed) for seed in range(seeds or usual))


def main(arguments):
    sources = {"english": arguments.english, "chinese": arguments.chinese}
    done = read_results(arguments.results)
    read_once = functools.cache(lambda name: read(JOBS[name], arguments.data))
    wanted = cells(arguments.only or JOBS, sources, arguments.shares)
    cells_of_starts = itertools.product(wanted, STARTS)
    for (label, name, share, mode), start in cells_of_starts:
        job = JOBS[name]
        cell = (label, name, share, mode, start)
        for rate, seed in runs(done, cell, arguments.seeds):
            key = (*cell, rate, seed)
            if key in done:
                continue
            parts, source = read_once(name), sources[job.language]
            found = run(job, parts, source, share, mode, start, rate, seed)
            done[key] = dict(zip(KEYS, key, strict=True)) | found
            append_result(arguments.results, done[key])
            print(done[key], flush=True)


RESULTS = Path(__file__).with_name("transfer_results.jsonl")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of the sets")
    parser.add_argument("--english", default="bert_tiny_en_wiki", help="a preset or a folder")
    parser.add_argument("--chinese", default="bert_tiny_zh_wiki", help="a preset or a folder")
    parser.add_argument("--only", nargs="+", choices=JOBS, help="some of the sets")
    parser.add_argument(
        "--shares",
        nargs="+",
        type=float,
        choices=SHARES,
        default=list(SHARES),
        help="some of the shares; 1 takes the rates that 0.1 chose",
    )
    parser.add_argument("--seeds", type=int, help="for every share; by default 5, and 3 at 100 %%")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the results so far")
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    if given.table:
        chosen = {"english": given.english, "chinese": given.chinese}
        print_table(
            read_results(given.results),
            list(cells(given.only or JOBS, chosen, given.shares)),
            rate_of,
        )
    else:
        main(given)
