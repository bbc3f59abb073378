"""Paragraphs to sentences, English and Chinese alike, by the marks that end them."""

import re

# A Chinese mark ends a sentence by itself, with the quotes and brackets that are closed after it.
_CHINESE = r"[。！？]+(?P<closers>[”’」』）》)\]\"']*)"
# A Latin one where a space follows, and then anything but a small letter. Runs of marks are read
# once, from their first on and never back ("++"), or a line of dots would take its length squared.
_LATIN = r"(?<![.!?])[.!?]++[\"'”’)\]]*+(?=\s++[\"'“‘(\[]*(?P<next>\S))"
_END = re.compile(f"{_CHINESE}|{_LATIN}")
# ASCII's quotes, which look alike at both ends; but not the apostrophe of a Latin word.
_QUOTE = re.compile(r"\"|(?<![A-Za-z])'|'(?![A-Za-z])")

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
    sentences, start, opening = [], 0, _opening_quotes(paragraph)
    for end in _END.finditer(paragraph):
        following, stop = end["next"], end.end()
        if following is None:
            if paragraph[stop : stop + 1].strip():  # else all close, there being nothing to open
                stop = next((at for at in range(*end.span("closers")) if at in opening), stop)
        elif following.islower() or _is_abbreviation(
            paragraph[max(start, end.start() - _LONGEST) : stop]
        ):
            continue
        sentences.append(paragraph[start:stop].strip())
        start = stop
    sentences.append(paragraph[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _opening_quotes(paragraph):
    """Where ASCII quotes open: the first, third, fifth, … of either kind."""
    places, opened = set(), set()
    for quote in _QUOTE.finditer(paragraph):
        if quote[0] not in opened:
            places.add(quote.start())
        opened ^= {quote[0]}
    return places


def _is_abbreviation(text):
    """Whether a text that ends in a mark ends in a word that is written with a point."""
    if not text.endswith(".") or text.endswith(".."):
        return False
    word = _LAST_WORD.search(text[:-1])
    return word is not None and (len(word[0]) == 1 or word[0].lower() in ABBREVIATIONS)
