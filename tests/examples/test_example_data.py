"""The texts that were written for the examples are whole."""

import pytest
from example_support import DATA

from keras_bert_zoo.data import formats


@pytest.mark.parametrize("language", ["en", "zh"])
def test_handbook(language):
    passages = list(formats.read_jsonl(DATA / f"handbook_{language}.jsonl"))
    assert len(passages) > 200
    assert len({one["id"] for one in passages}) == len(passages)
    assert {one["split"] for one in passages} == {"train", "held_back"}
    for passage in passages:
        assert passage["title"] and passage["questions"]
        for one in passage["questions"]:
            assert one["question"] and one["answer"] and one["answer"] in passage["text"]


def test_endings():
    stories = list(formats.read_jsonl(DATA / "endings.jsonl"))
    assert {one["split"] for one in stories} == {"train", "test"}
    for story in stories:
        assert story["prompt"] and story["answer"] in range(len(story["choices"]))
        assert len(set(story["choices"])) == len(story["choices"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_travel_notes(split):
    kinds = {"PER", "LOC", "ORG"}
    for words, labels in formats.read_conll(DATA / f"travel_notes_{split}.conll"):
        for before, label in zip(["O", *labels], labels, strict=False):
            assert label == "O" or label[2:] in kinds
            assert not label.startswith("I-") or before[2:] == label[2:], words


@pytest.mark.parametrize(
    ("name", "column", "labels"),
    [
        ("reviews", "label", {"positive", "negative"}),
        ("questions_same", "label", {"same", "different"}),
        ("messages", "labels", set("anger fear gratitude joy sadness surprise".split())),
    ],
)
def test_tables(name, column, labels):
    rows = list(formats.read_csv(DATA / f"{name}.tsv", delimiter="\t"))
    assert {one["split"] for one in rows} == {"train", "test"}
    for split in ("train", "test"):
        found = {name for one in rows if one["split"] == split for name in one[column].split(",")}
        assert found == labels
    texts = [tuple(v for k, v in row.items() if k not in ("split", column)) for row in rows]
    assert len(set(texts)) == len(texts)


def test_follow_ups():
    text = (DATA / "follow_ups.txt").read_text(encoding="utf-8")
    documents = text.strip().split("\n\n")
    assert len(documents) > 50 and all(document.count("\n") for document in documents)
