"""CoNLL files: a word a line, a blank line after each sentence."""

import re

from keras_bert_zoo.data.formats.columns import counted
from keras_bert_zoo.data.formats.lines import read_lines
from keras_bert_zoo.spelling import did_you_mean

CONLLU_COLUMNS = "id form lemma upos xpos feats head deprel deps misc".split()
# 1-2 is a token that stands for several words, 1.1 a word that the text leaves out.
OTHER_ID = re.compile(r"[0-9]+[-.][0-9]+")


def read_conll(path, word_column=0, label_column=-1, separator=None, comment=None):
    """Sentences of words with labels, from columns.

    Blank lines and `-DOCSTART-` lines end a sentence. `#` is a word like any other, as in tweets,
    unless `comment` says more.

    Args:
        path: str or path.
        word_column: int. The column of the words; negative numbers count from the last.
        label_column: int or None. The column of the labels; None where the file has none.
        separator: str or None. What stands between columns. None: tabs where a line has one, else
            runs of spaces.
        comment: str or None. How lines to leave out begin, such as `"# "`.

    Yields:
        `(words, labels)`: two lists of str of one length; labels is None without a label column.

    Raises:
        ValueError: a line has too few columns, or another number than its sentence; a word is
            empty.
    """
    for block in _blocks(path, comment):
        words, labels, width = [], [], None
        for number, line in block:
            fields = _fields(line, separator)
            if "-DOCSTART-" in fields:
                if words:
                    yield words, None if label_column is None else labels
                words, labels, width = [], [], None
                continue
            where = f"{path}, line {number}"
            _check_width(len(fields), width, word_column, label_column, where)
            width = len(fields)
            if not fields[word_column]:
                raise ValueError(f"{where}: the word in column {word_column} is empty.")
            words.append(fields[word_column])
            labels.append(None if label_column is None else fields[label_column])
        if words:
            yield words, None if label_column is None else labels


def read_conllu(path, column="upos"):
    """Sentences of words with one of their columns, from CoNLL-U.

    Comments, tokens of several words (`1-2`) and empty nodes (`1.1`) are left out: what remains
    are the syntactic words.

    Args:
        path: str or path.
        column: str. form, lemma, upos, xpos, feats, head, deprel, deps or misc.

    Returns:
        A generator of `(words, values)`: two lists of str of one length. A value that the file
        leaves open is `"_"`.

    Raises:
        ValueError: there is no such column, a line has not 10 columns, or a word's number is wrong.
    """
    if column not in CONLLU_COLUMNS[1:]:
        raise ValueError(
            f'CoNLL-U has no column "{column}"; there are {", ".join(CONLLU_COLUMNS[1:])}.'
            + did_you_mean(column, CONLLU_COLUMNS[1:])
        )
    return _conllu_sentences(path, CONLLU_COLUMNS.index(column))


def _conllu_sentences(path, column):
    for block in _blocks(path, "#"):
        words, values = [], []
        for number, line in block:
            fields = line.split("\t")
            where = f"{path}, line {number}"
            if len(fields) != len(CONLLU_COLUMNS):
                raise ValueError(
                    f"{where}: {counted(len(fields))}; CoNLL-U needs 10, with tabs between them. "
                    "For other columns use read_conll."
                )
            if OTHER_ID.fullmatch(fields[0]):
                continue
            wanted = str(len(words) + 1)
            if fields[0] != wanted:
                raise ValueError(
                    f'{where}: the word is numbered "{fields[0]}", but {wanted} comes next. '
                    "Sentences need a blank line between them."
                )
            words.append(fields[1])
            values.append(fields[column])
        if words:
            yield words, values


def _blocks(path, comment):
    """Lists of the numbered lines between blank ones, without comments."""
    block = []
    for number, line in read_lines(path):
        if not line.strip(" \t"):
            yield block
            block = []
        elif not comment or not line.startswith(comment):
            block.append((number, line))
    yield block


def _fields(line, separator):
    if separator is not None:
        return line.split(separator)
    # Not str.split(), which would cut words at U+3000 and no-break spaces.
    return line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))


def _check_width(found, before, word_column, label_column, where):
    if before is not None and found != before:
        raise ValueError(
            f"{where}: {counted(found)}; the line before has {before}. If it is a comment, say how "
            'comments begin, such as comment="# ".'
        )
    wanted = [column for column in (word_column, label_column) if column is not None]
    needed = max(column + 1 if column >= 0 else -column for column in wanted)
    if found < needed:
        raise ValueError(
            f"{where}: {counted(found)}; word_column={word_column} and label_column={label_column} "
            f"need {needed}."
        )
    if len({column % found for column in wanted}) < len(wanted):
        raise ValueError(
            f"{where}: {counted(found)}, so that word_column={word_column} and "
            f"label_column={label_column} are the same; pass label_column=None for words alone."
        )
