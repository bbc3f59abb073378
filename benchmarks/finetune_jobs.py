"""What the fine-tuning benchmark runs: the kinds of tasks, and one recipe for each set."""

import dataclasses
import functools
from collections.abc import Callable

import finetune_baselines as baselines
import finetune_sets as sets
import numpy as np

import keras_bert_zoo as kbz
from keras_bert_zoo.data.label_schemes import scheme_of
from keras_bert_zoo.metrics import cmrc, entity, glue, squad


def class_numbers(names, values):
    return [names.index(value) for value in values]


def accuracy(true, predicted, labels):
    return 100 * float(np.mean([a == b for a, b in zip(true, predicted, strict=True)]))


def pearson(true, predicted, labels):
    return 100 * glue.pearson(true, predicted) if np.ptp(predicted) else 0.0


def micro_f1(true, predicted, labels):
    hits = sum(len(set(a) & set(b)) for a, b in zip(true, predicted, strict=True))
    return 200 * hits / max(1, sum(map(len, true)) + sum(map(len, predicted)))


def word_accuracy(true, predicted, labels):
    return accuracy(*([tag for row in rows for tag in row] for rows in (true, predicted)), labels)


def entity_f1(true, predicted, labels):
    return 100 * entity.entity_f1(true, predicted, scheme=scheme_of(labels))


def answer_f1(true, predicted, labels):
    return squad.squad_scores(predicted, true)["f1"]


def chinese_f1(true, predicted, labels):
    return cmrc.cmrc_scores(predicted, true)["f1"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a kind of task needs: the class, the friendly prediction, the measure, the baselines."""

    task: type
    predict: Callable
    settings: Callable
    peer: str | None = None
    majority: Callable = baselines.majority_class
    linear: Callable = baselines.linear_class
    prepare: Callable = lambda task, y: None


def with_labels(labels):
    return {"labels": labels}


def nothing(labels):
    return {}


KINDS = {
    "classes": Kind(
        kbz.TextClassifier,
        lambda task, x: [row["label"] for row in task.classify(x)],
        with_labels,
        "BertForSequenceClassification",
    ),
    "number": Kind(
        kbz.TextClassifier,
        lambda task, x: task.predict(x)[:, 0].tolist(),
        lambda labels: {"num_classes": 1},
        None,
        baselines.mean_number,
        baselines.linear_number,
    ),
    "sets": Kind(
        kbz.TextClassifier,
        lambda task, x: [row["labels"] for row in task.classify(x)],
        lambda labels: {"labels": labels, "multi_label": True, "threshold": 0.3},
        None,
        baselines.majority_set,
        baselines.linear_set,
        lambda task, y: task.fit_bias(y),
    ),
    "tags": Kind(
        kbz.TokenClassifier,
        lambda task, x: task.tag(words=x),
        with_labels,
        "BertForTokenClassification",
        baselines.majority_tags,
        baselines.linear_tags,
    ),
    "choices": Kind(
        kbz.MultipleChoice,
        lambda task, x: [row["index"] for row in task.choose(*x)],
        nothing,
        None,
        baselines.first_choice,
        baselines.linear_choice,
    ),
    "answers": Kind(
        kbz.QuestionAnswerer,
        lambda task, x: [row["answer"] for row in task.answer(*x)],
        nothing,
        "BertForQuestionAnswering",
        baselines.first_sentence,
        baselines.nearest_sentence,
    ),
}
KINDS["tags with a CRF"] = dataclasses.replace(
    KINDS["tags"], settings=lambda labels: {"labels": labels, "crf": True}, peer=None
)


@dataclasses.dataclass(frozen=True)
class Job:
    """One set and its recipe; sizes are those of the training and the test part."""

    kind: str
    folder: str
    read: Callable
    measure: Callable
    sizes: tuple
    epochs: int
    max_length: int
    seeds: int = 1
    peer: bool = False
    rate: float = 1e-4
    batch_size: int = 16
    vocabulary: str | None = None  # random weights over it
    preset: str | None = None  # MiniLM-L6 where neither is given


def _tsv(*files):
    return functools.partial(sets.of_classes, files=files)


JOBS = {
    "SST-2": Job(
        "classes", "classify/sst2",
        functools.partial(_tsv("train.tsv.gz", "dev.tsv.gz"), text="sentence"),
        accuracy, (3000, 872), 2, 64, seeds=3, peer=True,
    ),
    "MRPC": Job(
        "classes", "pairs/mrpc",
        functools.partial(_tsv("train.tsv.gz", "test.tsv.gz"), text=("sentence1", "sentence2")),
        accuracy, (1500, 1000), 3, 128, seeds=3, peer=True,
    ),
    "STS-B (Pearson)": Job(
        "number", "pairs/stsb_en", sets.of_scores, pearson, (2000, 800), 3, 96
    ),
    "GoEmotions (micro F1)": Job(
        "sets", "multilabel/goemotions", sets.of_label_sets, micro_f1, (5000, 1500), 3, 64
    ),
    "EWT parts of speech": Job(
        "tags", "token/ud_english_ewt", functools.partial(sets.of_words, label_column=1),
        word_accuracy, (1500, 600), 3, 96,
    ),
    "BTC (entity F1)": Job(
        "tags", "token/btc", sets.of_words, entity_f1, (1500, 931), 3, 96, seeds=3, peer=True,
        rate=2e-4,
    ),
    "BTC with a CRF (entity F1)": Job(
        "tags with a CRF", "token/btc", sets.of_words, entity_f1, (1500, 931), 3, 96, seeds=3,
        rate=2e-4,
    ),
    "CLUENER (entity F1, random start)": Job(
        "tags", "token/cluener2020", sets.of_character_spans, entity_f1, (10748, 600), 14, 64,
        rate=1e-3, batch_size=32, vocabulary="bert-base-chinese",
    ),
    "ComVE": Job("choices", "multichoice/comve", sets.of_choices, accuracy, (1500, 997), 3, 64),
    "SQuAD (F1)": Job(
        "answers", "qa/squad_v1_sample", sets.SQUAD, answer_f1, (1500, 500), 2, 256, seeds=3,
        peer=True, rate=2e-4,
    ),
    "CMRC (F1)": Job(
        "answers", "qa/cmrc2018", sets.CMRC, chinese_f1, (4000, 300), 4, 384, rate=3e-4,
        preset="bert_l4_h128_zh_reader",
    ),
}  # fmt: skip
