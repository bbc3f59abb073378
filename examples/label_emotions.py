"""Fine-tunes a classifier that gives a message any number of labels.

    python examples/label_emotions.py [--small]
    python examples/label_emotions.py --data train.tsv test.tsv

`examples/data/messages.tsv` holds 126 short messages written for this project, each with one to
three of six feelings. With `--data`, two tables with the columns `text` and `labels` (names with
commas between them), as GoEmotions can be had. Beside the fine-tuned model stands the answer that
is best without reading: to give every message every label.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from checkpoint import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats
from keras_bert_zoo.metrics.glue import f1

MESSAGES = Path(__file__).parent / "data" / "messages.tsv"
NEW_LINES = [
    "You carried my bags up five floors, you hero. Thank you!",
    "There's water coming through the ceiling and I'm all alone here.",
    "I can't believe they gave the prize to my little sister! I'm so proud!",
    "Fine. Keep the money. Just never call me again.",
]


def read_messages(arguments):
    """Train and test examples: lists of dicts of `text` and `labels`, a list of names."""
    columns = {"text": "text", "labels": "labels"}
    if arguments.data:
        splits = [list(formats.read_csv(p, delimiter="\t", **columns)) for p in arguments.data]
    else:
        rows = list(formats.read_csv(MESSAGES, delimiter="\t", split="split", **columns))
        splits = [[one for one in rows if one["split"] == split] for split in ("train", "test")]
    return [[{**one, "labels": one["labels"].split(",")} for one in split] for split in splits]


def table_of(label_sets, labels):
    """Label sets as 0 and 1, one row an example and one column a label."""
    return np.array([[label in some for label in labels] for some in label_sets]).astype(int)


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    train, test = read_messages(arguments)
    labels = sorted({label for one in train + test for label in one["labels"]})
    if arguments.small:
        train, test = train[:48], test[:24]
    texts, label_sets = formats.columns(train, "text", "labels")
    test_texts, test_sets = formats.columns(test, "text", "labels")
    print(f"backend {keras.backend.backend()}: {len(train)} to train on, {len(test)} to test")

    classifier = kbz.TextClassifier.from_preset(
        arguments.model or minilm_folder(),
        labels=labels,
        multi_label=True,
        # With few examples the probabilities stay low: name a label from 0.4 on.
        threshold=0.4,
        max_length=64,
    )
    steps = arguments.epochs * -(-len(texts) // 8)
    classifier.fit_bias(label_sets)
    classifier.compile(optimizer=kbz.create_optimizer(3e-4, steps))
    classifier.fit(texts, label_sets, batch_size=8, epochs=arguments.epochs, verbose=2)

    true = table_of(test_sets, labels)  # (N, C)
    found = table_of([one["labels"] for one in classifier.classify(test_texts)], labels)
    print("test F1")
    for label, wanted, got in zip(labels, true.T, found.T, strict=True):
        print(f"  {label:14} {f1(wanted, got):6.1%}")
    score, all_labels = f1(true.ravel(), found.ravel()), f1(true.ravel(), np.ones(true.size, int))
    print(f"  all decisions  {score:6.1%}   every label always {all_labels:6.1%}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "emotions"
    classifier.save_to_preset(folder)
    restored = kbz.TextClassifier.from_preset(folder)
    same = np.allclose(restored.predict(NEW_LINES), classifier.predict(NEW_LINES), atol=1e-5)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for line, found in zip(NEW_LINES, restored.classify(NEW_LINES), strict=True):
        print(f"  {line}  {', '.join(found['labels']) or '(none)'}")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"f1": score, "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data",
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="two tab-separated files with a header and the columns text and labels",
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
