"""The nine GLUE tasks, each with its quirks."""

import pytest

from keras_bert_zoo.data.formats import GLUE, columns, read_glue

MNLI_TRAIN = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 label1 gold_label"
).split()
MNLI_DEV = [*MNLI_TRAIN[:-1], "label2", "label3", "label4", "label5", "gold_label"]
STSB = "index genre filename year old_index source1 source2 sentence1 sentence2 score".split()


def write(tmp_path, *rows, name="train.tsv"):
    path = tmp_path / name
    lines = [row if isinstance(row, str) else "\t".join(row) for row in rows]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def mnli_row(header, label):
    row = [f"<{name}>" for name in header]
    row[header.index("label1")] = "neutral"
    return [*row[:-1], label]


# task, split, rows of the file, what comes out
FILES = {
    "cola": (
        "train",
        ["gj04\t1\t\tThey run.", 'gj04\t0\t*\tThey "runs.'],
        [{"text": "They run.", "label": "1"}, {"text": 'They "runs.', "label": "0"}],
    ),
    "cola test": ("test", ["index\tsentence", "0\tHe ran."], [{"text": "He ran.", "label": None}]),
    "sst2": (
        "train",
        ["sentence\tlabel", "hide new secretions \t0"],
        [{"text": "hide new secretions ", "label": "0"}],
    ),
    "sst2 test": ("test", ["index\tsentence", "0\tfine ."], [{"text": "fine .", "label": None}]),
    "mrpc": (
        "train",
        [
            "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
            '1\t70\t71\t" I agree , he said .\tHe agreed .',
            '0\t72\t73\tHe left .\t" No , he said .',
        ],
        [
            {"text": '" I agree , he said .', "text_pair": "He agreed .", "label": "1"},
            {"text": "He left .", "text_pair": '" No , he said .', "label": "0"},
        ],
    ),
    "mrpc test": (
        "test",
        ["\ufeffindex\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t7\t8\tOne .\tTwo ."],
        [{"text": "One .", "text_pair": "Two .", "label": None}],
    ),
    "qqp": (
        "dev",
        ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "5\t1\t2\tWhy?\tHow?\t0"],
        [{"text": "Why?", "text_pair": "How?", "label": "0"}],
    ),
    "qqp test": (
        "test",
        ["id\tquestion1\tquestion2", "0\tWhy?\tHow?"],
        [{"text": "Why?", "text_pair": "How?", "label": None}],
    ),
    "stsb": (
        "train",
        [STSB, ["0", "g", "f", "2012", "1", "none", "none", "A.", "B.", "3.800"]],
        [{"text": "A.", "text_pair": "B.", "label": 3.8}],
    ),
    "stsb test": (
        "test",
        [STSB[:-1], ["0", "g", "f", "2012", "1", "none", "none", "A.", "B."]],
        [{"text": "A.", "text_pair": "B.", "label": None}],
    ),
    "mnli": (
        "train",
        [MNLI_TRAIN, mnli_row(MNLI_TRAIN, "contradiction")],
        [{"text": "<sentence1>", "text_pair": "<sentence2>", "label": "contradiction"}],
    ),
    "mnli dev": (
        "dev",
        [MNLI_DEV, mnli_row(MNLI_DEV, "entailment")],
        [{"text": "<sentence1>", "text_pair": "<sentence2>", "label": "entailment"}],
    ),
    "mnli test": (
        "test",
        [MNLI_TRAIN[:10], [f"<{name}>" for name in MNLI_TRAIN[:10]]],
        [{"text": "<sentence1>", "text_pair": "<sentence2>", "label": None}],
    ),
    "qnli": (
        "train",
        ["index\tquestion\tsentence\tlabel", "0\tWho?\tHe.\tnot_entailment"],
        [{"text": "Who?", "text_pair": "He.", "label": "not_entailment"}],
    ),
    "qnli test": (
        "test",
        ["index\tquestion\tsentence", "0\tWho?\tHe."],
        [{"text": "Who?", "text_pair": "He.", "label": None}],
    ),
    "rte": (
        "train",
        ["index\tsentence1\tsentence2\tlabel", "0\tA.\tB.\tentailment"],
        [{"text": "A.", "text_pair": "B.", "label": "entailment"}],
    ),
    "wnli": (
        "dev",
        ["index\tsentence1\tsentence2\tlabel", "0\tA.\tB.\t1"],
        [{"text": "A.", "text_pair": "B.", "label": "1"}],
    ),
    "wnli test": (
        "test",
        ["index\tsentence1\tsentence2", "0\tA.\tB."],
        [{"text": "A.", "text_pair": "B.", "label": None}],
    ),
}


def test_every_task_is_tried():
    assert {name.split()[0] for name in FILES} == set(GLUE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_task(tmp_path, name):
    split, rows, examples = FILES[name]
    assert list(read_glue(write(tmp_path, *rows), name.split()[0], split)) == examples


@pytest.mark.parametrize("task", ["STS-B", "sts_b", "stsb"])
def test_names_as_the_authors_write_them(tmp_path, task):
    _, rows, examples = FILES["stsb"]
    assert list(read_glue(write(tmp_path, *rows), task)) == examples


def test_what_fit_takes(tmp_path):
    _, rows, _ = FILES["rte"]
    pairs, labels = columns(
        read_glue(write(tmp_path, *rows), "rte"), ("text", "text_pair"), "label"
    )
    assert (pairs, labels) == ((["A."], ["B."]), ["entailment"])


def test_empty_lines_are_passed_over(tmp_path):
    path = write(tmp_path, "", "sentence\tlabel", "", "fine\t1", "")
    assert list(read_glue(path, "sst2")) == [{"text": "fine", "label": "1"}]


QQP = [
    "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    '1\t2\t3\t"Was he',
    '"\tWho was he?\t0',
    "4\t5\t6\tWhy?\tHow?\t1",
]


def test_broken_lines_are_an_error(tmp_path):
    path = write(tmp_path, *QQP)
    with pytest.raises(ValueError) as caught:
        list(read_glue(path, "qqp"))
    assert str(caught.value) == (
        f"{path}, line 2: 4 columns; QQP needs 6. To leave such lines out and list them, pass "
        "skipped=[]."
    )


def test_broken_lines_are_listed(tmp_path):
    path, skipped = write(tmp_path, *QQP), []
    examples = list(read_glue(path, "qqp", skipped=skipped))
    assert examples == [{"text": "Why?", "text_pair": "How?", "label": "1"}]
    assert skipped == [
        f"{path}, line 2: 4 columns; QQP needs 6.",
        f"{path}, line 3: 3 columns; QQP needs 6.",
    ]


@pytest.mark.parametrize(
    "task, split, rows, text",
    [
        (
            "cola",
            "train",
            ["a\t1\t\tb", "a\t1\tb"],
            r"train\.tsv, line 2: 3 columns; CoLA needs 4\.",
        ),
        ("cola", "dev", ["alone"], r"line 1: 1 column; CoLA needs 4\."),
        ("cola", "dev", ["a\t1\t\tb\tc"], r"line 1: 5 columns; CoLA needs 4\."),
        ("cola", "dev", ["a\tx\t\tb"], r'line 1: label is "x"; CoLA has 0, 1\.'),
        (
            "mnli",
            "dev",
            [MNLI_DEV, mnli_row(MNLI_DEV, "-")],
            r'line 2: gold_label is "-"; MNLI has entailment, neutral, contradiction\. To leave',
        ),
        ("stsb", "dev", [STSB, ["x"] * 10], r'line 2: score is "x"; STS-B needs a number\.'),
        ("stsb", "dev", [STSB, ["nan"] * 10], r'line 2: score is "nan"; STS-B needs a number\.'),
        (
            "rte",
            "train",
            ["sentence1\tsentence_2\tlabel"],
            r'train\.tsv, line 1: no column "sentence2"; there are "sentence1", "sentence_2", '
            r'"label"\. Did you mean "sentence_2"\?',
        ),
        (
            "sst2",
            "dev",
            ["index\tsentence", "0\ta"],
            'line 1: no column "label"; there are "index"',
        ),
        (
            "sst2",
            "test",
            ["sentence\tsentence"],
            'line 1: 2 columns are named "sentence"; give each its own name',
        ),
        ("rte", "train", [], r"train\.tsv, line 1: the file is empty; RTE needs a header\."),
        ("mnly", "train", [], r'No GLUE task "mnly"; there are cola, .* Did you mean "mnli"\?'),
        (
            "rte",
            "validation",
            [],
            r'split must be "train", "dev" or "test"; got .validation.\. Whe',
        ),
    ],
)
def test_what_is_said_of_wrong_files(tmp_path, task, split, rows, text):
    with pytest.raises(ValueError, match=text):
        list(read_glue(write(tmp_path, *rows), task, split))


def test_wrong_arguments_are_refused_at_once():
    with pytest.raises(ValueError, match="No GLUE task"):
        read_glue("nowhere.tsv", "glue")
