"""Fine-tunes a classifier on pairs: do two questions ask the same?

    python examples/judge_pairs.py [--small]
    python examples/judge_pairs.py --task mrpc --data folder-with-train.tsv-and-dev.tsv

`examples/data/questions_same.tsv` holds 200 pairs written for this project, half of which share
their words but not their meaning; they are scored as QQP is, by accuracy and F1. With `--data` the
files of a GLUE task are read as GLUE publishes them: for STS-B the model learns a number, for the
other tasks classes. Beside the fine-tuned model stands the most frequent class (or the mean).
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
from keras_bert_zoo.metrics.glue import glue_scores

QUESTIONS = Path(__file__).parent / "data" / "questions_same.tsv"
NEW_PAIRS = (
    ["How do I get to the airport by bus?", "Why is the sky blue?"],
    ["Which bus goes to the airport?", "Why is the sea blue?"],
)


def read_pairs(arguments):
    """The task's labels (None for a number), and train and test examples."""
    if arguments.data:
        task = formats.GLUE[arguments.task]
        splits = [read_split(arguments.data, arguments.task, split) for split in ("train", "dev")]
        return task.labels, *splits
    rows = list(
        formats.read_csv(
            QUESTIONS,
            delimiter="\t",
            split="split",
            text="first",
            text_pair="second",
            label="label",
        )
    )
    splits = [[row for row in rows if row["split"] == split] for split in ("train", "test")]
    return ("different", "same"), *splits


def read_split(folder, task, split):
    """The examples of one file; lines that do not fit, as in QQP, are left out and counted."""
    plain, packed = (Path(folder) / name for name in (f"{split}.tsv", f"{split}.tsv.gz"))
    path, skipped = packed if packed.exists() else plain, []
    examples = list(formats.read_glue(path, task, split, skipped=skipped))
    if skipped:
        print(f"left out {len(skipped)} of {len(skipped) + len(examples)} lines: {skipped[0]} …")
    return examples


def numbered(labels, answers):
    """Answers as class numbers, which the scores take; numbers stay as they are."""
    return answers if labels is None else [labels.index(answer) for answer in answers]


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    labels, train, test = read_pairs(arguments)
    if arguments.small:
        train, test = train[:48], test[:48]
    # SST-2 and CoLA have one text, all others two.
    text = ("text", "text_pair") if "text_pair" in train[0] else "text"
    texts, answers = formats.columns(train, text, "label")
    test_texts, test_answers = formats.columns(test, text, "label")
    print(f"backend {keras.backend.backend()}: {len(answers)} to train on, {len(test)} to test")

    judge = kbz.TextClassifier.from_preset(
        arguments.model or minilm_folder(),
        num_classes=1 if labels is None else None,
        labels=labels,
        max_length=128,
    )
    steps = arguments.epochs * -(-len(answers) // 16)
    judge.compile(optimizer=kbz.create_optimizer(1e-4, steps))
    judge.fit(texts, answers, batch_size=16, epochs=arguments.epochs, verbose=2)

    logits = judge.predict(test_texts)
    predicted = logits[:, 0] if labels is None else logits.argmax(-1)
    scores = glue_scores(arguments.task, numbered(labels, test_answers), predicted)
    print("test:", ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    if labels is not None:
        usual = max(set(answers), key=answers.count)
        print(f"always {usual!r}: accuracy {np.mean([one == usual for one in test_answers]):.3f}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "pairs"
    judge.save_to_preset(folder)
    restored = kbz.TextClassifier.from_preset(folder)
    new = NEW_PAIRS if isinstance(text, tuple) else NEW_PAIRS[0]
    same = np.allclose(restored.predict(new), judge.predict(new), atol=1e-5)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for first, second, found in zip(*NEW_PAIRS, restored.classify(new), strict=True):
        verdict = " ".join(str(value) for value in found.values())
        print(f"  {first}  {second if new is NEW_PAIRS else ''}  {verdict}")
    print(f"{time.perf_counter() - started:.0f} s")
    return {**scores, "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data", help="a folder with train.tsv and dev.tsv of a GLUE task, plain or .gz"
    )
    parser.add_argument("--task", choices=sorted(formats.GLUE), default="qqp")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
