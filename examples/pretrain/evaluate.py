"""What a pre-trained model knows of text that it has not seen, beside counting alone.

    python examples/pretrain/evaluate.py runs/en --text test.txt [--language zh]

Prints masked-token accuracy and perplexity, and next-sentence accuracy. The rivals: the commonest
token, and chances by the three tokens before (`ngrams.py`): once by the row as the model sees it,
with hidden tokens hidden, and once with every token before shown, which the model is not.
"""

import argparse
import collections
import json
from pathlib import Path

import numpy as np
from ngrams import BackOff
from pretrain import LANGUAGES, in_scripts

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import (
    PretrainingRecipe,
    make_pretraining_data,
    read_pretraining_data,
)


def main(arguments):
    run = arguments.run
    text = in_scripts(arguments.text, LANGUAGES[arguments.language].scripts, run / "test")
    tokenizer = kbz.Tokenizer.from_preset(run / "preset")
    recipe = PretrainingRecipe(max_length=128, seed=5)
    make_pretraining_data(text, run / "test_128", tokenizer, recipe, processes=1)
    held_out = read_pretraining_data(run / "test_128", 64, arguments.batches, shuffle=False)
    figures = of_model(kbz.Pretrainer.from_preset(run / "preset"), held_out)
    rows = read_pretraining_data(run / "train_128").rows
    counting = BackOff(
        (row.token_ids for row in map(rows.__getitem__, range(len(rows)))),
        tokenizer.vocabulary_size,
    )
    figures.update(of_counting(counting, held_out))
    print(json.dumps(figures, indent=2))
    (run / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def of_model(pretrainer, batches):
    """Accuracies, and the perplexity of masked tokens."""
    found = pretrainer.evaluate(batches, verbose=0, return_dict=True)
    return {
        "masked-token accuracy": found["masked_lm_accuracy"],
        "masked-token perplexity": float(np.exp(found["masked_lm_loss"])),
        "next-sentence accuracy": found["next_sentence_accuracy"],
    }


def of_counting(model, batches):
    """The same of masked tokens, by the commonest token and by those before."""
    hits, losses, count = collections.Counter(), collections.Counter(), 0
    for x, y, weights in batches:
        for row, places in enumerate(weights["masked_lm"] > 0):
            positions, wanted = x["mask_positions"][row][places], y["masked_lm"][row][places]
            seen = x["token_ids"][row]
            shown = seen.copy()
            shown[positions] = wanted
            for position, token in zip(positions, wanted, strict=True):
                for name, chances in (
                    ("unigram", model.unigrams),
                    ("4-gram", model.chances(seen[:position].tolist())),
                    ("4-gram, all shown,", model.chances(shown[:position].tolist())),
                ):
                    hits[name] += int(chances.argmax() == token)
                    losses[name] -= float(np.log(chances[token]))
                count += 1
    return {
        f"{name} {what}": value
        for name in hits
        for what, value in (
            ("accuracy", hits[name] / count),
            ("perplexity", float(np.exp(losses[name] / count))),
        )
    }


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of pretrain.py")
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="unseen documents")
    parser.add_argument("--language", default="en", choices=LANGUAGES)
    parser.add_argument("--batches", type=int, default=60, help="of 64 rows")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
