"""Ids, offsets and rows equal those of transformers' `BertTokenizerFast`."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import hard_strings
from vocabularies import SETTINGS, TEXTS, vocabularies, write

import keras_bert_zoo as kbz
from keras_bert_zoo.tokenizers.packing import TRUNCATIONS

transformers = pytest.importorskip("transformers", reason="the reference is transformers")


@pytest.fixture(scope="module", params=SETTINGS)
def both(request, tmp_path_factory):
    """The reference and our tokenizer, from the same folder."""
    folder = write(tmp_path_factory.mktemp("tokenizer"), request.param)
    theirs = transformers.BertTokenizerFast.from_pretrained(folder)
    assert len(theirs) == len(vocabularies()[SETTINGS[request.param][0]])
    return theirs, kbz.Tokenizer.from_preset(folder)


def reference(theirs, texts):
    encoded = theirs(texts, add_special_tokens=False, return_offsets_mapping=True)
    return encoded["input_ids"], encoded["offset_mapping"]


def rows_of_transformers(theirs, texts, max_length, truncation):
    """Rows in our names, or None where transformers refuses to cut the texts so."""
    try:
        rows = theirs(*texts, truncation=truncation, max_length=max_length, padding="longest")
    except Exception as error:  # the Rust library raises bare Exception
        if "Truncation error" not in str(error):
            raise
        return None
    return {
        "token_ids": rows["input_ids"],
        "segment_ids": rows["token_type_ids"],
        "padding_mask": rows["attention_mask"],
    }


def our_rows(ours, texts, max_length, truncation):
    preprocess = kbz.Preprocessor(ours, max_length, truncation)
    try:
        rows = preprocess(texts[0] if len(texts) == 1 else tuple(texts))
    except ValueError as error:
        assert "truncation=" in str(error)
        return None
    return {name: array.tolist() for name, array in rows.items()}


PROPERTIES = settings(
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_hard_strings(both):
    theirs, ours = both
    texts = hard_strings()
    ids, offsets = ours.tokenize_with_offsets(texts)
    assert (ids, offsets) == reference(theirs, texts)
    assert ours.tokenize(texts) == ids
    assert [ours.tokenize(text) for text in texts] == ids
    known = [token for row in ids for token in row if token != ours.special_ids["unk"]]
    assert len(known) > 2000  # the comparison is not one of unknown tokens


@PROPERTIES
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_generated_strings(both, texts):
    theirs, ours = both
    assert ours.tokenize_with_offsets(texts) == reference(theirs, texts)


def test_other_settings_differ():
    changes = (
        {},
        {"lowercase": False},
        {"strip_accents": False},
        {"lowercase": False, "strip_accents": True},
        {"split_chinese": False},
    )
    tokenizers = [kbz.Tokenizer.from_vocabulary(vocabularies()["words"], **c) for c in changes]
    ids = [tokenizer.tokenize(hard_strings()) for tokenizer in tokenizers]
    assert all(ids[i] != ids[j] for i in range(len(ids)) for j in range(i))


@PROPERTIES
@given(text=TEXTS)
def test_offsets_are_ordered_and_inside_the_text(both, text):
    _, ours = both
    ids, offsets = ours.tokenize_with_offsets(text)
    assert len(ids) == len(offsets)
    end_before = 0
    for start, end in offsets:
        assert 0 <= start < end <= len(text)
        assert end >= end_before
        end_before = end


@PROPERTIES
@given(text=st.text(st.sampled_from("abcdeghinorstw ABTW.,!?"), max_size=40))
def test_offsets_cut_out_the_piece(both, text):
    _, ours = both
    lowercase = ours.tokenize("A") == ours.tokenize("a")
    for number, (start, end) in zip(*ours.tokenize_with_offsets(text), strict=True):
        piece = ours.id_to_token(number).removeprefix("##")
        if piece != "[UNK]":
            assert (text[start:end].lower() if lowercase else text[start:end]) == piece


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("max_length", [3, 4, 7, 512])
def test_rows_of_hard_strings(both, truncation, max_length):
    theirs, ours = both
    firsts = hard_strings()[::3]
    batches = [[[text]] for text in firsts]
    batches += [[[a], [b]] for a, b in zip(firsts, firsts[7:] + firsts[:7], strict=True)]
    for texts in batches:
        wanted = rows_of_transformers(theirs, texts, max_length, truncation)
        assert our_rows(ours, texts, max_length, truncation) == wanted


@PROPERTIES
@given(
    pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3),
    max_length=st.integers(3, 24),
    truncation=st.sampled_from(TRUNCATIONS),
    single=st.booleans(),
)
def test_padded_batches(both, pairs, max_length, truncation, single):
    theirs, ours = both
    texts = [list(part) for part in zip(*pairs, strict=True)][: 1 if single else 2]
    wanted = rows_of_transformers(theirs, texts, max_length, truncation)
    assert our_rows(ours, texts, max_length, truncation) == wanted


@pytest.mark.parametrize("family_file", ["vocab.txt", "tokenizer.json"])
def test_transformers_reads_what_we_save(both, family_file, tmp_path):
    _, ours = both
    ours.save_to_preset(tmp_path)
    other = {"vocab.txt", "tokenizer.json"} - {family_file}
    (tmp_path / other.pop()).unlink()
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = hard_strings()
    assert ours.tokenize_with_offsets(texts) == reference(theirs, texts)
    assert theirs.mask_token_id == ours.special_ids["mask"]
    assert theirs.pad_token_id == ours.special_ids["pad"]
