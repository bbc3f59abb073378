"""Vocabularies, settings and texts that the tests of tokenizers run through."""

import functools
import re
import unicodedata

from hypothesis import strategies as st
from support import TOKENS, hard_strings, write_vocabulary

import keras_bert_zoo as kbz

SPECIAL = TOKENS[:5]
PROSE = (
    "The lamp by the window was warmer than the kettle. She unwrapped the parcel, rewound the "
    "clock and walked out; nobody minded the unopened letters. Übermut, naïve cafés, ΟΔΥΣΣΕΑΣ. "
    "他在河边等了很久，东京的雨下个不停。"
).split()

# Name -> which vocabulary, and what the tokenizer_config.json says.
SETTINGS = {
    "uncased": ("words", {"do_lower_case": True}),
    "cased": ("words", {"do_lower_case": False}),
    "uncased with accents": ("words", {"do_lower_case": True, "strip_accents": False}),
    "cased without accents": ("words", {"do_lower_case": False, "strip_accents": True}),
    "Chinese": ("characters", {"do_lower_case": True}),
    "Chinese unsplit": ("words", {"do_lower_case": True, "tokenize_chinese_chars": False}),
}


def without_accents(text):
    parts = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in parts if unicodedata.category(letter) != "Mn")


PIECES = st.one_of(
    st.sampled_from(PROSE + SPECIAL + ["[mask]", "[MASK", "[ SEP ]", "a" * 100, "b" * 101, "##er"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.text(st.sampled_from("\x00\x07\t\n\x0b\x0c\r\x85\xa0\xad\u200b\u2028\u3000\ufeff\ufffd")),
    st.text(st.sampled_from("aeionuAEİſßﬁςΣ漢字ぱ가ไทยहिन्दी\u0301\u0323\u0345\u20dd"), max_size=5),
    st.text(st.sampled_from("👍🏽👩‍🚀🇯🇵𠀀𝒜\ue000\U000e0041\U0002b820"), max_size=3),
)
TEXTS = st.builds(str.join, st.sampled_from(["", " ", "-"]), st.lists(PIECES, max_size=6))


@functools.cache
def vocabularies():
    """Name -> tokens that know half of the hard strings; the other half meets unknown tokens."""
    texts = hard_strings()[::2] + PROSE
    texts += [text.lower() for text in texts]
    texts += [without_accents(text) for text in texts]
    letters = sorted({letter for text in texts for letter in text if letter.isprintable()} - {" "})
    characters = SPECIAL + letters + [f"##{letter}" for letter in letters]
    words = {word for text in texts for word in re.findall(r"\w\w+", text)}
    heads = {word[:3] for word in words} | {word for word in words if len(word) < 8}
    tails = {f"##{word[3:]}" for word in words if len(word) > 4}
    return {
        "characters": characters,
        "words": characters + sorted(heads | tails),
    }


def write(folder, setting):
    """Writes the tokenizer of one of the settings as a Hugging Face folder has it."""
    vocabulary, said = SETTINGS[setting]
    return write_vocabulary(folder, vocabularies()[vocabulary], **said)


def tokenizer_of(folder, setting):
    """The Tokenizer of one of the settings."""
    return kbz.Tokenizer.from_preset(write(folder, setting))
