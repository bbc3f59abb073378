"""Files as documents."""

import gzip
import itertools
import lzma

import pytest

from keras_bert_zoo.data.pretraining.documents import as_documents, blocks_of, read_documents

TEXT = "\n\n A title \nFirst line.\n\n\n\nSecond document.\r\n   \nThird.\n"
DOCUMENTS = [["A title", "First line."], ["Second document."], ["Third."]]


def test_blank_lines_part_documents(tmp_path):
    for name, opener in (("a.txt", open), ("a.txt.gz", gzip.open), ("a.txt.xz", lzma.open)):
        with opener(tmp_path / name, "wb") as file:
            file.write(TEXT.encode())
        assert list(read_documents([tmp_path / name])) == DOCUMENTS


def test_a_files_end_parts_documents(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("No end of line", encoding="utf-8")
    found = list(read_documents([tmp_path / "a", tmp_path / "b"]))
    assert found == [["No end of line"]] * 2


def test_a_line_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"good\nb\xe4d\n")
    with pytest.raises(ValueError, match="line 2: byte 1 is 0xe4"):
        list(read_documents([tmp_path / "a"]))


def test_blocks_hold_all_documents_in_order():
    documents = [["x" * size] for size in (5, 6, 1, 20, 3)]
    blocks = list(blocks_of(iter(documents), 10))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert list(itertools.chain(*blocks)) == documents


def test_documents_of_a_caller():
    assert as_documents(["a\n\n b", ["c", " "]]) == [["a", "b"], ["c"]]
    with pytest.raises(ValueError, match="Document 1 is neither a text nor a list of texts: 3"):
        as_documents(["a", 3])
    with pytest.raises(ValueError, match="Documents must be a list; got str"):
        as_documents("a")
