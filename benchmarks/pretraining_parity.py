"""The rows of pre-training against those of Google's code.

Run as `python benchmarks/pretraining_parity.py --data DIR --google CLONE`, where CLONE is a copy of
google-research/bert. The same sentences, vocabulary and settings go through its
`create_training_instances` (in a process of its own; TensorFlow 1's names come from
`tensorflow.compat.v1`) and through `make_pretraining_data`. Rows are drawn at random, and two seeds
of Google's differ by more than 2 %: means over many seeds are compared. Prints one table a setting
with the difference, the standard error of that, and how far two seeds of Google's are apart; below
it, how many rows would have to change their bin for both sides to have the same histogram.
"""

import argparse
import concurrent.futures
import functools
import gzip
import importlib
import itertools
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import (
    PretrainingRecipe,
    make_pretraining_data,
    read_pretraining_data,
)
from keras_bert_zoo.data.pretraining.documents import read_documents
from keras_bert_zoo.data.pretraining.sentences import split_sentences

VOCABULARY = "bert-base-uncased"
MAX_LENGTH = 128
MOST_MASKS = 20
SHORT_SEQ_PROB = 0.1
MASK_RATE = 0.15
# Passes over the text, and whether whole words are masked.
SETTINGS = ((1, False), (1, True), (5, False), (5, True))
# The longest row of each bin of the histogram, and the bins of both segments.
BINS = (32, 64, 96, MAX_LENGTH - 1, MAX_LENGTH)
PAIR_BINS = [np.linspace(0, MAX_LENGTH, 9)] * 2
COLUMNS = (
    "statistic",
    "ours",
    "Google's",
    "difference, %",
    "its standard error",
    "two seeds of Google's, %",
)


class Statistics(NamedTuple):
    """Of the rows of a seed: numbers by name, and shares of rows by label and both lengths."""

    numbers: dict
    pairs: np.ndarray


class Row(NamedTuple):
    """A row of either side: `masked_ids` are the tokens that were hidden."""

    token_ids: np.ndarray
    first_length: int
    label: int
    positions: np.ndarray
    masked_ids: np.ndarray


def write_documents(path, documents, most_bytes=None):
    """Writes documents with blank lines between them, up to a size, and tells that size."""
    size = 0
    with open(path, "wb") as file:
        for document in documents:
            size += file.write("\n".join([*document, "", ""]).encode())
            if most_bytes is not None and size >= most_bytes:
                break
    return size


def write_vocabulary(data, name, path):
    path.write_bytes(gzip.decompress((data / "tokenizer" / name / "vocab.txt.gz").read_bytes()))


def print_row(*cells):
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


@functools.cache
def google_code(clone, vocabulary):
    """Google's module, and a tokenizer that remembers: each seed reads the same lines."""
    import tensorflow.compat.v1 as tensorflow_1

    sys.modules["tensorflow"] = tensorflow_1
    sys.path.insert(0, str(clone))
    code = importlib.import_module("create_pretraining_data")
    code.FLAGS([code.__file__])
    tokenizer = importlib.import_module("tokenization").FullTokenizer(str(vocabulary))
    tokenizer.tokenize = functools.cache(tokenizer.tokenize)
    return code, tokenizer


def google_token_ids(clone, vocabulary, lines):
    """The ids of lines by Google's tokenizer."""
    _, tokenizer = google_code(clone, vocabulary)
    return [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line)) for line in lines]


def google_statistics(clone, vocabulary, text, passes, whole_words, seed):
    """The statistics of Google's rows."""
    code, tokenizer = google_code(clone, vocabulary)
    code.FLAGS.do_whole_word_mask = whole_words
    instances = code.create_training_instances(
        [str(text)],
        tokenizer,
        MAX_LENGTH,
        passes,
        SHORT_SEQ_PROB,
        MASK_RATE,
        MOST_MASKS,
        code.random.Random(seed),
    )
    ids = tokenizer.convert_tokens_to_ids
    rows = [
        Row(
            np.array(ids(instance.tokens)),
            instance.segment_ids.count(0),
            int(instance.is_random_next),
            np.array(instance.masked_lm_positions),
            np.array(ids(instance.masked_lm_labels)),
        )
        for instance in instances
    ]
    return statistics_of(rows, tokenizer.vocab["[MASK]"])


def our_statistics(tokenizer, text, passes, whole_words, seed):
    """The statistics of our rows."""
    recipe = PretrainingRecipe(
        max_length=MAX_LENGTH,
        short_seq_prob=SHORT_SEQ_PROB,
        dupe_factor=passes,
        static_masks=True,
        mask_rate=MASK_RATE,
        mask_unit="word" if whole_words else "piece",
        max_predictions_per_seq=MOST_MASKS,
        split=False,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        make_pretraining_data([text], folder, tokenizer, recipe, processes=1, progress=False)
        rows = [
            Row(row.token_ids, row.first_length, row.label, row.mask_positions, row.mask_ids)
            for row in read_pretraining_data(folder).rows
        ]
        return statistics_of(rows, tokenizer.special_ids["mask"])


def statistics_of(rows, mask_id):
    """The Statistics of rows."""
    lengths = np.array([len(row.token_ids) for row in rows])
    firsts = np.array([row.first_length for row in rows]) - 2  # [CLS] and [SEP]
    seconds = lengths - 3 - firsts
    random_next = np.array([row.label for row in rows]) == 1
    became = np.concatenate([row.token_ids[row.positions] for row in rows])
    was = np.concatenate([row.masked_ids for row in rows])
    masked, kept = became == mask_id, became == was
    numbers = {
        "rows": len(rows),
        "tokens": lengths.sum(),
        "mean length": lengths.mean(),
        f"shorter than {MAX_LENGTH}, %": 100 * (lengths < MAX_LENGTH).mean(),
    }
    for low, high in itertools.pairwise((0, *BINS)):
        name = f"length {low + 1}-{high}, %" if high > low + 1 else f"length {high}, %"
        numbers[name] = 100 * ((lengths > low) & (lengths <= high)).mean()
    numbers |= {
        "random next, %": 100 * random_next.mean(),
        "mean length of the first segment": firsts.mean(),
        "mean length of the second segment": seconds.mean(),
        "the second's where it is the next": seconds[~random_next].mean(),
        "the second's where it is random": seconds[random_next].mean(),
        "second longer than first, %": 100 * (seconds > firsts).mean(),
        "masks a row": len(was) / len(rows),
        "became [MASK], %": 100 * masked.mean(),
        "became another token, %": 100 * (~masked & ~kept).mean(),
        "kept, %": 100 * (kept & ~masked).mean(),
    }
    counts = [
        np.histogram2d(firsts[part], seconds[part], PAIR_BINS)[0]
        for part in (random_next, ~random_next)
    ]
    return Statistics(numbers, np.array(counts) / len(rows))


def moved(some, others):
    """Which % of rows must change their bin to turn the mean histograms into each other.

    Args:
        some, others: lists of arrays of shares, one a seed.
    """
    return 50 * np.abs(np.mean(some, axis=0) - np.mean(others, axis=0)).sum()


def print_comparison(ours, theirs):
    """One markdown row a number, and what the histograms say.

    Args:
        ours, theirs: lists of Statistics, one a seed.
    """
    print_row(*COLUMNS)
    print("|---" * len(COLUMNS) + "|")
    for name in theirs[0].numbers:
        mine = np.array([found.numbers[name] for found in ours], float)
        google = np.array([found.numbers[name] for found in theirs], float)
        percent = 100 / google.mean()
        error = np.hypot(mine.std(ddof=1), google.std(ddof=1)) / len(google) ** 0.5
        digits = 0 if google.mean() > 999 else 2
        print_row(
            name,
            f"{mine.mean():,.{digits}f}",
            f"{google.mean():,.{digits}f}",
            f"{(mine.mean() - google.mean()) * percent:+.2f}",
            f"{error * percent:.2f}",
            f"{2**0.5 * google.std(ddof=1) * percent:.2f}",
        )
    mine, google = ([found.pairs for found in side] for side in (ours, theirs))
    print(
        f"\nIn other bins of label and both lengths: {moved(mine, google):.2f} % of the rows; "
        f"between the halves of Google's seeds {moved(google[::2], google[1::2]):.2f} %.\n"
    )


def compare(data, clone, documents, seeds):
    """Prints the tables of all settings."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ProcessPoolExecutor(1, context) as google,
    ):
        text, vocabulary = Path(folder) / "sentences.txt", Path(folder) / "vocab.txt"
        write_vocabulary(data, VOCABULARY, vocabulary)
        tokenizer = kbz.Tokenizer.from_vocabulary(vocabulary)
        corpus = read_documents([data / "pretrain/enwiki_2014/dev.txt.xz"])
        some = itertools.islice(corpus, documents)
        some = [[s for line in document for s in split_sentences(line)] for document in some]
        size = write_documents(text, some)
        lines = list(itertools.chain(*some))
        wanted = google.submit(google_token_ids, clone, vocabulary, lines).result()
        alike = sum(a == b for a, b in zip(tokenizer.tokenize(lines), wanted, strict=True))
        print(
            f"{len(some)} documents, {size / 1e6:.1f} MB, {sum(map(len, wanted)):,} tokens; "
            f"{alike:,} of {len(lines):,} sentences have Google's ids.\n"
        )
        for passes, whole_words in SETTINGS:
            began = time.perf_counter()
            ours, theirs = [], []
            count = max(2, seeds // passes)  # five passes say as much as five seeds
            for seed in range(count):
                setting = (text, passes, whole_words, seed)
                work = google.submit(google_statistics, clone, vocabulary, *setting)
                theirs.append(work.result())
                ours.append(our_statistics(tokenizer, *setting))
            unit = "whole words" if whole_words else "pieces"
            print(
                f"dupe_factor {passes}, {unit}; {count} seeds, "
                f"{time.perf_counter() - began:.0f} s\n"
            )
            print_comparison(ours, theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--google", type=Path, required=True, help="a copy of google-research/bert")
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=100, help="of each side, for a single pass")
    options = parser.parse_args()
    compare(options.data, options.google, options.documents, options.seeds)


if __name__ == "__main__":
    main()
