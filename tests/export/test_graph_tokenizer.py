"""The tokenizer in the graph against the eager one: ids, words, offsets."""

import keras
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import TOKENS, hard_strings, tiny_tokenizer
from vocabularies import SETTINGS, TEXTS, tokenizer_of

import keras_bert_zoo as kbz
from keras_bert_zoo.data.words import words_of_texts

if keras.backend.backend() != "tensorflow":
    pytest.skip("the graph is TensorFlow's, whatever the backend", allow_module_level=True)

import tensorflow as tf

from keras_bert_zoo.export.graph_tokenizer import GraphTokenizer

PROPERTIES = settings(
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module", params=SETTINGS)
def both(request, tmp_path_factory):
    """The eager tokenizer and the graph's."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = tokenizer_of(folder, request.param)
    return tokenizer, GraphTokenizer(tokenizer, folder / "graph.txt")


def in_graph(graph, texts):
    """Ids, and offsets in characters."""
    pieces = graph(tf.constant(texts, tf.string))
    offsets = [
        list(zip(starts, ends, strict=True))
        for starts, ends in zip(pieces.starts.to_list(), pieces.ends.to_list(), strict=True)
    ]
    return pieces.ids.to_list(), offsets


def word_numbers(tokenizer, texts):
    return [
        [number for number, word in enumerate(words) for _ in word.pieces]
        for words in words_of_texts(tokenizer, texts)
    ]


def assert_equal(both, texts):
    tokenizer, graph = both
    assert in_graph(graph, texts) == tokenizer.tokenize_with_offsets(texts)


def assert_equal_everywhere(both):
    """For each character of Unicode, between letters."""
    codes = [*range(0xD800), *range(0xE000, 0x110000)]
    for start in range(0, len(codes), 100_000):
        assert_equal(both, [f"a{chr(code)}b" for code in codes[start : start + 100_000]])


def test_hard_strings(both):
    assert_equal(both, hard_strings())
    known = [i for row in both[0].tokenize(hard_strings()) for i in row if i != 1]
    assert len(known) > 2000


@PROPERTIES
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_generated_strings(both, texts):
    assert_equal(both, texts)


@PROPERTIES
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_words_and_bytes(both, texts):
    tokenizer, graph = both
    pieces = graph(tf.constant(texts))
    assert pieces.words.to_list() == word_numbers(tokenizer, texts)
    columns = (pieces.starts, pieces.ends, pieces.byte_starts, pieces.byte_ends)
    for text, *row in zip(texts, *(column.to_list() for column in columns), strict=True):
        encoded = text.encode()
        for start, end, byte_start, byte_end in zip(*row, strict=True):
            assert encoded[byte_start:byte_end].decode() == text[start:end]


@PROPERTIES
@given(texts=st.lists(st.binary(max_size=24), min_size=1, max_size=8))
def test_bytes_that_are_no_text(both, texts):
    tokenizer, graph = both
    read = [text.decode("utf-8", errors="replace") for text in texts]
    assert in_graph(graph, texts) == tokenizer.tokenize_with_offsets(read)


def test_every_character_of_unicode(tmp_path):
    tokenizer = tokenizer_of(tmp_path, "uncased")
    assert_equal_everywhere((tokenizer, GraphTokenizer(tokenizer, tmp_path / "graph.txt")))


@pytest.mark.slow
def test_every_character_in_every_setting(both):
    assert_equal_everywhere(both)


def test_no_text_and_empty_texts(both):
    _, graph = both
    assert in_graph(graph, []) == ([], [])
    assert in_graph(graph, ["", " ", "\x00"]) == ([[], [], []], [[], [], []])


def test_words_that_are_too_long(both):
    assert_equal(both, ["a" * 100, "a" * 101, "é" * 101, "x" * 5000 + " the", "the" * 30])


def test_a_wrong_table_is_seen(tmp_path):
    """Negative control: a graph of another setting."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    uncased = tokenizer_of(folders[0], "uncased")
    cased = GraphTokenizer(tokenizer_of(folders[1], "cased"), tmp_path / "graph.txt")
    with pytest.raises(AssertionError):
        assert_equal((uncased, cased), hard_strings())


def test_a_vocabulary_with_gaps_and_twins(tmp_path):
    """The last of equal tokens counts; blank lines are ids without a token."""
    tokens = [*TOKENS, "tea", "", "cup"]
    tokenizer = kbz.Tokenizer.from_vocabulary(tokens)
    graph = GraphTokenizer(tokenizer, tmp_path / "vocab.txt")
    assert_equal((tokenizer, graph), ["tea cup the"])
    ids = tf.constant([5, TOKENS.index("tea"), len(TOKENS)])
    assert graph.texts_of(ids).numpy().tolist()[0] == b"the"
    assert graph.texts_of(ids).numpy().tolist()[2] == b"tea"


def test_added_tokens(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.engine.add_special_tokens(["<name>", "<name>s"])
    graph = GraphTokenizer(tokenizer, tmp_path / "vocab.txt")
    assert_equal((tokenizer, graph), ["the <name> was <name>s good<name>", "<nam <NAME>"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"single_word": True}, "single_word, lstrip, rstrip or normalized"),
        ({"lstrip": True}, "single_word, lstrip, rstrip or normalized"),
        ({"normalized": True}, "single_word, lstrip, rstrip or normalized"),
        ({"content": "«x»"}, "is not ASCII"),
    ],
)
def test_added_tokens_that_the_graph_does_not_know(tmp_path, change, fault):
    from tokenizers import AddedToken

    tokenizer = tiny_tokenizer()
    content = change.pop("content", "<x>")
    tokenizer.engine.add_tokens([AddedToken(content, **{"normalized": False, **change})])
    with pytest.raises(ValueError, match=fault):
        GraphTokenizer(tokenizer, tmp_path / "vocab.txt")


def test_too_many_added_tokens(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.engine.add_special_tokens([f"<{i}>" for i in range(30)])
    with pytest.raises(ValueError, match="35 added tokens cannot be exported; the graph takes 26"):
        GraphTokenizer(tokenizer, tmp_path / "vocab.txt")


def test_text_that_is_not_cleaned_is_refused(tmp_path):
    from tokenizers.normalizers import BertNormalizer

    tokenizer = tiny_tokenizer()
    tokenizer.engine.normalizer = BertNormalizer(clean_text=False)
    with pytest.raises(ValueError, match="clean_text=False"):
        GraphTokenizer(tokenizer, tmp_path / "vocab.txt")
