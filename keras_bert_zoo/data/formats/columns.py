"""Columns by name: found in a header, and taken out of examples."""

from keras_bert_zoo.spelling import did_you_mean


def columns(examples, *names):
    """The examples as lists, one a name: what `fit` takes.

    Args:
        examples: iterable of dicts, as most readers yield them; or of tuples, as `read_conll` does.
        *names: str, a key of the dicts; int, a place in the tuples; or a tuple of these, for the
            texts of a pair.

    Returns:
        A tuple with one list a name, and a tuple of lists for a tuple of names. For one name alone,
        its list.

    Raises:
        ValueError: no name is given, or an example lacks one.

    >>> rows = [{"text": "fine", "label": "1"}, {"text": "poor", "label": "0"}]
    >>> texts, labels = columns(rows, "text", "label")
    >>> texts
    ['fine', 'poor']
    >>> rows = [{"text": "a", "text_pair": "b", "label": "1"}]
    >>> columns(rows, ("text", "text_pair"), "label")
    ((['a'], ['b']), ['1'])
    """
    if not names:
        raise ValueError('columns needs the names to take, such as "text" and "label"; got none.')
    flat = [part for name in names for part in (name if isinstance(name, tuple) else (name,))]
    taken = [[] for _ in flat]
    for i, example in enumerate(examples):
        for name, values in zip(flat, taken, strict=True):
            try:
                values.append(example[name])
            except (KeyError, IndexError, TypeError) as error:
                raise ValueError(_lacks(i, example, name)) from error
    lists = iter(taken)
    found = tuple(
        tuple(next(lists) for _ in name) if isinstance(name, tuple) else next(lists)
        for name in names
    )
    return found[0] if len(found) == 1 else found


def _lacks(i, example, name):
    known = list(example) if isinstance(example, dict) else [*range(len(example))]
    return (
        f"Example {i} has no {quoted(name)}; it has {', '.join(map(quoted, known))}."
        + did_you_mean(name, map(str, known))
    )


def column_number(header, name, where):
    """The place of a column.

    Args:
        header: list of str. The names of the columns.
        name: str.
        where: str. The place to name in an error, such as `"train.tsv, line 1"`.

    Raises:
        ValueError: no column has the name, or several have.
    """
    if name not in header:
        raise ValueError(
            f"{where}: no column {quoted(name)}; there are {', '.join(map(quoted, header))}."
            + did_you_mean(name, header)
        )
    if header.count(name) > 1:
        raise ValueError(
            f"{where}: {header.count(name)} columns are named {quoted(name)}; give each its own "
            "name."
        )
    return header.index(name)


def counted(columns):
    """A number of columns as errors show it."""
    return f"{columns} column{'' if columns == 1 else 's'}"


def quoted(name):
    """A name as errors show it."""
    return f'"{name}"' if isinstance(name, str) else str(name)
