"""Words and phrases in a text, which are hidden as a whole: spans of characters."""

import bisect
import collections
import dataclasses
import functools


class JiebaWords:
    """The words of Chinese text, as the library jieba cuts them.

    Call arguments:
        text: str.

    Returns:
        list of `(start, end)`, in characters.

    Raises:
        ImportError: jieba is not installed.
    """

    def __call__(self, text):
        return [(start, end) for _, start, end in _jieba().tokenize(text)]


@functools.cache
def _jieba():
    try:
        import jieba
    except ImportError as error:
        raise ImportError(
            'Chinese words need jieba: pip install "keras-bert-zoo[chinese]".'
        ) from error
    jieba.setLogLevel("ERROR")
    return jieba


@dataclasses.dataclass(frozen=True)
class Phrases:
    """Where given phrases or names stand in a text, the longest where several begin (ERNIE 1).

    Args:
        phrases: tuple of str.

    Call arguments and returns: as for `JiebaWords`. What no phrase covers is in no span.

    Raises:
        ValueError: there is no phrase.
    """

    phrases: tuple

    def __post_init__(self):
        if not any(self.phrases):
            raise ValueError("There are no phrases.")

    def __call__(self, text):
        known, lengths = self._index
        found, place = [], 0
        for start, character in enumerate(text):
            if start < place or character not in lengths:
                continue
            for length in lengths[character]:
                phrase = text[start : start + length]
                end = start + len(phrase)
                if phrase in known and not _cuts_a_word(text, start, end):
                    found.append((start, end))
                    place = end
                    break
        return found

    @functools.cached_property
    def _index(self):
        """The set of phrases, and for each first character their lengths, the longest first."""
        known = {phrase for phrase in self.phrases if phrase}
        lengths = collections.defaultdict(set)
        for phrase in known:
            lengths[phrase[0]].add(len(phrase))
        return known, {first: sorted(found, reverse=True) for first, found in lengths.items()}


def _cuts_a_word(text, start, end):
    """Whether a span of a text begins or ends within a longer Latin word."""
    return any(
        0 < place < len(text) and _is_latin(text[place - 1]) and _is_latin(text[place])
        for place in (start, end)
    )


def _is_latin(character):
    return character.isascii() and character.isalnum()


def joined_tokens(offsets, spans, continues):
    """Whether each token belongs to the unit of the one before it.

    Args:
        offsets: list of `(start, end)`. Where the tokens stand in the text, rising.
        spans: list of `(start, end)`, rising. The units.
        continues: list of bool. Whether each token continues a word, where no span holds it.

    Returns:
        list of bool.

    >>> joined_tokens([(0, 1), (1, 2), (2, 3)], [(0, 2), (2, 3)], [False] * 3)
    [False, True, False]
    """
    starts = [start for start, _ in spans]
    found = []
    for start, _ in offsets:
        index = bisect.bisect_right(starts, start) - 1
        found.append(index if index >= 0 and start < spans[index][1] else None)
    return [
        (before is not None and before == unit) or (unit is None and continues[i])
        for i, (before, unit) in enumerate(zip([None, *found], found, strict=False))
    ]
