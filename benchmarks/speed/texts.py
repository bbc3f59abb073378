"""The texts that the sides of the speed benchmark run over. No framework."""

import csv
import gzip
import json
import lzma

import numpy as np

# Texts a round. A long text takes as much time as a dozen sentences.
COUNTS = {"sst2": 872, "mrpc": 256, "squad": 96, "imdb": 64}
TRAINED = 512
EMBEDDED = 20000
# Requests a round to a served model.
REQUESTS = 8
TOKENIZED = {"sst2": 20000, "imdb": 2000}


def sentences(data, split, count):
    """Sentences and labels of SST-2."""
    rows = _table(data / f"classify/sst2/{split}.tsv.gz")
    # The phrases of one sentence follow each other.
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:count]]
    return [row["sentence"] for row in rows], [int(row["label"]) for row in rows]


def pairs(data, count):
    """Pairs of sentences of MRPC: two lists."""
    rows = _table(data / "pairs/mrpc/train.tsv.gz")[:count]
    return [row["sentence1"] for row in rows], [row["sentence2"] for row in rows]


def contexts(data, count):
    """Contexts of SQuAD."""
    with gzip.open(data / "qa/squad_v1_sample/train.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    found = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))[:count]]


def reviews(data, count):
    """Whole reviews of IMDb."""
    with lzma.open(data / "longdoc/imdb/test.jsonl.xz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:count]]


def of_set(data, name, counts=COUNTS):
    """A list of texts, or a tuple of two lists, of a set."""
    if name == "imdb":
        return reviews(data, counts[name])
    if name == "mrpc":
        return pairs(data, counts[name])
    if name == "squad":
        return contexts(data, counts[name])
    split = "train" if counts[name] > COUNTS[name] else "dev"
    return sentences(data, split, counts[name])[0]


def requests(data, name, together):
    """Texts in requests of so many each."""
    texts = of_set(data, name)[: REQUESTS * together]
    return [texts[start : start + together] for start in range(0, len(texts), together)]


def number(texts):
    """How many examples these are."""
    return len(texts[0]) if isinstance(texts, tuple) else len(texts)


def _table(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
