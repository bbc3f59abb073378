"""Building, reading and training WordPiece, and where it differs from Google's own code."""

import json

import pytest
import tokenizers
from support import TOKENS
from tokenizers import models, normalizers, pre_tokenizers

import keras_bert_zoo as kbz
from keras_bert_zoo.families import FAMILIES
from keras_bert_zoo.tokenizers import wordpiece

SPECIAL = FAMILIES["bert"].special_tokens
LETTERS = [*TOKENS[:5], *"abxσς[]", "mask", "##a", "##b", "##x", "##σ", "##ς", "\U0002b820"]


def tokens_of(text, vocabulary=LETTERS, **settings):
    """The tokens of a text under a vocabulary."""
    tokenizer = kbz.Tokenizer.from_vocabulary(vocabulary, **settings)
    return [tokenizer.id_to_token(number) for number in tokenizer.tokenize(text)]


# === Where Google's tokenization.py does otherwise ===


@pytest.mark.parametrize(
    ("length", "known"), [(99, True), (100, True), (101, False), (200, False), (201, False)]
)
def test_words_of_more_than_100_characters_are_unknown(length, known):
    # Google: up to 200.
    assert tokens_of("x" * length) == (["x"] + ["##x"] * (length - 1) if known else ["[UNK]"])


def test_the_limit_counts_characters_after_accents_are_stripped():
    assert tokens_of("x\u0301" * 100) == ["x"] + ["##x"] * 99
    assert tokens_of("x\u0301" * 101) == ["[UNK]"]


@pytest.mark.parametrize("token", ["[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_special_tokens_stay_whole_in_text(token, lowercase):
    # Google: "[", "mask", "]".
    assert tokens_of(f"a{token}b", lowercase=lowercase) == ["a", token, "b"]


@pytest.mark.parametrize("text", ["[mask]", "[MASK ]"])
def test_only_the_exact_special_token_is_kept(text):
    assert tokens_of(text) == ["[", "mask", "]"]


def test_private_use_characters_are_dropped():
    # Google: part of the word, which is then unknown.
    assert tokens_of("a\ue000b") == ["a", "##b"]


def test_a_final_sigma_is_lower_cased_as_any_other():
    # Google: "xς".
    assert tokens_of("XΣ") == ["x", "##σ"]
    assert tokens_of("xς") == ["x", "##ς"]


def test_256_rare_ideographs_are_not_split():
    # Google: "a", U+2B820, "b". The next block is split by both.
    assert tokens_of("a\U0002b820b") == ["[UNK]"]
    assert tokens_of("a\U0002b820b", [*LETTERS, "##\U0002b820"]) == ["a", "##\U0002b820", "##b"]
    assert tokens_of("a\U0002b920b") == ["a", "[UNK]", "b"]


# === Vocabularies ===


def test_the_last_of_equal_tokens_wins():
    tokenizer = kbz.Tokenizer.from_vocabulary([*TOKENS, "film"])
    assert tokenizer.tokenize("film") == [len(TOKENS)]
    assert tokenizer.vocabulary_size == len(TOKENS) + 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_line_end", [True, False])
def test_line_ends_of_a_vocabulary_file(line_end, last_line_end, tmp_path):
    content = line_end.join(TOKENS) + line_end * last_line_end
    (tmp_path / "vocab.txt").write_bytes(content.encode("utf-8"))
    assert wordpiece.read_tokens(tmp_path / "vocab.txt") == TOKENS


def test_tokens_that_python_takes_for_line_ends(tmp_path):
    tokens = [*TOKENS, "\u2028", "\x85", "\x0b", " ", "后"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    tokenizer = kbz.Tokenizer.from_vocabulary(tmp_path / "vocab.txt")
    assert tokenizer.tokenize("后") == [len(tokens) - 1]
    assert tokenizer.id_to_token(len(TOKENS)) == "\u2028"


def test_a_missing_vocabulary_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No vocabulary at .*words\.txt\."):
        kbz.Tokenizer.from_vocabulary(tmp_path / "words.txt")


@pytest.mark.parametrize("vocabulary", [[], ()])
def test_an_empty_vocabulary_raises(vocabulary):
    with pytest.raises(ValueError, match="The vocabulary is empty"):
        kbz.Tokenizer.from_vocabulary(vocabulary)


def test_an_empty_vocabulary_file_raises(tmp_path):
    (tmp_path / "vocab.txt").write_text("")
    with pytest.raises(ValueError, match="The vocabulary is empty"):
        kbz.Tokenizer.from_vocabulary(tmp_path / "vocab.txt")


def test_missing_special_tokens_raise():
    tokens = [token for token in TOKENS if token not in ("[CLS]", "[PAD]")]
    with pytest.raises(ValueError, match=r"lacks the special tokens \[CLS\], \[PAD\]\."):
        kbz.Tokenizer.from_vocabulary(tokens)


def test_a_vocabulary_without_the_mask_serves():
    tokenizer = kbz.Tokenizer.from_vocabulary([t for t in TOKENS if t != "[MASK]"])
    assert tokenizer.special_ids["mask"] is None
    assert tokenizer.tokenize("[MASK]") == [tokenizer.special_ids["unk"]] * 3


# === tokenizer.json ===


def test_an_engine_survives_its_json(tmp_path):
    engine = wordpiece.build(TOKENS, SPECIAL, lowercase=False, strip_accents=True)
    engine.save(str(tmp_path / "tokenizer.json"))
    read = wordpiece.read(tmp_path / "tokenizer.json")
    assert read.to_str() == engine.to_str()
    assert wordpiece.settings(read) == {
        "lowercase": False,
        "strip_accents": True,
        "split_chinese": True,
    }


def test_truncation_and_padding_of_the_file_are_left_out(tmp_path):
    engine = wordpiece.build(TOKENS, SPECIAL, lowercase=True)
    engine.enable_truncation(2)
    engine.enable_padding(length=9)
    engine.save(str(tmp_path / "tokenizer.json"))
    tokenizer = kbz.Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert len(tokenizer.tokenize("the film was good")) == 4
    assert tokenizer.tokenize(["the", "the film was"]) == [[5], [5, 7, 8]]


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"model": {"type": "WordPiece"}}'])
def test_a_damaged_file_raises(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is truncated or no tokenizer\.json"):
        kbz.Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_a_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No tokenizer at .*absent\.json"):
        kbz.Tokenizer.from_file(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("model", models.BPE(), "the model is BPE; BERT's is WordPiece"),
        ("normalizer", normalizers.NFC(), "the normalizer is NFC; BERT's is BertNormalizer"),
        (
            "pre_tokenizer",
            pre_tokenizers.Whitespace(),
            "the pre-tokenizer is Whitespace; BERT's is BertPreTokenizer",
        ),
    ],
)
def test_another_kind_of_tokenizer_raises(part, value, message, tmp_path):
    engine = wordpiece.build(TOKENS, SPECIAL, lowercase=True)
    setattr(engine, part, value)
    engine.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=message):
        kbz.Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_a_bare_model_raises(tmp_path):
    tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")).save(
        str(tmp_path / "tokenizer.json")
    )
    with pytest.raises(ValueError, match="the normalizer is NoneType"):
        kbz.Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_ids_without_a_token_are_left_blank():
    state = json.loads(wordpiece.build(TOKENS, SPECIAL, lowercase=True).to_str())
    state["model"]["vocab"]["late"] = len(TOKENS) + 1
    engine = tokenizers.Tokenizer.from_str(json.dumps(state))
    assert wordpiece.tokens_in_order(engine) == [*TOKENS, "", "late"]


# === Training ===

TEXTS = ["warm tea in a warm cup"] * 3 + ["cups of Tea, warmer and warmer"] * 2


def test_a_learned_vocabulary_starts_with_the_special_tokens():
    tokenizer = kbz.Tokenizer.train(TEXTS, 40)
    assert [tokenizer.id_to_token(i) for i in range(5)] == TOKENS[:5]
    assert tokenizer.special_ids == {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    assert tokenizer.vocabulary_size == 40
    assert tokenizer.token_to_id("warm") is not None


def test_training_follows_the_settings():
    assert kbz.Tokenizer.train(TEXTS, 60).token_to_id("T") is None
    cased = kbz.Tokenizer.train(TEXTS, 60, lowercase=False)
    assert cased.token_to_id("T") is not None
    accents = ["café é"] * 4
    assert kbz.Tokenizer.train(accents, 30).token_to_id("é") is None
    assert kbz.Tokenizer.train(accents, 30, strip_accents=False).token_to_id("é") is not None


def test_rare_pieces_are_not_learned():
    texts = ["kettle kettle kettle", "quarrel"]
    assert kbz.Tokenizer.train(texts, 80, min_frequency=2).token_to_id("quarrel") is None
    assert kbz.Tokenizer.train(texts, 80, min_frequency=1).token_to_id("quarrel") is not None


def test_training_reads_an_iterator_once():
    texts = iter(TEXTS)
    assert kbz.Tokenizer.train(texts, 40).token_to_id("warm") is not None
    assert next(texts, None) is None


def test_training_without_text_leaves_the_special_tokens():
    assert kbz.Tokenizer.train([], 100).vocabulary_size == 5


def test_training_is_quiet_unless_asked(capfd):
    kbz.Tokenizer.train(TEXTS, 40)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
