"""Paragraphs to sentences, English and Chinese alike, by the marks that end them."""

import re

# A Chinese mark ends a sentence by itself, with the quotes and brackets that it closes.
_CHINESE = r"[。！？]+[”’」』）》]*"
# A Latin one where a space follows, and then anything but a small letter.
_LATIN = r"[.!?]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]*(?P<next>\S))"
_END = re.compile(f"{_CHINESE}|{_LATIN}")

# Words whose point ends no sentence; so do single letters ("J. R. Smith", "e.g.").
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof rev gen col lt sgt capt gov sen rep st mt ft jr sr no nos vol vols fig figs "
    "eq ed eds pp ca cf al approx vs inc corp ltd co bros dept univ est jan feb mar apr jun jul "
    "aug sep sept oct nov dec".split()
)
_LONGEST = 1 + max(map(len, ABBREVIATIONS))
_LAST_WORD = re.compile(r"[^\W\d_]+\Z")


def split_sentences(paragraph):
    """The sentences of a paragraph, without the space around them.

    Args:
        paragraph: str.

    Returns:
        list of str; nothing but space is lost.

    >>> split_sentences('He met Dr. Weiss in Bern. "Why?" she asked. They left at 5.30 p.m.')
    ['He met Dr. Weiss in Bern.', '"Why?" she asked.', 'They left at 5.30 p.m.']
    >>> split_sentences("车站在城东。明天开门吗？他说：“不开。”")
    ['车站在城东。', '明天开门吗？', '他说：“不开。”']
    """
    sentences, start = [], 0
    for end in _END.finditer(paragraph):
        following = end["next"]
        if following is not None and (
            following.islower()
            or _is_abbreviation(paragraph[max(start, end.start() - _LONGEST) : end.end()])
        ):
            continue
        sentences.append(paragraph[start : end.end()].strip())
        start = end.end()
    sentences.append(paragraph[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _is_abbreviation(text):
    """Whether a text that ends in a mark ends in a word that is written with a point."""
    if not text.endswith(".") or text.endswith(".."):
        return False
    word = _LAST_WORD.search(text[:-1])
    return word is not None and (len(word[0]) == 1 or word[0].lower() in ABBREVIATIONS)
