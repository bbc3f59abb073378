"""Fine-tunes a model that chooses which of several sentences goes on with a story.

    python examples/choose_endings.py [--small]
    python examples/choose_endings.py --data train.jsonl test.jsonl

`examples/data/endings.jsonl` holds 237 openings with four endings each, of which one makes sense,
written for this project. Beside the fine-tuned model stands the choice of the ending whose vector
is nearest to the opening's: what the checkpoint can do without any training.
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

ENDINGS = Path(__file__).parent / "data" / "endings.jsonl"
NEW_STORIES = [
    (
        "The bridge was closed for repairs.",
        ["They took the ferry instead.", "They drove across it as always.", "They ate the bridge."],
    ),
    (
        "Her glasses had fogged up.",
        ["She put on a second scarf.", "She wiped them on her sleeve.", "She watered the plants."],
    ),
]


def read_stories(arguments):
    """The stories to train on and those to test on: two lists of dicts."""
    if arguments.data:
        return [list(formats.read_jsonl(path)) for path in arguments.data]
    stories = list(formats.read_jsonl(ENDINGS))
    return [[one for one in stories if one["split"] == split] for split in ("train", "test")]


def nearest_endings(model, prompts, choices):
    """For each prompt the number of the choice whose vector is nearest."""
    embedder = kbz.TextEmbedder.from_preset(model, max_length=64)
    return [
        int(embedder.similarity([prompt], texts).argmax())
        for prompt, texts in zip(prompts, choices, strict=True)
    ]


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    train, test = read_stories(arguments)
    if arguments.small:
        train, test = train[:32], test[:16]
    prompt = arguments.prompt
    train = formats.columns(train, (prompt, "choices"), "answer")
    stories, answers = formats.columns(test, (prompt, "choices"), "answer")
    model = arguments.model or minilm_folder()
    print(f"backend {keras.backend.backend()}: {len(train[1])} to train on, {len(answers)} to test")

    chooser = kbz.MultipleChoice.from_preset(model, max_length=96)
    steps = arguments.epochs * -(-len(train[1]) // 8)
    chooser.compile(optimizer=kbz.create_optimizer(1e-4, steps))
    chooser.fit(*train, batch_size=8, epochs=arguments.epochs, verbose=2)

    score = chooser.evaluate(stories, answers, verbose=0, return_dict=True)["accuracy"]
    nearest = np.mean(np.array(nearest_endings(model, *stories)) == answers)
    print("test accuracy")
    print(f"  fine-tuned                {score:6.1%}")
    print(f"  nearest vector, untrained {nearest:6.1%}")
    print(f"  by chance                 {np.mean([1 / len(some) for some in stories[1]]):6.1%}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "endings"
    chooser.save_to_preset(folder)
    restored = kbz.MultipleChoice.from_preset(folder)
    prompts, choices = (list(column) for column in zip(*NEW_STORIES, strict=True))
    new = (prompts, choices)
    same = np.allclose(restored.predict(new), chooser.predict(new), atol=1e-5)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for line, choice in zip(prompts, restored.choose(*new), strict=True):
        print(f"  {line} … {choice['choice']}  ({choice['score']:.2f})")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"accuracy": score, "nearest": nearest, "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data",
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="two jsonl files whose lines have prompt, choices and answer (a number from 0)",
    )
    parser.add_argument("--prompt", default="prompt", help="what the lines call the prompt")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the model")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
