"""JSON lines and delimited tables."""

import csv

import pytest

from keras_bert_zoo.data.formats import read_csv, read_jsonl


def write(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_jsonl(tmp_path):
    path = write(tmp_path, '{"review": "fine", "stars": 5}\n\n{"stars": [1], "review": null}\n')
    assert list(read_jsonl(path, text="review", label="stars")) == [
        {"text": "fine", "label": 5},
        {"text": None, "label": [1]},
    ]
    assert list(read_jsonl(path, path="stars")) == [{"path": 5}, {"path": [1]}]
    assert next(read_jsonl(path)) == {"review": "fine", "stars": 5}


@pytest.mark.parametrize(
    "text, message",
    [
        (
            '{"text": 1}\n{"text"\n',
            r"a\.jsonl, line 2, column 8: not JSON \(Expecting ':' delimiter",
        ),
        (
            "[1]\n",
            r"a\.jsonl, line 1: each line must be an object \{…\}; got a list\. For one JSON",
        ),
        (
            '{"text": 1}\n{"txt": 1, "id": 2}\n',
            r'a\.jsonl, line 2: no column "text"; there are "txt", "id"\. Did you mean "txt"\?',
        ),
    ],
)
def test_what_is_said_of_wrong_jsonl(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        list(read_jsonl(write(tmp_path, text, "a.jsonl"), text="text"))


def test_a_key_that_is_none():
    with pytest.raises(
        ValueError, match=r'label must be a key of the file, such as "text"; got 3\.'
    ):
        read_jsonl("nowhere", label=3)


def test_csv(tmp_path):
    path = write(tmp_path, 'label,"the text"\r\n1,"a, ""b""\r\nc"\r\n\r\n0,d\r\n')
    assert list(read_csv(path, text="the text", label="label")) == [
        {"text": 'a, "b"\nc', "label": "1"},
        {"text": "d", "label": "0"},
    ]
    assert list(read_csv(path, text=1)) == [{"text": 'a, "b"\nc'}, {"text": "d"}]
    assert list(read_csv(path))[1] == {"label": "0", "the text": "d"}


def test_a_tab_leaves_quotation_marks_alone(tmp_path):
    path = write(tmp_path, 'text\tlabel\n"No, he said.\t1\n\n"a"\t0\n')
    assert list(read_csv(path, delimiter="\t")) == [
        {"text": '"No, he said.', "label": "1"},
        {"text": '"a"', "label": "0"},
    ]
    path = write(tmp_path, 'text\tlabel\n"a\tb"\t1\n')
    assert list(read_csv(path, delimiter="\t", quotes=True)) == [{"text": "a\tb", "label": "1"}]
    path = write(tmp_path, '"a;1\n"b;2\n')
    assert list(read_csv(path, delimiter=";", quotes=False, header=False, text=0)) == [
        {"text": '"a'},
        {"text": '"b'},
    ]


@pytest.mark.parametrize(
    "text, arguments, message",
    [
        (
            "text,label\na,1\nb\n",
            {},
            r'a\.csv, line 3: 1 column; line 1 has 2\. If " is text, pass quotes=False\.',
        ),
        (
            'text\tlabel\n"a\tb"\t1\n',
            {"delimiter": "\t"},
            r'line 2: 3 columns; line 1 has 2\. If " encloses cells, pass quotes=True\.',
        ),
        (
            'text,label\n"a\nb",1\n"c,1\nd,0\n',
            {},
            r'a\.csv, line 4: unexpected end of data\. If " is text like any other, pass quo',
        ),
        ('text,label\n"a"b,1\n', {}, r"a\.csv, line 2: ',' expected after '\"'\. If"),
        (
            "text,label\n",
            {"text": "txt"},
            r'a\.csv, line 1: no column "txt"; there are "text", "label"\. Did you mean "text"\?',
        ),
        ("a,a\n", {"text": "a"}, 'line 1: 2 columns are named "a"; give each its own name'),
        ("a,a\n", {}, 'line 1: 2 columns are named "a"; give each its own name'),
        ("a,b\n", {"text": 2}, r"a\.csv, line 1: no column 2; they are numbered 0 to 1\."),
        ("a,b\n", {"text": -1}, r"line 1: no column -1; they are numbered 0 to 1\."),
        ("", {"text": "a"}, r"a\.csv, line 1: the file is empty\."),
    ],
)
def test_what_is_said_of_wrong_tables(tmp_path, text, arguments, message):
    with pytest.raises(ValueError, match=message):
        list(read_csv(write(tmp_path, text), **arguments))


def test_a_cell_beyond_the_limit(tmp_path):
    path = write(tmp_path, f'text\n"{"a" * (csv.field_size_limit() + 1)}"\n')
    with pytest.raises(ValueError, match=r"a\.csv, line 2: field larger than field limit"):
        list(read_csv(path))
    assert len(next(read_csv(path, quotes=False))["text"]) == csv.field_size_limit() + 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"delimiter": "||"}, r"delimiter must be one character, such as .,.; got '\|\|'\."),
        ({"delimiter": None}, "delimiter must be one character, such as .,.; got None"),
        ({"text": None}, "text must be a column's name or number; got None"),
        ({"text": True}, "text must be a column's name or number; got True"),
        (
            {"text": "review", "header": False},
            'text="review" names a column, but header=False; give its number, such as text=0',
        ),
        ({"header": False}, "header=False needs columns by number, such as text=0; got none"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        read_csv("nowhere", **arguments)
