"""The tab-separated files of the nine GLUE tasks."""

import math
from dataclasses import dataclass

from keras_bert_zoo.data.formats.columns import column_number, counted
from keras_bert_zoo.data.formats.lines import read_lines
from keras_bert_zoo.spelling import did_you_mean

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class GlueTask:
    """How the files of one task are laid out.

    Args:
        title: str. The task's name as its authors write it.
        texts: tuple of str. The columns of the text, or of the two texts.
        label: str. The column of the label in the train and dev files.
        labels: tuple of str or None. The classes; None where the label is a number.
        labelled_header: tuple of str or None. The columns of the train and dev files where they
            have no header.
    """

    title: str
    texts: tuple
    label: str
    labels: tuple | None
    labelled_header: tuple | None = None


PAIR = ("sentence1", "sentence2")
BINARY = ("0", "1")
ENTAILMENT = ("entailment", "not_entailment")
# The classes of each task in the order of the `glue` set of Hugging Face datasets.
GLUE = {
    "cola": GlueTask(
        "CoLA", ("sentence",), "label", BINARY, ("source", "label", "mark", "sentence")
    ),
    "sst2": GlueTask("SST-2", ("sentence",), "label", BINARY),
    "mrpc": GlueTask("MRPC", ("#1 String", "#2 String"), "Quality", BINARY),
    "qqp": GlueTask("QQP", ("question1", "question2"), "is_duplicate", BINARY),
    "stsb": GlueTask("STS-B", PAIR, "score", None),
    "mnli": GlueTask("MNLI", PAIR, "gold_label", ("entailment", "neutral", "contradiction")),
    "qnli": GlueTask("QNLI", ("question", "sentence"), "label", ENTAILMENT),
    "rte": GlueTask("RTE", PAIR, "label", ENTAILMENT),
    "wnli": GlueTask("WNLI", PAIR, "label", BINARY),
}


def read_glue(path, task, split="train", skipped=None):
    """The examples of one file of a GLUE task.

    Columns are found by the header, so that the labelled files of MNLI may have 12 columns or 16,
    matched or mismatched; CoLA's train and dev files alone have no header. Quotation marks are
    text like any other. Empty lines are passed over.

    QQP as published has questions with line breaks in them, cut into lines of too few columns.
    Such lines are an error, unless `skipped` is a list to name them in.

    The same tasks with columns of other names: `read_csv(path, delimiter="\\t", text=…, label=…)`.

    Args:
        path: str or path.
        task: str. cola, sst2, mrpc, qqp, stsb, mnli, qnli, rte or wnli; `"SST-2"` and `"STS-B"`
            are understood.
        split: str. `"train"`, `"dev"` or `"test"`. Test files have no labels.
        skipped: list or None. Lines that do not fit are left out, and what is wrong with each is
            appended here: `len(skipped)` is their number. None: the first raises.

    Returns:
        A generator of dicts: text, str; text_pair, str, in tasks with two texts; label, one of
        `GLUE[task].labels`, a float for STS-B, None in test files.

    Raises:
        ValueError: the task or the split is unknown; a column is missing; a line has another
            number of columns, or a label that the task does not have.

    Source: Wang et al. 2018; `data/processors/glue.py` in huggingface/transformers.
    """
    key = str(task).lower().replace("-", "").replace("_", "")
    if key not in GLUE:
        raise ValueError(
            f'No GLUE task "{task}"; there are {", ".join(GLUE)}.' + did_you_mean(key, GLUE)
        )
    if split not in SPLITS:
        raise ValueError(
            f'split must be "train", "dev" or "test"; got {split!r}. '
            "Whether MNLI is matched or mismatched follows from the path."
        )
    return _examples(path, GLUE[key], split != "test", skipped)


def _examples(path, task, labelled, skipped):
    lines = ((number, line) for number, line in read_lines(path) if line)
    if labelled and task.labelled_header:
        header, number = list(task.labelled_header), 1
    else:
        number, line = next(lines, (1, ""))
        if not line:
            raise ValueError(f"{path}, line 1: the file is empty; {task.title} needs a header.")
        header = line.split("\t")
    names = [*task.texts, task.label] if labelled else task.texts
    places = [column_number(header, name, f"{path}, line {number}") for name in names]
    for number, line in lines:
        try:
            example = _example(line.split("\t"), task, len(header), places)
        except ValueError as error:
            fault = f"{path}, line {number}: {error}"
            if skipped is None:
                raise ValueError(
                    f"{fault} To leave such lines out and list them, pass skipped=[]."
                ) from error
            skipped.append(fault)
        else:
            yield example


def _example(fields, task, width, places):
    if len(fields) != width:
        raise ValueError(f"{counted(len(fields))}; {task.title} needs {width}.")
    values = [fields[place] for place in places]
    keys = ("text", "text_pair")[: len(task.texts)]
    label = _label(values[-1], task) if len(values) > len(keys) else None
    return {**dict(zip(keys, values, strict=False)), "label": label}


def _label(text, task):
    if task.labels is not None:
        if text not in task.labels:
            raise ValueError(
                f'{task.label} is "{text}"; {task.title} has {", ".join(task.labels)}.'
            )
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f'{task.label} is "{text}"; {task.title} needs a number.')
    return number
