"""Tables with columns of the caller's choice: JSON lines and delimited text."""

import csv

from keras_bert_zoo.data.formats.columns import column_number, counted, quoted
from keras_bert_zoo.data.formats.lines import parse_json, read_lines


def read_jsonl(path, /, **columns):
    """The objects of a JSON lines file.

    Args:
        path: str or path.
        **columns: str. What to call a value, and its key in the file: `label="sentiment"`. None
            given: the objects as they are.

    Returns:
        A generator of dicts. Blank lines are passed over.

    Raises:
        ValueError: a column is no str; a line is not JSON, no object, or lacks a key.
    """
    for name, column in columns.items():
        if not isinstance(column, str):
            raise ValueError(f'{name} must be a key of the file, such as "text"; got {column!r}.')
    return _objects(path, columns)


def _objects(path, columns):
    for number, line in read_lines(path):
        if not line.strip(" \t"):
            continue
        row = parse_json(line, path, number)
        if not isinstance(row, dict):
            raise ValueError(
                f"{path}, line {number}: each line must be an object {{…}}; got a "
                f"{type(row).__name__}. For one JSON value in the whole file use json.load."
            )
        for column in columns.values():
            column_number(list(row), column, f"{path}, line {number}")
        yield {name: row[column] for name, column in columns.items()} if columns else row


def read_csv(path, /, *, delimiter=",", quotes=None, header=True, **columns):
    """The rows of a delimited table.

    Args:
        path: str or path.
        delimiter: str. One character.
        quotes: bool or None. Whether `"` encloses cells, which may then hold delimiters and line
            breaks; if not, it is text like any other. None: yes, unless the delimiter is a tab.
        header: bool. Whether the first line names the columns.
        **columns: str or int. What to call a value, and its column by name or by number from 0:
            `text="review"`, or `text=3` where there is no header. None given: all, by the header.

    Returns:
        A generator of dicts of str. Empty lines are passed over.

    Raises:
        ValueError: the arguments contradict each other; a column is missing; a row has another
            number of columns than the first; a quotation mark is not closed, or a quoted cell is
            longer than `csv.field_size_limit()`.
    """
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f'delimiter must be one character, such as ","; got {delimiter!r}.')
    for name, column in columns.items():
        if not isinstance(column, (str, int)) or isinstance(column, bool):
            raise ValueError(f"{name} must be a column's name or number; got {column!r}.")
        if isinstance(column, str) and not header:
            raise ValueError(
                f'{name}="{column}" names a column, but header=False; give its number, such as '
                f"{name}=0."
            )
    if not columns and not header:
        raise ValueError("header=False needs columns by number, such as text=0; got none.")
    quotes = delimiter != "\t" if quotes is None else quotes
    return _table(path, delimiter, quotes, header, columns)


def _table(path, delimiter, quotes, header, columns):
    rows = (_quoted_rows if quotes else _plain_rows)(path, delimiter)
    first, names = next(rows, (1, []))
    where = f"{path}, line {first}"
    if not names:
        raise ValueError(f"{path}, line 1: the file is empty.")
    columns = columns or {name: name for name in names}
    places = {name: _place(column, names, where) for name, column in columns.items()}
    if not header:
        yield {name: names[place] for name, place in places.items()}
    for number, row in rows:
        if len(row) != len(names):
            hint = "is text, pass quotes=False" if quotes else "encloses cells, pass quotes=True"
            raise ValueError(
                f'{path}, line {number}: {counted(len(row))}; line {first} has {len(names)}. If " '
                f"{hint}."
            )
        yield {name: row[place] for name, place in places.items()}


def _place(column, names, where):
    if isinstance(column, str):
        return column_number(names, column, where)
    if not 0 <= column < len(names):
        raise ValueError(
            f"{where}: no column {quoted(column)}; they are numbered 0 to {len(names) - 1}."
        )
    return column


def _plain_rows(path, delimiter):
    for number, line in read_lines(path):
        if line:
            yield number, line.split(delimiter)


def _quoted_rows(path, delimiter):
    lines = (f"{line}\n" for _, line in read_lines(path))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise ValueError(
                f'{path}, line {number}: {error}. If " is text like any other, pass quotes=False.'
            ) from error
        if row is None:
            return
        if row:
            yield number, row
