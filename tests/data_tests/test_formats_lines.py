"""Reading lines: compression, line ends, encoding; and columns out of examples."""

import gzip
import lzma

import pytest

from keras_bert_zoo.data.formats import columns, read_conll, read_csv, read_jsonl
from keras_bert_zoo.data.formats.lines import read_json, read_lines

TEXT = "text\tlabel\nÄpfel\t1\n"


@pytest.mark.parametrize(
    "name, pack", [("a", bytes), ("a.gz", gzip.compress), ("a.XZ", lzma.compress)]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_and_compressed_files(tmp_path, name, pack, mark, end):
    path = tmp_path / name
    path.write_bytes(pack(mark + TEXT.replace("\n", end).encode()))
    assert list(read_lines(path)) == [(1, "text\tlabel"), (2, "Äpfel\t1")]
    assert list(read_lines(str(path))) == list(read_lines(path))


def test_the_last_line_needs_no_end(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one\n\ntwo")
    assert list(read_lines(path)) == [(1, "one"), (2, ""), (3, "two")]


@pytest.mark.parametrize(
    "mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\ufeff"]
)
def test_no_other_character_ends_a_line(tmp_path, mark):
    text = f"a{mark}b"
    for name, content, rows in [
        ("a.tsv", f"text\n{text}\n", lambda path: read_csv(path, delimiter="\t")),
        ("a.csv", f'text\n"{text}"\n', read_csv),
        ("a.jsonl", f'{{"text": "{text}"}}\n'.replace("\r", "\\r"), read_jsonl),
    ]:
        if name == "a.jsonl" and mark in "\x0b\x0c\x1c":
            continue  # JSON forbids control characters in strings.
        path = tmp_path / name
        path.write_bytes(content.encode())
        assert list(rows(path)) == [{"text": text}]
    path = tmp_path / "a.conll"
    path.write_bytes(f"{text}\tO\n".encode())
    assert list(read_conll(path)) == [([text], ["O"])]


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"fine\n\xff\n")
    lines = read_lines(path)
    assert next(lines) == (1, "fine")
    lines.close()


def test_a_line_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(
        ValueError, match=r"a\.tsv, line 2: byte 3 is 0xe9, which is not UTF-8; .*iconv"
    ):
        list(read_lines(path))
    with pytest.raises(ValueError, match=r"a\.tsv, line 2: byte 3 is 0xe9"):
        list(read_csv(path))


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.gz", gzip.compress(b"x\n" * 1000, mtime=0)[:-10]),
        ("a.gz", b"no gzip at all"),
        ("a.gz", gzip.compress(b"x\n", mtime=0)[:10] + b"\xff" * 9),
        ("a.xz", lzma.compress(b"x\n" * 1000)[:-10]),
        ("a.xz", b"no xz at all"),
    ],
)
def test_a_damaged_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=rf"{name}, line \d+: the compressed file is damaged or cut short .*fetch it",
    ):
        list(read_lines(path))


def test_json_that_is_none(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"data":\n [1,\n  2 3]}')
    with pytest.raises(ValueError, match=r"a\.json, line 3, column 5: not JSON \(Expecting ',' "):
        read_json(path)


def test_columns():
    rows = [
        {"text": "a", "text_pair": "b", "label": 1},
        {"text": "c", "text_pair": "d", "label": 0},
    ]
    assert columns(iter(rows), "text", "label") == (["a", "c"], [1, 0])
    assert columns(rows, ("text", "text_pair"), "label") == ((["a", "c"], ["b", "d"]), [1, 0])
    assert columns(rows, "label") == [1, 0]
    assert columns(rows, ("text", "text_pair")) == (["a", "c"], ["b", "d"])
    assert columns([(["a"], ["O"]), (["b"], ["O"])], 0, 1) == ([["a"], ["b"]], [["O"], ["O"]])
    assert columns([], "text", "label") == ([], [])


@pytest.mark.parametrize(
    "example, names, text",
    [
        ({"text": 1}, (), "columns needs the names to take, such as .text. and .label.; got none"),
        ({"text": 1}, ("txt",), 'Example 0 has no "txt"; it has "text". Did you mean "text"?'),
        ({"text": 1, "label": 2}, ("text", "y"), 'Example 0 has no "y"; it has "text", "label".'),
        ((["a"], ["O"]), (2,), "Example 0 has no 2; it has 0, 1."),
        ((["a"], ["O"]), ("words",), 'Example 0 has no "words"; it has 0, 1.'),
    ],
)
def test_columns_that_are_not_there(example, names, text):
    with pytest.raises(ValueError, match=text.replace("?", r"\?")):
        columns([example], *names)
