"""Counts where the tokenizer inside an exported model differs from the eager one.

Run as `KERAS_BACKEND=tensorflow python benchmarks/graph_tokens.py --data DIR`, with the folders
that `tokenizer_parity.py` wants: its hard strings, its generated ones, and lines of real text, for
the vocabularies of three models. Compared are ids, and offsets in characters and in bytes. Prints
one markdown row a vocabulary; each difference goes to stderr, and the exit status is 1 where there
was one.
"""

import argparse
import gzip
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import tensorflow as tf
from tokenizer_parity import HARD_STRINGS, SETTINGS, draw_lines, generate, report

import keras_bert_zoo as kbz
from keras_bert_zoo.export.graph_tokenizer import GraphTokenizer

BATCH = 500


def open_both(data, name, lowercase, folder):
    """The eager tokenizer of a vocabulary, and the graph of it."""
    packed = data / "tokenizer" / name / "vocab.txt.gz"
    (folder / "vocab.txt").write_bytes(gzip.decompress(packed.read_bytes()))
    tokenizer = kbz.Tokenizer.from_preset(str(folder), lowercase=lowercase)
    graph = GraphTokenizer(tokenizer, folder / "graph.txt")
    text = tf.TensorSpec([None], tf.string)
    return tokenizer, tf.function(graph, autograph=False, input_signature=[text])


def compare(tokenizer, run, texts):
    """How many texts have other ids, and how many other offsets."""
    wrong_ids = wrong_places = 0
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        pieces = run(tf.constant(batch))
        columns = zip(
            pieces.ids.to_list(),
            *(pieces.starts.to_list(), pieces.ends.to_list()),
            *(pieces.byte_starts.to_list(), pieces.byte_ends.to_list()),
            strict=True,
        )
        wanted = zip(*tokenizer.tokenize_with_offsets(batch), strict=True)
        for text, (ids, places), (found, *found_places) in zip(batch, wanted, columns, strict=True):
            size = [0, *itertools.accumulate(len(c.encode()) for c in text)]
            rows = [[i, start, end, size[start], size[end]] for i, (start, end) in
                    zip(ids, places, strict=True)]  # fmt: skip
            got = [list(row) for row in zip(found, *found_places, strict=True)]
            if rows != got:
                wrong_ids += [row[0] for row in rows] != [row[0] for row in got]
                wrong_places += 1
                report("pieces", text, rows, got)
    return wrong_ids, wrong_places


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--generated", type=int, default=20_000)
    options = parser.parse_args()
    rng = random.Random(2)
    lines = draw_lines(options.data, options.lines, rng)
    hard = [entry["text"] for entry in json.loads(HARD_STRINGS.read_text(encoding="utf-8"))]
    print("| vocabulary | texts | characters | ids | offsets | s |", flush=True)
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    failures = 0
    for name, settings in SETTINGS:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tokenizer, run = open_both(options.data, name, settings["do_lower_case"], Path(folder))
            vocabulary = [tokenizer.id_to_token(i) for i in range(tokenizer.vocabulary_size)]
            texts = hard + generate(options.generated, vocabulary, rng) + lines
            wrong_ids, wrong_places = compare(tokenizer, run, texts)
        failures += wrong_places
        seconds = time.perf_counter() - began
        counts = len(texts), sum(map(len, texts)), wrong_ids, wrong_places
        print(f"| {name} | {' | '.join(map(str, counts))} | {seconds:.0f} |", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
