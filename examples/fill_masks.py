"""Trains a masked language model on a few texts: words for gaps, and how likely a text is.

    python examples/fill_masks.py [--small]
    python examples/fill_masks.py --model bert_base_en_uncased --data lines.txt --epochs 2

Checkpoints of BERT itself bring a head for this. MiniLM-L6, the default here because it needs no
network, brings none: its encoder was trained to embed texts, the head starts from new weights, and
a few minutes on the project's small texts make no good language model. What you see here is the
way to do it. `--data` takes any text file, of which the last tenth of the lines is held back.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from checkpoint import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats

DATA = Path(__file__).parent / "data"
GAPS = ["The [MASK] leaves from the pier at noon.", "The shop is [MASK] on [MASK]."]
# The better one first.
WORDINGS = [
    ("We met a tall man.", "We met a long man."),
    ("She drinks strong tea.", "She drinks powerful tea."),
    ("There was heavy rain at night.", "There was strict rain at night."),
    ("He made a mistake.", "He built a mistake."),
    ("They took the early train.", "They took the premature train."),
    ("The shop is open on Monday.", "The shop is open in Monday."),
    ("I am interested in birds.", "I am interested on birds."),
    ("The room was very clean.", "The room was very cleanly."),
]
# A misspelt word falls into more pieces, each of which costs.
SPELLINGS = [
    ("The weather was good.", "The weater was good."),
    ("We will be back tomorrow.", "We will be back tommorow."),
    ("The house has two doors.", "The huose has two doors."),
    ("They received the letter.", "They recieved the letter."),
    ("I want to go there because I like it.", "I want to go there becuase I like it."),
    ("The two brothers live on an island.", "The two borthers live on an island."),
]
ONE_GAP, TARGETS = "We slept badly and left early in the [MASK].", ["morning", "evening", "town"]


def read_texts(path):
    """Texts to train on, and texts held back."""
    if path:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.strip()]
        kept = len(lines) - len(lines) // 10
        return lines[:kept], lines[kept:]
    passages = list(formats.read_jsonl(DATA / "handbook_en.jsonl"))
    reviews = list(formats.read_csv(DATA / "reviews.tsv", delimiter="\t"))
    train = [one["text"] for one in passages + reviews if one["split"] == "train"]
    return train, [one["text"] for one in passages if one["split"] == "held_back"]


def with_two_words_swapped(sentence, draw):
    """The sentence with two neighbouring words in each other's place."""
    words = sentence.split(" ")
    place = draw.randrange(len(words) - 1)
    words[place : place + 2] = reversed(words[place : place + 2])
    return " ".join(words)


def share_preferred(model, better, worse):
    """How often the better text of a pair scores higher."""
    return float(np.mean(model.score(better) > model.score(worse)))


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    train, test = read_texts(arguments.data)
    if arguments.small:
        train, test = train[:32], test[:8]
    print(f"backend {keras.backend.backend()}: {len(train)} to train on, {len(test)} held back")

    model = kbz.MaskedLM.from_preset(arguments.model or minilm_folder(), max_length=128)
    new = [path for path in model.transfer_report.newly_initialised if "masked_lm" in path]
    print("the head is new" if new else "the head comes from the checkpoint")
    before = model.evaluate(test, verbose=0, return_dict=True)
    steps = arguments.epochs * -(-len(train) // 16)
    model.compile(optimizer=kbz.create_optimizer(5e-4, steps))
    model.fit(train, batch_size=16, epochs=arguments.epochs, verbose=2)
    after = model.evaluate(test, verbose=0, return_dict=True)
    print("hidden tokens of held-back texts   right    loss")
    for name, row in (("before", before), ("after", after)):
        print(f"  {name:32} {row['accuracy']:6.1%} {row['loss']:7.2f}")

    draw = random.Random(arguments.seed)
    sentences = [text.split(". ")[0] for text in test][:20]
    swapped = [with_two_words_swapped(sentence, draw) for sentence in sentences]
    contrasts = {
        "with two words swapped": (sentences, swapped),
        "in an unnatural wording": zip(*WORDINGS, strict=True),
        "with a spelling mistake": zip(*SPELLINGS, strict=True),
    }
    preferred = {}
    print("sentences that score higher than")
    for name, pair in contrasts.items():
        better, worse = map(list, pair)
        preferred[name] = share_preferred(model, better, worse)
        print(f"  {name:32} {preferred[name]:6.0%}\n    {better[0]}\n    {worse[0]}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "masked_lm"
    model.save_to_preset(folder)
    restored = kbz.MaskedLM.from_preset(folder)
    same = bool(np.allclose(restored.score(sentences), model.score(sentences), rtol=1e-5))
    print(f"saved to {folder}, reloaded; the same scores: {same}")
    for gap, guesses in zip(GAPS, restored.fill_mask(GAPS, top_k=3), strict=True):
        several = guesses if isinstance(guesses[0], list) else [guesses]
        words = "; ".join(", ".join(guess["token"] for guess in one) for one in several)
        print(f"  {gap}  {words}")
    chosen = restored.fill_mask(ONE_GAP, targets=TARGETS)
    print(f"  {ONE_GAP}  of {len(TARGETS)}: {', '.join(guess['token'] for guess in chosen)}")
    print(f"{time.perf_counter() - started:.0f} s")
    return {
        "before": before,
        "after": after,
        "preferred": preferred,
        "chosen": chosen,
        "same": same,
    }


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument("--data", help="a text file, one text a line")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
