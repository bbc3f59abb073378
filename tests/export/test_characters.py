"""The table of characters against the normaliser that it was read from."""

import pytest
from support import tiny_tokenizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from keras_bert_zoo.export.characters import LETTER, PUNCTUATION, SPACE, SPECIAL, character_table

SETTINGS = {
    "uncased": {},
    "cased": {"lowercase": False},
    "uncased with accents": {"strip_accents": False},
    "Chinese unsplit": {"split_chinese": False},
}


def table_of(**settings):
    return character_table(tiny_tokenizer(**settings).engine)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_text_is_its_characters(name):
    """What the table gives, joined and split by kinds, is what the library makes of a text."""
    engine = tiny_tokenizer(**SETTINGS[name]).engine
    table = character_table(engine)
    text = "Ça va, ÉTÉ? “ﬁn” 東京 – ΑΣ İx 가각 \t\x00a\u0301\u200bq Q q² 𝒜\U0001f680."
    output = [pair for character in text for pair in table.of(character)]
    assert "".join(c for c, _ in output) == engine.normalizer.normalize_str(text)
    words, open_word = [], False
    for character, kind in output:
        if kind == LETTER and open_word:
            words[-1] += character
        elif kind != SPACE:
            words.append(character)
        open_word = kind == LETTER
    normalised = engine.normalizer.normalize_str(text)
    assert words == [w for w, _ in BertPreTokenizer().pre_tokenize_str(normalised)]


def test_kinds():
    table = table_of()
    kinds = {c: table.of(c) for c in "aA!$ \u3000"}
    assert kinds["a"] == kinds["A"] == [("a", LETTER)]
    assert kinds["!"] == [("!", PUNCTUATION)] and kinds["$"] == [("$", PUNCTUATION)]
    assert kinds[" "] == kinds["\u3000"] == [(" ", SPACE)]
    assert table.of("東") == [(" ", SPACE), ("東", LETTER), (" ", SPACE)]
    assert table.of("\u0301") == table.of("\x07") == table.of("\ue000") == []


def test_the_last_and_the_first_character_count():
    table = table_of()
    assert table.of("\x00") == []
    assert table.of("\U0010ffff") == [("\U0010ffff", LETTER)]
    assert table.starts[0] == 0


def test_settings_matter():
    tables = [table_of(**settings) for settings in SETTINGS.values()]
    rows = [[table.of(c) for c in "AÉ東"] for table in tables]
    assert all(rows[i] != rows[j] for i in range(4) for j in range(i))


def test_special_characters_are_left_alone():
    engine = tiny_tokenizer().engine
    table = character_table(engine, ["\x01"])
    assert table.of("\x01") == [("\x01", SPECIAL)]
    assert table.of("\x02") == [] and table.of("\x00") == []
    assert character_table(engine).of("\x01") == []


def test_the_table_is_small():
    table = table_of()
    stored = sum(part.nbytes for part in (table.starts, table.firsts, table.outputs))
    assert stored < 300_000
