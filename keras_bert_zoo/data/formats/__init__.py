"""Readers of the file formats that data sets come in: one example at a time, errors with a line.

Every reader is a generator, opens `.gz` and `.xz` files as it does plain ones, wants UTF-8 (a byte
order mark is dropped) and ends a line at `\\n` or `\\r\\n` only, never at U+2028 or its like.
"""

from keras_bert_zoo.data.formats.columns import columns
from keras_bert_zoo.data.formats.conll import read_conll, read_conllu
from keras_bert_zoo.data.formats.glue import GLUE, GlueTask, read_glue
from keras_bert_zoo.data.formats.questions import read_cmrc, read_squad
from keras_bert_zoo.data.formats.tables import read_csv, read_jsonl

__all__ = [
    "GLUE",
    "GlueTask",
    "columns",
    "read_cmrc",
    "read_conll",
    "read_conllu",
    "read_csv",
    "read_glue",
    "read_jsonl",
    "read_squad",
]
