"""Fine-tunes a tagger that finds people, places and organisations in travel notes.

    python examples/tag_entities.py [--crf] [--small]
    python examples/tag_entities.py --data train.conll test.conll

`examples/data/travel_notes_{train,test}.conll` hold sentences with one word and its label a line,
written for this project, with names that mislead: Paris is a city in one note and a sister in the
next. The F1 is that of whole entities, as conlleval counts them: the type, the first and the last
word must all be right. `--crf` scores whole label sequences instead of single words.
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
from keras_bert_zoo.metrics.callback import PredictionMetrics
from keras_bert_zoo.metrics.entity import entity_f1, entity_report

DATA = Path(__file__).parent / "data"
NEW_LINES = [
    "Florence wrote from Florence that the trains were late again.",
    "In Gdańsk we met Ludmila Hartwell, who repairs organs for Baxter & Sons.",
    "Nobody came, so we ate both cakes.",
]


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    train, test = (formats.columns(formats.read_conll(path), 0, 1) for path in arguments.data)
    if arguments.small:
        train, test = ([part[:48] for part in split] for split in (train, test))
    labels = sorted({label for sentence in train[1] for label in sentence})
    print(f"backend {keras.backend.backend()}: {len(train[0])} to train on, {len(test[0])} to test")
    print(f"labels {', '.join(labels)}")

    tagger = kbz.TokenClassifier.from_preset(
        arguments.model or minilm_folder(), labels=labels, crf=arguments.crf, max_length=128
    )
    steps = arguments.epochs * -(-len(train[0]) // 16)
    tagger.compile(optimizer=kbz.create_optimizer(3e-4, steps))
    # The F1 of entities after each epoch; the test file stands in for a development file here.
    watch = PredictionMetrics(
        test[0], test[1], entity_f1, predict=lambda words: tagger.tag(words=words)
    )
    tagger.fit(*train, batch_size=16, epochs=arguments.epochs, callbacks=[watch], verbose=2)

    report = entity_report(test[1], tagger.tag(words=test[0]))
    print("test                precision  recall      F1  entities")
    for name, row in {**report["types"], "all": report["micro"]}.items():
        figures = " ".join(f"{row[key]:7.1%}" for key in ("precision", "recall", "f1"))
        print(f"  {name:18} {figures} {row['support']:9}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "tagger"
    tagger.save_to_preset(folder)
    restored = kbz.TokenClassifier.from_preset(folder)
    logits = zip(restored.predict(NEW_LINES), tagger.predict(NEW_LINES), strict=True)
    same = all(np.allclose(*pair, atol=1e-5) for pair in logits)
    print(f"saved to {folder}, reloaded; the same logits: {same}")
    for line, spans in zip(NEW_LINES, restored.tag(NEW_LINES), strict=True):
        print(f"  {line}")
        for span in spans:
            where = f"[{span['start']}:{span['end']}]"
            print(f"    {where:8} {span['label']:4} {span['score']:.2f}  {span['text']}")
    print(f"{time.perf_counter() - started:.0f} s")
    return {"f1": report["micro"]["f1"], "spans": restored.tag(NEW_LINES), "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data",
        nargs=2,
        metavar=("TRAIN", "TEST"),
        default=(DATA / "travel_notes_train.conll", DATA / "travel_notes_test.conll"),
        help="two CoNLL files: the word in the first column, its label in the last",
    )
    parser.add_argument("--crf", action="store_true", help="score whole label sequences")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the tagger")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
