"""`Tokenizer` and `Preprocessor`: where they come from, what they return, what they refuse."""

import json

import numpy as np
import pytest
from support import TOKENS, tiny_tokenizer, write_vocabulary

import keras_bert_zoo as kbz
from keras_bert_zoo.checkpoints import CheckpointError

CASED = [*TOKENS, "Film", "É", "é", "e"]


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def write_lines(path, tokens=CASED):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")


def tokens_of(tokenizer, text):
    return [tokenizer.id_to_token(number) for number in tokenizer.tokenize(text)]


def is_cased(tokenizer):
    return tokens_of(tokenizer, "Film") == ["Film"]


# === From a folder ===


def test_a_folder_with_tokenizer_json_alone(tmp_path):
    ours = kbz.Tokenizer.from_vocabulary(CASED, lowercase=False)
    (tmp_path / "tokenizer.json").write_text(ours.to_json(), encoding="utf-8")
    assert kbz.Tokenizer.from_preset(tmp_path).to_json() == ours.to_json()


def test_a_hugging_face_folder_that_does_not_say_is_lower_cased(tmp_path):
    write_lines(tmp_path / "vocab.txt")
    assert not is_cased(kbz.Tokenizer.from_preset(tmp_path))
    write_json(tmp_path / "config.json", {"model_type": "bert"})
    assert not is_cased(kbz.Tokenizer.from_preset(str(tmp_path)))


def test_a_google_folder_is_cased_by_its_vocabulary(tmp_path):
    write_json(tmp_path / "bert_config.json", {})
    write_lines(tmp_path / "vocab.txt")
    assert is_cased(kbz.Tokenizer.from_preset(tmp_path))


def test_a_google_folder_of_lower_case_words_is_lower_cased(tmp_path):
    write_json(tmp_path / "bert_config.json", {})
    # As in the Chinese and the uncased multilingual vocabulary.
    write_lines(tmp_path / "vocab.txt", [*TOKENS, "<S>", "<T>", "[unused1]", "他", "ﬁ"])
    assert tokens_of(kbz.Tokenizer.from_preset(tmp_path), "The FILM") == ["the", "film"]


@pytest.mark.parametrize(
    ("said", "text", "tokens"),
    [
        ({"do_lower_case": True}, "Film É", ["film", "e"]),
        ({"do_lower_case": False}, "Film É", ["Film", "É"]),
        ({"do_lower_case": True, "strip_accents": False}, "Film É", ["film", "é"]),
        ({"do_lower_case": False, "strip_accents": True}, "Film É", ["Film", "[UNK]"]),
        ({"tokenize_chinese_chars": True}, "他a", ["[UNK]", "a"]),
        ({"tokenize_chinese_chars": False}, "他a", ["[UNK]"]),
    ],
)
@pytest.mark.parametrize("form", ["vocab.txt", "tokenizer.json"])
def test_what_tokenizer_config_says_is_followed(said, text, tokens, form, tmp_path):
    write_vocabulary(tmp_path, CASED, **said)
    if form == "tokenizer.json":
        (tmp_path / form).write_text(kbz.Tokenizer.from_vocabulary(CASED).to_json())
    tokenizer = kbz.Tokenizer.from_preset(tmp_path)
    assert tokens_of(tokenizer, text) == tokens
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(text, add_special_tokens=False)["input_ids"] == tokenizer.tokenize(text)


def test_arguments_outweigh_the_files(tmp_path):
    write_vocabulary(tmp_path, CASED, do_lower_case=True)
    assert is_cased(kbz.Tokenizer.from_preset(tmp_path, lowercase=False))
    kept = kbz.Tokenizer.from_preset(tmp_path, strip_accents=False)
    assert tokens_of(kept, "É") == ["é"]


def test_a_tokenizer_json_is_believed_where_nothing_else_speaks(tmp_path):
    """transformers would lower-case here, against the file, once config.json names BERT."""
    write_json(tmp_path / "config.json", {"model_type": "bert"})
    cased = kbz.Tokenizer.from_vocabulary(CASED, lowercase=False)
    (tmp_path / "tokenizer.json").write_text(cased.to_json(), encoding="utf-8")
    assert is_cased(kbz.Tokenizer.from_preset(tmp_path))


@pytest.mark.parametrize("package", ["keras_hub", "keras_nlp"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_a_folder_of_keras_hub(package, lowercase, tmp_path):
    write_lines(tmp_path / "assets" / "tokenizer" / "vocabulary.txt")
    write_json(
        tmp_path / "tokenizer.json",
        {"registered_name": f"{package}>BertTokenizer", "config": {"lowercase": lowercase}},
    )
    tokenizer = kbz.Tokenizer.from_preset(tmp_path)
    assert is_cased(tokenizer) is not lowercase
    assert tokens_of(tokenizer, "é") == (["e"] if lowercase else ["é"])


def test_a_folder_written_by_keras_hub(tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="writes the folder with keras-hub")
    try:
        written = keras_hub.tokenizers.BertTokenizer(vocabulary=CASED, lowercase=False)
    except ImportError:
        pytest.skip("KerasHub's tokenizer needs tensorflow-text")
    written.save_to_preset(str(tmp_path))
    tokenizer = kbz.Tokenizer.from_preset(tmp_path)
    assert is_cased(tokenizer) and tokenizer.vocabulary_size == len(CASED)


def test_a_folder_without_a_tokenizer_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor vocab\.txt is there"):
        kbz.Tokenizer.from_preset(tmp_path)


def test_a_damaged_tokenizer_json_raises_though_vocab_txt_is_there(tmp_path):
    write_lines(tmp_path / "vocab.txt")
    (tmp_path / "tokenizer.json").write_text('{"model":')
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is truncated or no JSON"):
        kbz.Tokenizer.from_preset(tmp_path)


def test_another_model_in_tokenizer_json_raises(tmp_path):
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="the model is BPE; BERT's is WordPiece"):
        kbz.Tokenizer.from_preset(tmp_path)


@pytest.mark.parametrize("content", ["{", '["x"]'])
def test_a_damaged_tokenizer_config_raises(content, tmp_path):
    write_lines(tmp_path / "vocab.txt")
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json is"):
        kbz.Tokenizer.from_preset(tmp_path)


# === Ids and tokens ===


def test_tokenize_takes_a_text_or_a_list(tokenizer):
    ids = tokenizer.tokenize("The warmest tea!")
    assert tokens_of(tokenizer, "The warmest tea!") == ["the", "warm", "##est", "tea", "!"]
    assert tokenizer.tokenize(["The warmest tea!", "", "a"]) == [ids, [], [6]]
    assert tokenizer.tokenize([]) == []
    assert tokenizer.tokenize("") == []


def test_offsets_count_characters(tokenizer):
    ids, offsets = tokenizer.tokenize_with_offsets("  THE\twärmer tea")
    assert [tokenizer.id_to_token(i) for i in ids] == ["the", "warm", "##er", "tea"]
    assert offsets == [(2, 5), (6, 10), (10, 12), (13, 16)]
    assert tokenizer.tokenize_with_offsets(["a", ""]) == ([[6], []], [[(0, 1)], []])


def test_tokens_and_ids(tokenizer):
    assert tokenizer.vocabulary_size == len(TOKENS)
    for number, token in enumerate(TOKENS):
        assert tokenizer.token_to_id(token) == number
        assert tokenizer.id_to_token(number) == token
    assert tokenizer.id_to_token(np.int32(6)) == "a"
    assert tokenizer.token_to_id("kettle") is None
    assert tokenizer.id_to_token(len(TOKENS)) is None


def test_an_id_must_be_a_whole_number(tokenizer):
    with pytest.raises(TypeError, match="float"):
        tokenizer.id_to_token(1.5)


def test_detokenize(tokenizer):
    ids = [2, *tokenizer.tokenize("It was not the warmest tea, again!"), 3, 0]
    text = "it was not the warmest tea, again!"
    assert tokenizer.detokenize(ids) == text
    assert tokenizer.detokenize(np.asarray([ids])) == [text]
    assert tokenizer.detokenize([ids, []]) == [text, ""]
    assert tokenizer.detokenize(ids, skip_special_tokens=False) == f"[CLS] {text} [SEP] [PAD]"


def test_special_ids(tokenizer):
    assert tokenizer.special_ids == {"cls": 2, "sep": 3, "pad": 0, "mask": 4, "unk": 1}


# === Keeping it ===


def test_json_round_trip():
    tokenizer = kbz.Tokenizer.from_vocabulary(CASED, lowercase=False, split_chinese=False)
    read = kbz.Tokenizer.from_json(tokenizer.to_json())
    assert read.to_json() == tokenizer.to_json()
    assert read.special_ids == tokenizer.special_ids
    assert is_cased(read)


@pytest.mark.parametrize(
    "settings",
    [{}, {"lowercase": False}, {"strip_accents": False}, {"split_chinese": False}],
    ids=str,
)
def test_saved_files_give_the_same_tokenizer(settings, tmp_path):
    tokenizer = kbz.Tokenizer.from_vocabulary(CASED, **settings)
    tokenizer.save_to_preset(tmp_path)
    assert kbz.Tokenizer.from_preset(tmp_path).to_json() == tokenizer.to_json()
    (tmp_path / "tokenizer.json").unlink()
    assert kbz.Tokenizer.from_preset(tmp_path).to_json() == tokenizer.to_json()


def test_with_settings_keeps_the_rest():
    tokenizer = kbz.Tokenizer.from_vocabulary(CASED, split_chinese=False)
    assert tokenizer.with_settings(lowercase=True) is tokenizer
    changed = tokenizer.with_settings(lowercase=False)
    wanted = kbz.Tokenizer.from_vocabulary(CASED, lowercase=False, split_chinese=False)
    assert changed.to_json() == wanted.to_json()
    assert not is_cased(tokenizer)


# === Bad texts ===


@pytest.mark.parametrize("method", ["tokenize", "tokenize_with_offsets"])
@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], r"Item 1 is no text but NoneType \(None\)\."),
        (["a", "b", 3], r"Item 2 is no text but int \(3\)\."),
        (["a", float("nan")], r"Item 1 is no text but float \(nan\)\."),
        ([["a", "b"]], r"Item 0 is no text but list .* For pairs pass a tuple of two lists\."),
        ([("a", "b")], r"Item 0 is no text but tuple .* For pairs pass a tuple of two lists\."),
        (["a", "good \ud83d"], "Item 1 holds half of a surrogate pair at character 5"),
        (np.asarray([["a", "b"]]), r"A batch of texts has one axis; got the shape \(1, 2\)\."),
        (np.asarray("a"), r"A batch of texts has one axis; got the shape \(\)\."),
        (None, "A batch of texts is a list of str; got NoneType"),
        (7, "A batch of texts is a list of str; got int"),
        (b"a", "A batch of texts is a list of str; got bytes"),
        ({"text": "a"}, "A batch of texts is a list of str; got dict"),
    ],
)
def test_what_is_no_text_raises(tokenizer, method, texts, message):
    with pytest.raises(ValueError, match=message):
        getattr(tokenizer, method)(texts)


@pytest.mark.parametrize(
    "texts",
    [
        ["a film", "tea"],
        [b"a film", b"tea"],
        np.asarray(["a film", "tea"]),
        np.asarray(["a film", "tea"], dtype=object),
        np.asarray([b"a film", b"tea"]),
        (text for text in ("a film", "tea")),
    ],
    ids=["list", "bytes", "numpy str", "numpy object", "numpy bytes", "generator"],
)
def test_batches_of_many_kinds(tokenizer, texts):
    assert tokenizer.tokenize(texts) == [[6, 7], [22]]


# === Preprocessor ===


def test_rows_of_single_texts(tokenizer):
    rows = kbz.Preprocessor(tokenizer)(["a good film", ""])
    assert rows["token_ids"].tolist() == [[2, 6, 9, 7, 3], [2, 3, 0, 0, 0]]
    assert rows["segment_ids"].tolist() == [[0] * 5, [0] * 5]
    assert rows["padding_mask"].tolist() == [[1] * 5, [1, 1, 0, 0, 0]]
    assert {array.dtype.name for array in rows.values()} == {"int32"}


def test_rows_of_pairs(tokenizer):
    rows = kbz.Preprocessor(tokenizer)((["a film", ""], ["good", ""]))
    assert rows["token_ids"].tolist() == [[2, 6, 7, 3, 9, 3], [2, 3, 3, 0, 0, 0]]
    assert rows["segment_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 0, 0]]


@pytest.mark.parametrize("texts", [[], ([], [])])
def test_an_empty_batch(tokenizer, texts):
    rows = kbz.Preprocessor(tokenizer)(texts)
    assert {array.shape for array in rows.values()} == {(0, 0)}


def test_the_tokenizers_own_pad_id_fills_rows():
    tokenizer = kbz.Tokenizer.from_vocabulary([*TOKENS[1:], "[PAD]"])
    rows = kbz.Preprocessor(tokenizer)(["a", ""])
    assert rows["token_ids"][1].tolist() == [1, 2, len(TOKENS) - 1]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a film", r"A list of texts is a batch; got one text\. Write \[text\]\."),
        (b"a film", r"got one text\. Write \[text\]\."),
        (
            ("a film", "good"),
            r"as one pair, written \(\[first\], \[second\]\), or as a batch of two texts, written "
            r"\[first, second\]",
        ),
        ((["a"], "good"), "A tuple of two texts can be read in two ways"),
        ((["a"], ["b"], ["c"]), "A tuple means pairs: two lists of texts; got 3 items"),
        ((["a"],), "A tuple means pairs: two lists of texts; got 1 items"),
        ((["a", "b"], ["c"]), "Pairs need as many second as first texts; got 2 and 1"),
        ((["a"], [None]), "Item 0 is no text but NoneType"),
        ([["a", "b"]], "For pairs pass a tuple of two lists"),
        (["a", None], "Item 1 is no text but NoneType"),
        (np.zeros((2, 2)), r"A batch of texts has one axis; got the shape \(2, 2\)"),
        (np.zeros(2), "Item 0 is no text but float64"),
        (5, "A batch of texts is a list of str; got int"),
    ],
)
def test_what_the_preprocessor_refuses(tokenizer, texts, message):
    with pytest.raises(ValueError, match=message):
        kbz.Preprocessor(tokenizer)(texts)


@pytest.mark.parametrize("max_length", [2, 0, -1, 2.5, None, "128"])
def test_a_bad_max_length_raises(tokenizer, max_length):
    with pytest.raises(ValueError, match=f"max_length must be at least 3; got {max_length!r}"):
        kbz.Preprocessor(tokenizer, max_length=max_length)


@pytest.mark.parametrize("truncation", ["longest", True, None, "do_not_truncate"])
def test_a_bad_truncation_raises(tokenizer, truncation):
    message = (
        f"truncation must be one of longest_first, only_first, only_second; got {truncation!r}"
    )
    with pytest.raises(ValueError, match=message):
        kbz.Preprocessor(tokenizer, truncation=truncation)


def test_the_item_that_cannot_be_cut_is_named(tokenizer):
    preprocess = kbz.Preprocessor(tokenizer, max_length=5, truncation="only_first")
    message = 'Item 1: truncation="only_first" would have to cut 3 tokens from a text of 1'
    with pytest.raises(ValueError, match=message):
        preprocess((["a", "a"], ["a", "the film was good"]))


@pytest.mark.parametrize("max_length", [3, 4, 5, 8])
def test_no_row_is_longer_than_max_length(tokenizer, max_length):
    texts = ["we saw a good film again and again", "the tea was warm"]
    for batch in (texts, (texts, texts[::-1])):
        assert kbz.Preprocessor(tokenizer, max_length)(batch)["token_ids"].shape == (2, max_length)


def test_settings_do_not_leak_between_tokenizers():
    assert tiny_tokenizer(lowercase=False).tokenize("Film") == [1]
    assert tiny_tokenizer().tokenize("Film") == [7]
