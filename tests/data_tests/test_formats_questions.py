"""SQuAD and CMRC files."""

import json

import pytest

from keras_bert_zoo.data.formats import read_cmrc, read_squad
from keras_bert_zoo.data.formats.questions import find_answer

CONTEXT = "Rome is old. Rome is big."


def question(**changes):
    content = {
        "id": "q1",
        "question": "What is old?",
        "answers": [{"text": "Rome", "answer_start": 0}, {"text": "Rome", "answer_start": 13}],
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not ...}


def squad(*questions, context=CONTEXT):
    paragraph = {"context": context, "qas": list(questions)}
    return {
        "version": "2.0",
        "data": [{"title": "none", "paragraphs": []}, {"paragraphs": [paragraph]}],
    }


def write(tmp_path, content):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_squad_1(tmp_path):
    assert list(read_squad(write(tmp_path, squad(question())))) == [
        {
            "id": "q1",
            "question": "What is old?",
            "context": CONTEXT,
            "answers": [("Rome", 0), ("Rome", 13)],
            "is_impossible": False,
        }
    ]


def test_squad_2(tmp_path):
    plausible = [{"text": "Rome", "answer_start": 0}]
    path = write(
        tmp_path,
        squad(
            question(is_impossible=False),
            question(id="q2", answers=[], is_impossible=True, plausible_answers=plausible),
        ),
    )
    assert [(row["id"], len(row["answers"]), row["is_impossible"]) for row in read_squad(path)] == [
        ("q1", 2, False),
        ("q2", 0, True),
    ]


def test_a_file_without_answers(tmp_path):
    (row,) = read_squad(write(tmp_path, squad(question(answers=...))))
    assert row["answers"] == []
    assert not row["is_impossible"]


def answer(text, start):
    return question(
        answers=[{"text": "Rome", "answer_start": 0}, {"text": text, "answer_start": start}]
    )


Q = r"dev\.json, data\[1\]\.paragraphs\[0\]\.qas\[0\]"


@pytest.mark.parametrize(
    "content, message",
    [
        (
            squad(answer("Rome", 12)),
            Q + r'\.answers\[1\]: "Rome" is not at answer_start 12 of the context\. .*read_cmrc',
        ),
        (squad(answer("Rome", -1)), r'answers\[1\]: "Rome" is not at answer_start -1 of'),
        (squad(answer("big.", -4)), r'answers\[1\]: "big." is not at answer_start -4 of'),
        (squad(answer("", 3)), r'answers\[1\]: "" is not at answer_start 3 of'),
        (
            squad(answer("Rome", "0")),
            r"answers\[1\]\.answer_start is a string; it must be a number\.",
        ),
        (squad(answer("Rome", True)), r"answer_start is true or false; it must be a number\."),
        (squad(answer(None, 0)), r"answers\[1\]\.text is None; it must be a string\."),
        (squad(question(answers=["Rome"])), r"answers\[0\] is a string; it must be an object\."),
        (
            squad(question(answers=[{"text": "Rome"}])),
            Q + r'\.answers\[0\] has no "answer_start"; it has text\.',
        ),
        (squad(question(id=...)), Q + r' has no "id"; it has question, answers\.'),
        (
            squad(question(question=..., questoin="?")),
            Q + r' has no "question"; it has id, answers, questoin\. Did you mean "questoin"\?',
        ),
        (squad(question(answers={})), Q + r"\.answers is an object; it must be a list\."),
        (squad(question(is_impossible=1)), Q + r"\.is_impossible is a number; it must be true or"),
        (
            squad(question(is_impossible=True)),
            Q + ": is_impossible is true, but there are 2 answers",
        ),
        (squad(7), Q + r" is a number; it must be an object\."),
        (
            squad(context=["Rome"]),
            r"data\[1\]\.paragraphs\[0\]\.context is a list; it must be a str",
        ),
        (
            {"data": [{"paragraphs": [{"context": "a"}]}]},
            r'data\[0\]\.paragraphs\[0\] has no "qas"; it has context',
        ),
        ({"data": [{}]}, r'dev\.json, data\[0\] has no "paragraphs"; it has nothing\.'),
        ({"date": []}, r'dev\.json has no "data"; it has date\. Did you mean "date"\?'),
        ([], r'dev\.json holds a list; SQuAD needs an object with "data"\. .* read_cmrc\.'),
    ],
)
def test_what_is_said_of_wrong_files(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        list(read_squad(write(tmp_path, content)))


@pytest.mark.parametrize("read", [read_squad, read_cmrc])
def test_a_file_that_is_not_json(tmp_path, read):
    path = tmp_path / "dev.json"
    path.write_text('{"data": [\n  {"paragraphs": ]}')
    with pytest.raises(
        ValueError, match=r"dev\.json, line 2, column 18: not JSON \(Expecting value"
    ):
        list(read(path))


@pytest.mark.parametrize(
    "text, start, found",
    [
        ("Rome", 0, 0),
        ("Rome", 13, 13),
        ("Rome", 12, 13),
        ("Rome", 14, 13),
        ("Rome", 3, 0),
        ("Rome", 999, 13),
        ("Rome", -1, 0),
        ("Rome", None, 0),
        ("big.", None, 21),
        ("Paris", 0, None),
        ("", 0, None),
    ],
)
def test_find_answer(text, start, found):
    assert find_answer(CONTEXT, text, start) == found


def test_cmrc_in_the_layout_of_squad(tmp_path):
    answers = [
        {"text": "Rome", "answer_start": 13},
        {"text": "Rome", "answer_start": 14},
        {"text": "is old", "answer_start": -1},
        {"text": "is big"},
        {"text": "Paris", "answer_start": -1},
    ]
    (row,) = read_cmrc(write(tmp_path, squad(question(answers=answers))))
    assert row["answers"] == [
        ("Rome", 13),
        ("Rome", 13),
        ("is old", 5),
        ("is big", 18),
        ("Paris", None),
    ]


def test_cmrc_in_its_first_layout(tmp_path):
    content = [
        {
            "context_id": "TRIAL_0",
            "context_text": "罗马很古老。",
            "title": "罗马",
            "qas": [
                {
                    "query_id": "TRIAL_0_QUERY_0",
                    "query_text": "什么很古老？",
                    "answers": ["罗马", "巴黎"],
                }
            ],
        }
    ]
    assert list(read_cmrc(write(tmp_path, content))) == [
        {
            "id": "TRIAL_0_QUERY_0",
            "question": "什么很古老？",
            "context": "罗马很古老。",
            "answers": [("罗马", 0), ("巴黎", None)],
            "is_impossible": False,
        }
    ]


@pytest.mark.parametrize(
    "content, message",
    [
        (["text"], r"dev\.json, \[0\] is a string; it must be an object\."),
        (
            [{"context": "a"}],
            r'dev\.json, \[0\] has no "context_text"; .* Did you mean "context"\?',
        ),
        (
            [{"context_text": "a", "qas": [{"query_id": "1", "answers": ["a"]}]}],
            r'dev\.json, \[0\]\.qas\[0\] has no "query_text"; it has query_id, answers\.',
        ),
        (
            [{"context_text": "a", "qas": [{"query_id": "1", "query_text": "?", "answers": [7]}]}],
            r"\[0\]\.qas\[0\]\.answers\[0\] is a number; it must be an object\.",
        ),
        (
            squad(question(answers=[{"text": 39764.0}])),
            r"\.text is 39764\.0; it must be a string\.",
        ),
    ],
)
def test_what_is_said_of_wrong_cmrc(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        list(read_cmrc(write(tmp_path, content)))
