"""Goes on pre-training a model on the texts of one domain, and shows what that is worth.

    python examples/further_pretraining.py [--epochs 20] [--seeds 3] [--data train.tsv test.tsv]

The masked language model of a preset learns the reviews of `examples/data/reviews.tsv`, without
their labels. Told are its loss on reviews that it has not seen, before and after, and the accuracy
of classifiers that are fine-tuned from both with a tenth of the labels.
"""

import argparse
import csv
import gzip
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from checkpoint import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import PretrainingBatches, PretrainingRecipe

DATA = Path(__file__).parent / "data" / "reviews.tsv"
PARTS = ("train", "test")


def read_parts(paths):
    """The `(texts, labels)` of training and of test.

    Args:
        paths: list of one Path, whose column `split` tells the parts, or of two.

    Raises:
        ValueError: there are more files, a column is missing, or a part has no row.
    """
    if len(paths) > 2:
        raise ValueError(f"Pass one file with both parts, or two; got {len(paths)} files.")
    if len(paths) == 2:
        rows_of = dict(zip(PARTS, map(read_rows, paths), strict=True))
    else:
        rows = read_rows(paths[0], "split")
        rows_of = {part: [row for row in rows if row["split"] == part] for part in PARTS}
    names = ", ".join(map(str, paths))
    for part, rows in rows_of.items():
        if not rows:
            raise ValueError(f"There is no row of {part} in {names}.")
    return [
        ([row.get("text", row.get("sentence")) for row in rows], [row["label"] for row in rows])
        for rows in rows_of.values()
    ]


def read_rows(path, *columns):
    """The rows of a table, dicts that have a text, a label and the named columns."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = reader.fieldnames or []
        text = "sentence" if "sentence" in found else "text"
        for column in (text, "label", *columns):
            if column not in found:
                has = ", ".join(found) or "no header"
                raise ValueError(f"{path} has no column {column}; it has {has}.")
        return list(reader)


def batches(texts, tokenizer, **settings):
    """Batches of single texts, of which whole words are hidden."""
    recipe = PretrainingRecipe(max_length=64, pairs="none", mask_unit="word")
    return PretrainingBatches.from_documents(
        [[text] for text in texts], tokenizer, recipe, batch_size=32, **settings
    )


def accuracy(model, train, test, seeds):
    """The mean accuracy of classifiers that learn from a tenth of the labels."""
    scores = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        chosen = np.random.default_rng(seed).permutation(len(train[0]))[: len(train[0]) // 10]
        texts, labels = ([part[i] for i in chosen] for part in train)
        classifier = kbz.TextClassifier.from_preset(
            model, labels=sorted(set(train[1])), max_length=64
        )
        classifier.compile(kbz.create_optimizer(5e-4, 15 * -(-len(texts) // 16)))
        classifier.fit(texts, labels, batch_size=16, epochs=15, verbose=0)
        scores.append(classifier.evaluate(*test, verbose=0, return_dict=True)["accuracy"])
    return np.mean(scores)


def main(arguments):
    started = time.perf_counter()
    train, test = read_parts(arguments.data)
    if arguments.small:
        train, test = ([part[:96] for part in split] for split in (train, test))
    keras.utils.set_random_seed(1)
    source = arguments.model or minilm_folder()
    model = kbz.Pretrainer.from_preset(source, sentence_pairs=False, max_length=64)
    tokenizer = model.preprocessor.tokenizer
    learned, unseen = batches(train[0], tokenizer), batches(test[0], tokenizer, shuffle=False)
    before = model.evaluate(unseen, verbose=0, return_dict=True)["loss"]
    model.compile(kbz.create_optimizer(5e-4, arguments.epochs * len(learned)))
    model.fit(learned, epochs=arguments.epochs, verbose=0)
    after = model.evaluate(unseen, verbose=0, return_dict=True)["loss"]
    print(f"backend {keras.backend.backend()}: {len(train[0])} texts, {arguments.epochs} epochs")
    print(f"masked-word loss on {len(test[0])} unseen texts: {before:.2f}, then {after:.2f}")
    folder = arguments.save or Path(tempfile.mkdtemp()) / "further"
    model.save_to_preset(folder)
    scores = [accuracy(start, train, test, arguments.seeds) for start in (source, folder)]
    print(f"test accuracy from a tenth of the labels, mean of {arguments.seeds} seeds")
    print(f"  from the preset           {scores[0]:6.1%}")
    print(f"  from further pre-training {scores[1]:6.1%}")
    print(f"saved to {folder}; {time.perf_counter() - started:.0f} s")
    return before - after


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument("--data", type=Path, nargs="+", default=[DATA], help="text and label, .tsv")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the pre-trained model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
