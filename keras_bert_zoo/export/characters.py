"""What BERT's normalisation makes of each Unicode character, as small arrays.

The Rust library cleans, spaces, decomposes, strips and lower-cases one character at a time. So a
table of what becomes of each holds all of it, whatever Unicode release the library was built with,
and a TensorFlow graph that reads the table agrees with it on every text. (All but one thing: of
two marks of Unicode's class "Mc" that stand in the wrong order, decomposition swaps them.)
"""

import dataclasses
import functools
import itertools

import numpy as np
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

# What a character of the output is to the splitting into words.
LETTER, PUNCTUATION, SPACE, SPECIAL = range(4)

# In `CharacterTable.outputs`: the character itself.
SELF = -1

_UNICODE = [*range(0xD800), *range(0xE000, 0x110000)]
# A letter of a word of its own, to keep characters apart that are all handed over at once.
_BETWEEN = "q"


@dataclasses.dataclass(frozen=True)
class CharacterTable:
    """Ranges of characters that are treated alike.

    Args:
        starts: int32 array, `(ranges,)`. The first character of each range, ascending.
        firsts: int32 array, `(ranges + 1,)`. Where the output of each range begins in `outputs`.
        outputs: int32 array. Code points, or `SELF`.
        kinds: int32 array, as long. `LETTER`, `PUNCTUATION`, `SPACE` or `SPECIAL`.
    """

    starts: np.ndarray
    firsts: np.ndarray
    outputs: np.ndarray
    kinds: np.ndarray

    def of(self, character):
        """The output for one character: a list of pairs of a character and its kind."""
        index = np.searchsorted(self.starts, ord(character), side="right") - 1
        where = slice(self.firsts[index], self.firsts[index + 1])
        return [
            (character if output == SELF else chr(output), int(kind))
            for output, kind in zip(self.outputs[where], self.kinds[where], strict=True)
        ]


def character_table(engine, special=()):
    """The table of a WordPiece engine.

    Args:
        engine: `tokenizers.Tokenizer` with BERT's normaliser and pre-tokeniser.
        special: iterable of str. Characters to be left alone, each of the kind `SPECIAL`.

    Returns:
        CharacterTable.
    """
    rows = list(_rows(engine.normalizer.__getstate__()))
    for character in special:
        rows[_UNICODE.index(ord(character))] = ((SELF, SPECIAL),)
    # Ranges may reach over the surrogates, which no text holds.
    codes, outputs = [], []
    for code, row in zip(_UNICODE, rows, strict=True):
        if not outputs or row != outputs[-1]:
            codes.append(code)
            outputs.append(row)
    flat = np.array([part for row in outputs for part in row], "int32").reshape(-1, 2)
    return CharacterTable(
        np.array(codes, "int32"),
        np.cumsum([0, *map(len, outputs)], dtype="int32"),
        flat[:, 0],
        flat[:, 1],
    )


@functools.lru_cache(maxsize=4)
def _rows(state):
    """For each character of Unicode its output: a tuple of pairs of a code point and a kind."""
    normalizer = BertNormalizer()
    normalizer.__setstate__(state)
    kinds = _kinds()
    known = {}  # most of a million rows are equal
    rows = []
    for code, output in zip(_UNICODE, _normalised(normalizer), strict=True):
        row = tuple((SELF if ord(c) == code else ord(c), kinds.get(c, LETTER)) for c in output)
        rows.append(known.setdefault(row, row))
    return rows


def _normalised(normalizer):
    """What becomes of each character of Unicode, in order."""
    apart = (_BETWEEN, _BETWEEN.upper())
    text = _BETWEEN.join("" if chr(code) in apart else chr(code) for code in _UNICODE)
    found = normalizer.normalize_str(text).split(_BETWEEN)
    for character in apart:
        found[ord(character)] = normalizer.normalize_str(character)
    return found


@functools.cache
def _kinds():
    """The characters that are punctuation or space, each with its kind."""
    text = _BETWEEN.join(map(chr, _UNICODE))
    covered = np.zeros(len(text), bool)
    found = {}
    for piece, (start, end) in BertPreTokenizer().pre_tokenize_str(text):
        covered[start:end] = True
        if len(piece) == 1 and piece != _BETWEEN:
            found[piece] = PUNCTUATION
    return {**found, **dict.fromkeys(itertools.compress(text, ~covered), SPACE)}
