"""Size, speed and agreement of the exports of one model, in every format and precision.

Run as `KERAS_BACKEND=tensorflow python benchmarks/exports.py --data DIR`. MiniLM-L6 as a
`TextEmbedder` is exported to each; all of them, and the eager model, then answer the same requests
by turns: one text of 16 tokens, and 32 sentences. Time counts from the text on: formats that take
ids tokenize with the `tokenizer.json` that lies beside them. Agreement is with the model itself, on
500 sentences. Prints one markdown row an export; medians over the rounds.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tokenizers
from finetune_sets import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats
from keras_bert_zoo.export.formats import FORMATS
from keras_bert_zoo.export.self_check import open_export

LENGTH = 64
COLUMNS = (
    "format",
    "precision",
    "MB",
    "largest difference",
    "lowest cosine",
    "1 text of 16 tokens, ms",
    "against the eager call on ids",
    "32 sentences, ms",
    "against float32",
)


def size(folder):
    """Megabytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def from_texts(folder):
    """A function from texts to vectors."""
    run = open_export(folder)
    if (folder / "saved_model.pb").is_file():
        return lambda texts: run("serving_default", {"text": texts})["embedding"].numpy()
    engine = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    fixed = (folder / "model.tflite").is_file()
    if fixed:
        engine.enable_padding(length=LENGTH)
    else:
        engine.enable_padding()

    def answer(texts):
        found = engine.encode_batch(texts)
        rows = {
            "token_ids": np.array([row.ids for row in found], "int32"),
            "segment_ids": np.array([row.type_ids for row in found], "int32"),
            "padding_mask": np.array([row.attention_mask for row in found], "int32"),
        }
        parts = range(len(texts)) if fixed else [slice(None)]
        outputs = [
            run("tokens", {n: part[[i]] if fixed else part[i] for n, part in rows.items()})
            for i in parts
        ]
        return np.concatenate([output["embedding"] for output in outputs])

    return answer


def eager_on_ids(task, texts):
    """The model itself on ids that are there already: what the fastest export is measured by."""
    rows = {name: tf.constant(part) for name, part in task.preprocessor(texts).items()}
    return lambda _: task(rows, training=False).numpy()


def milliseconds(run, texts):
    began = time.perf_counter()
    run(texts)
    return 1e3 * (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    rows = formats.read_csv(
        options.data / "classify" / "sst2" / "dev.tsv.gz", delimiter="\t", x="sentence"
    )
    texts = [row["x"] for row in rows][:500]
    task = kbz.TextEmbedder.from_preset(minilm_folder(), max_length=LENGTH)
    lengths = [len(ids) + 2 for ids in task.preprocessor.tokenizer.tokenize(texts)]
    requests = [texts[lengths.index(16)]], texts[:32]
    wanted = task.embed(texts)

    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, form in FORMATS.items():
            for dtype in (None, *form.dtypes):
                made = Path(folder) / name / str(dtype)
                sizes = {"length": LENGTH} if name == "litert" else {}
                try:
                    task.export(made, format=name, dtype=dtype, **sizes)
                except ImportError as error:
                    print(f"{name}: {error}")
                    break
                found[name, dtype or "float32"] = made
        runs = {kind: from_texts(made) for kind, made in found.items()}
        print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
        taken = {}
        for request in requests:
            sides = {("eager", "ids"): eager_on_ids(task, request), **runs}
            times = {kind: [] for kind in sides}
            for i in range(options.rounds + 3):
                for kind, run in sides.items():
                    duration = milliseconds(run, request)
                    if i >= 3:
                        times[kind].append(duration)
            taken[len(request)] = {k: statistics.median(several) for k, several in times.items()}
        one, many = taken.values()
        for kind, run in runs.items():
            vectors = np.concatenate([run(texts[i : i + 50]) for i in range(0, len(texts), 50)])
            cosine = (vectors * wanted).sum(1) / np.linalg.norm(vectors, axis=1)
            print(
                f"| {kind[0]} | {kind[1]} | {size(found[kind]):.1f} | "
                f"{np.abs(vectors - wanted).max():.1e} | {cosine.min():.4f} | {one[kind]:.1f} | "
                f"{one[kind] / one['eager', 'ids']:.2f} | {many[kind]:.0f} | "
                f"{many[kind] / many[kind[0], 'float32']:.2f} |",
                flush=True,
            )
        print(f"eager on ids: {one['eager', 'ids']:.1f} and {many['eager', 'ids']:.0f} ms")


if __name__ == "__main__":
    main()
