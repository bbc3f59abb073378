"""Columns of words: CoNLL and CoNLL-U."""

import pytest

from keras_bert_zoo.data.formats import read_conll, read_conllu


def write(tmp_path, text, name="a.conll"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def conllu(*rows):
    return "".join("\t".join([*row, *"_" * (10 - len(row))]) + "\n" for row in rows)


def test_four_columns_with_spaces_and_documents(tmp_path):
    path = write(
        tmp_path,
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ  B-VP O\n\n"
        "-DOCSTART- -X- O O\nPeter NNP B-NP B-PER",
    )
    sentences = [(["EU", "rejects"], ["B-ORG", "O"]), (["Peter"], ["B-PER"])]
    assert list(read_conll(path)) == sentences
    assert list(read_conll(path, label_column=1)) == [
        (["EU", "rejects"], ["NNP", "VBZ"]),
        (["Peter"], ["NNP"]),
    ]
    assert list(read_conll(path, word_column=-1, label_column=0))[1] == (["B-PER"], ["Peter"])


def test_a_document_line_alone_ends_a_sentence(tmp_path):
    path = write(tmp_path, "a\tO\n-DOCSTART-\nb\tO\n")
    assert list(read_conll(path)) == [(["a"], ["O"]), (["b"], ["O"])]
    assert list(read_conll(path, label_column=None)) == [(["a"], None), (["b"], None)]


def test_a_hash_is_a_word(tmp_path):
    path = write(tmp_path, "#\tO\n#tag\tO\n\n# O\n")
    assert list(read_conll(path)) == [(["#", "#tag"], ["O", "O"]), (["#"], ["O"])]


def test_comments_where_the_caller_says_so(tmp_path):
    path = write(tmp_path, "# id 7\na\tO\n#\tO\n\n# the end")
    assert list(read_conll(path, comment="# ")) == [(["a", "#"], ["O", "O"])]


def test_words_keep_unusual_spaces(tmp_path):
    path = write(tmp_path, "\u3000\tO\n10\u00a0km\tO\n \tO\n\n10\u00a0km O\n")
    assert list(read_conll(path)) == [
        (["\u3000", "10\u00a0km", " "], ["O", "O", "O"]),
        (["10\u00a0km"], ["O"]),
    ]


def test_a_separator(tmp_path):
    path = write(tmp_path, "a b|X\n \t \n\nc|Y\r\n\r\n")
    assert list(read_conll(path, separator="|")) == [(["a b"], ["X"]), (["c"], ["Y"])]


def test_words_alone(tmp_path):
    path = write(tmp_path, "a\nb\n\nc\n")
    assert list(read_conll(path, label_column=None)) == [(["a", "b"], None), (["c"], None)]


@pytest.mark.parametrize(
    "text, arguments, message",
    [
        (
            "a\tO\n# id x\n",
            {},
            r'a\.conll, line 2: 3 columns; the line before has 2\. If it is .*comment="# "',
        ),
        (
            "a\tO\n",
            {"label_column": 2},
            r"line 1: 2 columns; word_column=0 and label_column=2 need 3\.",
        ),
        (
            "a\tO\n",
            {"label_column": -3},
            r"line 1: 2 columns; word_column=0 and label_column=-3 need 3\.",
        ),
        (
            "a\tO\n\nalone\n",
            {},
            r"line 3: 1 column, so that word_column=0 and label_column=-1 are the same; pass",
        ),
        ("a\tO\n\tO\n", {}, r"a\.conll, line 2: the word in column 0 is empty\."),
    ],
)
def test_what_is_said_of_wrong_lines(tmp_path, text, arguments, message):
    with pytest.raises(ValueError, match=message):
        list(read_conll(write(tmp_path, text), **arguments))


CONLLU = (
    "# sent_id = 1\n# text = Vámonos al mar\n"
    + conllu(
        ["1-2", "Vámonos"],
        ["1", "Vamos", "ir", "VERB"],
        ["2", "nos", "nosotros", "PRON"],
        ["3-4", "al"],
        ["3", "a", "a", "ADP"],
        ["4", "el", "el", "DET"],
        ["4.1", "gran", "grande", "ADJ"],
        ["5", "mar", "mar", "NOUN"],
    )
    + "\n#text = #\n"
    + conllu(["1", "#", "#", "SYM", "NN"])
)


def test_conllu(tmp_path):
    path = write(tmp_path, CONLLU)
    assert list(read_conllu(path)) == [
        (["Vamos", "nos", "a", "el", "mar"], ["VERB", "PRON", "ADP", "DET", "NOUN"]),
        (["#"], ["SYM"]),
    ]
    assert next(read_conllu(path, "lemma"))[1] == ["ir", "nosotros", "a", "el", "mar"]
    assert list(read_conllu(path, "xpos"))[1] == (["#"], ["NN"])
    assert list(read_conllu(path, "form"))[1] == (["#"], ["#"])


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "# c\n1\ta\tO\n",
            r"a\.conll, line 2: 3 columns; CoNLL-U needs 10, with tabs .* read_conll",
        ),
        (
            conllu(["1", "a"], ["1", "b"]),
            r'line 2: the word is numbered "1", but 2 comes next\. Sentences need a blank line',
        ),
        (conllu(["x", "a"]), r'line 1: the word is numbered "x", but 1 comes next\.'),
    ],
)
def test_what_is_said_of_wrong_conllu(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        list(read_conllu(write(tmp_path, text)))


@pytest.mark.parametrize("column", ["upo", "id"])
def test_an_unknown_column_is_refused_at_once(column):
    with pytest.raises(
        ValueError, match=rf'no column "{column}"; there are form, .*misc\.'
    ) as caught:
        read_conllu("nowhere", column)
    assert ("upos" in str(caught.value).partition("misc.")[2]) == (column == "upo")
