"""Fine-tunes a model that tells whether one sentence follows another.

    python examples/predict_next_sentence.py [--small]
    python examples/predict_next_sentence.py --data documents.txt

`examples/data/follow_ups.txt` holds 60 short documents written for this project, one sentence a
line, with a blank line after each. Half of the pairs are neighbours in a document; in the other
half the second sentence comes from another one, as in BERT's own pre-training. The last quarter of
the documents is for the test.
"""

import argparse
import itertools
import random
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from checkpoint import minilm_folder

import keras_bert_zoo as kbz

FOLLOW_UPS = Path(__file__).parent / "data" / "follow_ups.txt"
NEW_PAIRS = (
    ["The baker burned the first batch of rolls.", "The baker burned the first batch of rolls."],
    ["He opened the window and began again.", "Its moons are named after sailors."],
)


def read_documents(path):
    """Documents as lists of sentences."""
    blocks = Path(path).read_text(encoding="utf-8").split("\n\n")
    return [block.strip().split("\n") for block in blocks if block.strip()]


def pairs_of(documents, seed):
    """Each two neighbours once as they are, and once with a sentence of another document."""
    draw = random.Random(seed)
    firsts, seconds, follows = [], [], []
    for number, document in enumerate(documents):
        for first, second in itertools.pairwise(document):
            other = draw.choice([i for i in range(len(documents)) if i != number])
            firsts += [first, first]
            seconds += [second, draw.choice(documents[other])]
            follows += [True, False]
    return (firsts, seconds), follows


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    documents = read_documents(arguments.data)
    if arguments.small:
        documents = documents[:16]
    share = 3 * len(documents) // 4
    train = pairs_of(documents[:share], arguments.seed)
    test = pairs_of(documents[share:], arguments.seed)
    print(f"backend {keras.backend.backend()}: {len(train[1])} to train on, {len(test[1])} to test")

    predictor = kbz.NextSentencePredictor.from_preset(
        arguments.model or minilm_folder(), max_length=64
    )
    steps = arguments.epochs * -(-len(train[1]) // 16)
    predictor.compile(optimizer=kbz.create_optimizer(1e-4, steps))
    predictor.fit(*train, batch_size=16, epochs=arguments.epochs, verbose=2)
    score = predictor.evaluate(*test, verbose=0, return_dict=True)["accuracy"]
    print(f"test accuracy {score:.1%}, by chance 50.0%")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "next_sentence"
    predictor.save_to_preset(folder)
    restored = kbz.NextSentencePredictor.from_preset(folder)
    same = np.allclose(restored.predict(NEW_PAIRS), predictor.predict(NEW_PAIRS), atol=1e-5)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for first, second, found in zip(*NEW_PAIRS, restored.follows(*NEW_PAIRS), strict=True):
        verdict = "follows" if found["is_next"] else "does not follow"
        print(f"  {first} {second}  {verdict} ({found['score']:.2f})")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"accuracy": score, "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data", default=FOLLOW_UPS, help="a text file: a sentence a line, blank between documents"
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
