"""Fine-tunes a tagger that finds people, places and organisations in travel notes.

    python examples/tag_entities.py [--crf] [--small]
    python examples/tag_entities.py --data train.conll test.conll
    python examples/tag_entities.py --features [--small]

`examples/data/travel_notes_{train,test}.conll` hold sentences with one word and its label a line,
written for this project, with names that mislead: Paris is a city in one note and a sister in the
next. The F1 is that of whole entities, as conlleval counts them: the type, the first and the last
word must all be right. `--crf` scores whole label sequences instead of single words.

`--features` leaves the checkpoint as it is: the last four layers of each word's first piece are
computed once and go into a small LSTM. Devlin et al. 2018, §5.3, came within 0.3 points of
fine-tuning that way.
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
from keras_bert_zoo.data.tagging import pieces_of_words
from keras_bert_zoo.data.words import sentence_windows, words_of_lists
from keras_bert_zoo.metrics.callback import PredictionMetrics
from keras_bert_zoo.metrics.entity import entity_f1, entity_report

DATA = Path(__file__).parent / "data"
NEW_LINES = [
    "Florence wrote from Florence that the trains were late again.",
    "In Gdańsk we met Ludmila Hartwell, who repairs organs for Baxter & Sons.",
    "Nobody came, so we ate both cakes.",
]


def frozen_features(model, sentences, layers=4, max_length=128):
    """The last layers' vectors of each word's first piece: an array `(words, F)` a sentence."""
    backbone = kbz.Backbone.from_preset(model)
    states = backbone.with_outputs(hidden_states=True).output["hidden_states"][1:]  # embeddings off
    # One output instead of all layers: F = layers * hidden_dim.
    encoder = keras.Model(backbone.input, keras.layers.Concatenate()(states[-layers:]))
    tokenizer = kbz.Tokenizer.from_preset(model)
    special = tokenizer.special_ids
    found = sentence_windows(
        words_of_lists(tokenizer, sentences),
        None,
        max_length,
        max_length // 4,
        special["cls"],
        special["sep"],
    )
    inputs = kbz.Preprocessor(tokenizer, max_length).pad(found.rows, max(map(len, found.rows)))
    outputs = encoder.predict(inputs, batch_size=32, verbose=0)  # (rows, L, F)
    return [np.stack([word[0] for word in words]) for words in pieces_of_words(found, outputs)]


def padded(rows):
    """Rows of different lengths as one array with zeros behind, and 1 where a row has a value."""
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max()) < lengths[:, None]  # (N, W)
    values = np.zeros((*real.shape, *rows[0].shape[1:]), rows[0].dtype)
    values[real] = np.concatenate(rows)
    return values, real.astype("float32")


def tag_by_features(model, train, test, labels, epochs):
    """Labels for the test sentences from a small model over frozen features."""
    features = frozen_features(model, train[0] + test[0])
    known, new = features[: len(train[0])], features[len(train[0]) :]
    small = keras.Sequential(
        [
            keras.Input((None, known[0].shape[-1])),
            keras.layers.Masking(),
            keras.layers.Dropout(0.3),
            keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True)),
            keras.layers.Dense(len(labels)),
        ]
    )
    small.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    values, real = padded(known)
    numbers, _ = padded([np.array([labels.index(one) for one in row]) for row in train[1]])
    small.fit(values, numbers, sample_weight=real, batch_size=16, epochs=epochs, verbose=2)
    chosen = small.predict(padded(new)[0], verbose=0).argmax(-1)  # (N, W)
    return [
        [labels[number] for number in row[: len(words)]]
        for row, words in zip(chosen, test[0], strict=True)
    ]


def print_report(report):
    print("test                precision  recall      F1  entities")
    for name, row in {**report["types"], "all": report["micro"]}.items():
        figures = " ".join(f"{row[key]:7.1%}" for key in ("precision", "recall", "f1"))
        print(f"  {name:18} {figures} {row['support']:9}")


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    train, test = (formats.columns(formats.read_conll(path), 0, 1) for path in arguments.data)
    if arguments.small:
        train, test = ([part[:48] for part in split] for split in (train, test))
    labels = sorted({label for sentence in train[1] for label in sentence})
    print(f"backend {keras.backend.backend()}: {len(train[0])} to train on, {len(test[0])} to test")
    print(f"labels {', '.join(labels)}")

    model = arguments.model or minilm_folder()
    if arguments.features:
        report = entity_report(
            test[1], tag_by_features(model, train, test, labels, arguments.epochs)
        )
        print_report(report)
        print(f"{time.perf_counter() - started:.0f} s")
        return {"f1": report["micro"]["f1"]}

    tagger = kbz.TokenClassifier.from_preset(
        model, labels=labels, crf=arguments.crf, max_length=128
    )
    steps = arguments.epochs * -(-len(train[0]) // 16)
    tagger.compile(optimizer=kbz.create_optimizer(3e-4, steps))
    # The F1 of entities after each epoch; the test file stands in for a development file here.
    watch = PredictionMetrics(
        test[0], test[1], entity_f1, predict=lambda words: tagger.tag(words=words)
    )
    tagger.fit(*train, batch_size=16, epochs=arguments.epochs, callbacks=[watch], verbose=2)

    report = entity_report(test[1], tagger.tag(words=test[0]))
    print_report(report)

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
    parser.add_argument(
        "--features", action="store_true", help="train a small LSTM over the frozen checkpoint"
    )
    parser.add_argument("--epochs", type=int, help="6 if absent, with --features 20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the tagger")
    found = parser.parse_args(arguments)
    if found.features and (found.crf or found.save):
        parser.error("--features has no CRF and saves no checkpoint: leave out --crf and --save.")
    if found.epochs is None:
        found.epochs = 20 if found.features else 6
    return found


if __name__ == "__main__":
    main(parse())
