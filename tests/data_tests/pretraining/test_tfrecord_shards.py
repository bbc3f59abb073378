"""TFRecord files: read a record at a time, and what is told of damaged ones."""

import importlib.util
import struct

import numpy as np
import pytest

from keras_bert_zoo.data.pretraining import tfrecord_shards
from keras_bert_zoo.data.pretraining.rows import PretrainingRow

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("google_crc32c") is None, reason="needs the extra pretraining"
)

ROW = PretrainingRow(np.array([2, 9, 3, 8, 3], "int32"), 3, 1)


def test_a_record_is_read_when_it_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "rows.tfrecord"
    tfrecord_shards.write(path, [ROW] * 5, 24, 4)
    read, features = [], tfrecord_shards.TFRecordRows._features

    def noted(self, file, index):
        read.append(index)
        return features(self, file, index)

    monkeypatch.setattr(tfrecord_shards.TFRecordRows, "_features", noted)
    (rows,) = tfrecord_shards.read(path)
    assert len(rows) == 5 and read == []
    assert rows[3].token_ids.tolist() == ROW.token_ids.tolist()
    assert read == [3]
    assert rows.lengths.tolist() == [5] * 5
    assert read == [3, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "is empty"),
        (lambda data: data[:5], "is cut short in record 0"),
        (lambda data: data[:-1], "is cut short in record 1"),
        (lambda data: data + b"more", "is cut short in record 2"),
        (lambda data: b"\0" + data[1:], "the length of record 0 is damaged"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "record 0 is damaged"),
    ],
    ids=["empty", "head", "tail", "next head", "length", "record"],
)
def test_what_is_wrong_with_records_is_told(tmp_path, change, message):
    path = tmp_path / "rows.tfrecord"
    tfrecord_shards.write(path, [ROW, ROW], 24, 4)
    (rows,) = tfrecord_shards.read(path)
    assert rows.lengths.tolist() == [5, 5]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"rows\.tfrecord.*{message}"):
        tfrecord_shards.read(path)[0][0]
    if message.endswith("1"):  # cut after it was opened
        with pytest.raises(ValueError, match=message):
            rows[1]


def test_records_that_are_no_rows_are_named(tmp_path, monkeypatch):
    path = tmp_path / "rows.tfrecord"
    features = tfrecord_shards._features

    def of_a_tagger(*arguments):
        return {k: v for k, v in features(*arguments).items() if k != "next_sentence_labels"}

    monkeypatch.setattr(tfrecord_shards, "_features", of_a_tagger)
    tfrecord_shards.write(path, [ROW], 8, 2)
    with pytest.raises(ValueError, match="record 0 has no next_sentence_labels"):
        tfrecord_shards.read(path)[0][0]
    record = b"\xff" * 9
    length = struct.pack("<Q", len(record))
    checksums = [struct.pack("<I", tfrecord_shards._checksum(data)) for data in (length, record)]
    path.write_bytes(length + checksums[0] + record + checksums[1])
    with pytest.raises(ValueError, match=r"record 0 is no tf\.train\.Example"):
        tfrecord_shards.read(path)[0][0]
