"""Rows of pre-training in Arrow files, which are read where they lie."""

import numpy as np

from keras_bert_zoo.data.pretraining.rows import PretrainingRow

SUFFIX = ".arrow"
# Fields with a number a token or a mask, and the type of the numbers.
_LISTS = {
    "token_ids": "int32",
    "joined": "uint8",
    "mask_positions": "int32",
    "mask_ids": "int32",
}
_SCALARS = {"first_length": "int32", "label": "int8"}


def _arrow():
    """The library, which is an extra.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            'Arrow files need pyarrow: pip install "keras-bert-zoo[pretraining]".'
        ) from error
    return pyarrow


def write(path, rows, max_length, most_masks):
    """Writes rows to an Arrow file (IPC), with a column a field.

    Args:
        path: Path.
        rows: list of PretrainingRow, at least one, that all have the same fields.
        max_length, most_masks: int. As every format of `files.FORMATS` is given them; here rows
            keep their own lengths.
    """
    pa = _arrow()
    columns = {}
    for name, dtype in _SCALARS.items():
        columns[name] = pa.array(np.array([getattr(row, name) for row in rows], dtype))
    for name, dtype in _LISTS.items():
        lists = [getattr(row, name) for row in rows]
        if lists[0] is not None:
            ends = np.cumsum([0, *map(len, lists)], dtype="int32")
            values = pa.array(np.concatenate(lists).astype(dtype))
            columns[name] = pa.ListArray.from_arrays(pa.array(ends), values)
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read(path):
    """The rows of an Arrow file, without reading it as a whole.

    Args:
        path: Path.

    Returns:
        list of ArrowRows, one for each batch that the file was written in.

    Raises:
        ValueError: it is no Arrow file, is cut short, or lacks a column.
    """
    pa = _arrow()
    try:
        with pa.ipc.open_file(pa.memory_map(str(path))) as file:
            batches = [file.get_batch(i) for i in range(file.num_record_batches)]
            names = set(file.schema.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is cut short or no Arrow file: {error}") from error
    lacking = {*_SCALARS, "token_ids"} - names
    if lacking:
        raise ValueError(f"{path} has no column {', '.join(sorted(lacking))}.")
    return [ArrowRows(batch) for batch in batches]


class ArrowRows:
    """Rows that lie in an Arrow record batch.

    Args:
        batch: `pyarrow.RecordBatch`.
    """

    def __init__(self, batch):
        self._scalars = {name: batch.column(name).to_numpy() for name in _SCALARS}
        self._lists = {}
        for name in _LISTS:
            if name in batch.schema.names:
                column = batch.column(name)
                self._lists[name] = (column.values.to_numpy(), column.offsets.to_numpy())
        self.lengths = np.diff(self._lists["token_ids"][1])

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        fields = {name: int(values[index]) for name, values in self._scalars.items()}
        for name, (values, ends) in self._lists.items():
            fields[name] = values[ends[index] : ends[index + 1]]
        if "joined" in fields:
            fields["joined"] = fields["joined"].astype(bool)
        return PretrainingRow(**fields)
