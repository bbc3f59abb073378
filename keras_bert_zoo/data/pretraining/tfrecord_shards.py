"""Rows of pre-training in TFRecord files, with the features of Google's code, without TensorFlow.

`input_ids`, `input_mask` and `segment_ids` are filled up with zeros to the longest row,
`masked_lm_positions`, `masked_lm_ids` and `masked_lm_weights` to the most masks; beside them are
`next_sentence_labels` and, where units were found in the text, `joined`. Rows that are not masked
yet lack the masks.
"""

import functools
import os
import struct

import numpy as np

from keras_bert_zoo.data.pretraining.rows import PretrainingRow

SUFFIX = ".tfrecord"

# A record: its length (8 bytes) and that number's checksum (4), the record, its checksum (4).
_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")


def write(path, rows, max_length, most_masks):
    """Writes rows to a TFRecord file.

    Args:
        path: Path.
        rows: list of PretrainingRow, at least one, that all have the same fields.
        max_length: int. Numbers in each feature of tokens.
        most_masks: int. Numbers in each feature of masks.
    """
    with open(path, "wb") as file:
        for row in rows:
            example = _example()
            for name, values in _features(row, max_length, most_masks).items():
                kind = "float_list" if values.dtype == np.float32 else "int64_list"
                getattr(example.features.feature[name], kind).value.extend(values.tolist())
            record = example.SerializeToString(deterministic=True)
            length = struct.pack("<Q", len(record))
            file.write(length + _TAIL.pack(_checksum(length)))
            file.write(record + _TAIL.pack(_checksum(record)))


def _features(row, max_length, most_masks):
    def filled(values, size, dtype="int64"):
        array = np.zeros(size, dtype)
        array[: len(values)] = values
        return array

    segments = np.arange(len(row)) >= row.first_length
    features = {
        "input_ids": filled(row.token_ids, max_length),
        "input_mask": filled(np.ones(len(row)), max_length),
        "segment_ids": filled(segments, max_length),
        "next_sentence_labels": np.array([row.label], "int64"),
    }
    if row.joined is not None:
        features["joined"] = filled(row.joined, max_length)
    if row.mask_positions is not None:
        count = len(row.mask_positions)
        features["masked_lm_positions"] = filled(row.mask_positions, most_masks)
        features["masked_lm_ids"] = filled(row.mask_ids, most_masks)
        features["masked_lm_weights"] = filled(np.ones(count), most_masks, "float32")
    return features


def read(path):
    """The rows of a TFRecord file, each parsed when it is asked for.

    Args:
        path: Path.

    Returns:
        list of one TFRecordRows.

    Raises:
        ValueError: the file is empty or cut short, or the length of a record is damaged.
    """
    return [TFRecordRows(path)]


class TFRecordRows:
    """Rows that lie in a TFRecord file, which is open only while it is read.

    Opening it reads where its records lie; a row is read and checked when it is asked for.

    Args:
        path: Path.

    Raises:
        ValueError: the file is empty or cut short, or the length of a record is damaged. So does
            what reads rows, where a record is damaged or no row.
    """

    def __init__(self, path):
        self._path = path
        self._starts, self._sizes = _records(path)

    @functools.cached_property
    def lengths(self):
        """The tokens of each row, `(rows,)`. All of the file is read for them, once."""
        with open(self._path, "rb") as file:
            return np.array([_length(self._features(file, i)) for i in range(len(self))], "int64")

    def _features(self, file, index):
        from google.protobuf.message import DecodeError

        size = int(self._sizes[index])
        file.seek(self._starts[index])
        record, tail = file.read(size), file.read(_TAIL.size)
        if len(tail) < _TAIL.size:
            raise ValueError(f"{self._path} is cut short in record {index}.")
        if _TAIL.unpack(tail)[0] != _checksum(record):
            raise ValueError(f"{self._path}: record {index} is damaged.")
        example = _example()
        try:
            example.ParseFromString(record)
        except DecodeError as error:
            raise ValueError(f"{self._path}: record {index} is no tf.train.Example.") from error
        features = example.features.feature
        for name in ("input_ids", "input_mask", "segment_ids", "next_sentence_labels"):
            if name not in features:
                raise ValueError(f"{self._path}: record {index} has no {name}.")
        return features

    def __len__(self):
        return len(self._starts)

    def __getitem__(self, index):
        with open(self._path, "rb") as file:
            features = self._features(file, index)
        length = _length(features)
        fields = {}
        if "joined" in features:
            fields["joined"] = _numbers(features, "joined")[:length].astype(bool)
        if "masked_lm_positions" in features:
            weights = np.array(features["masked_lm_weights"].float_list.value)
            fields["mask_positions"] = _numbers(features, "masked_lm_positions")[weights > 0]
            fields["mask_ids"] = _numbers(features, "masked_lm_ids")[weights > 0]
        segments = _numbers(features, "segment_ids")[:length]
        return PretrainingRow(
            _numbers(features, "input_ids")[:length],
            first_length=int(np.argmax(segments)) if segments.any() else length,
            label=int(_numbers(features, "next_sentence_labels")[0]),
            **fields,
        )


def _records(path):
    """Where each record of a file begins, and its size: two int arrays, `(records,)`."""
    starts, sizes, place = [], [], 0
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        while place < end:
            file.seek(place)
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                raise ValueError(f"{path} is cut short in record {len(starts)}.")
            size, checksum = _HEAD.unpack(head)
            if _checksum(head[:8]) != checksum:
                raise ValueError(f"{path}: the length of record {len(starts)} is damaged.")
            starts.append(place + _HEAD.size)
            sizes.append(size)
            place = starts[-1] + size + _TAIL.size
    if not starts:
        raise ValueError(f"{path} is empty.")
    if place > end:
        raise ValueError(f"{path} is cut short in record {len(starts) - 1}.")
    return np.array(starts, "int64"), np.array(sizes, "int64")


def _length(features):
    """The tokens of a row."""
    return sum(features["input_mask"].int64_list.value)


def _numbers(features, name):
    """The whole numbers of a feature, `(numbers,)`."""
    return np.array(features[name].int64_list.value, "int32")


def _checksum(data):
    """TFRecord's masked CRC-32C of some bytes."""
    try:
        import google_crc32c
    except ImportError as error:
        raise ImportError(
            'TFRecord files need google-crc32c: pip install "keras-bert-zoo[pretraining]".'
        ) from error
    crc = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _example():
    return _example_class()()


@functools.cache
def _example_class():
    """`tf.train.Example`, as far as it is needed: lists of whole numbers and of floats by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example", package="rows", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name, fields, parent=file.message_type):
        found = parent.add(name=name)
        for number, field, label, kind in fields:
            text = kind if isinstance(kind, str) else None
            found.field.add(
                name=field,
                number=number,
                label=label,
                type=kinds.TYPE_MESSAGE if text else kind,
                type_name=text,
            )
        return found

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message("FloatList", [(1, "value", many, kinds.TYPE_FLOAT)])
    message("Int64List", [(1, "value", many, kinds.TYPE_INT64)])
    message(
        "Feature",
        [(2, "float_list", one, ".rows.FloatList"), (3, "int64_list", one, ".rows.Int64List")],
    )
    features = message("Features", [(1, "feature", many, ".rows.Features.FeatureEntry")])
    entry = message(
        "FeatureEntry",
        [(1, "key", one, kinds.TYPE_STRING), (2, "value", one, ".rows.Feature")],
        features.nested_type,
    )
    entry.options.map_entry = True
    message("Example", [(1, "features", one, ".rows.Features")])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("rows.Example"))
