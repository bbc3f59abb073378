"""Words and phrases that are hidden as a whole."""

import importlib.util
import itertools
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.pretraining import JiebaWords, Phrases
from keras_bert_zoo.data.pretraining.units import joined_tokens


def test_phrases_are_found_where_they_stand():
    find = Phrases(("New York", "New York City", "York", "上海", "C++"))
    text = "New York City, Yorkshire, york and York; 在上海学C++。"
    assert [text[start:end] for start, end in find(text)] == [
        "New York City",
        "York",
        "上海",
        "C++",
    ]
    assert pickle.loads(pickle.dumps(find))(text) == find(text)


def spans_by_alternation(phrases, text):
    """The definition: the longest phrase at each place, unless it cuts a Latin word."""

    def whole(phrase):
        before = "(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", phrase) else ""
        after = "(?![A-Za-z0-9])" if re.match("[A-Za-z0-9]", phrase[-1]) else ""
        return before + re.escape(phrase) + after

    pattern = "|".join(map(whole, sorted(phrases, key=len, reverse=True)))
    return [match.span() for match in re.finditer(pattern, text)]


@settings(max_examples=500)
@given(
    phrases=st.sets(st.text("ab1 é中国.", min_size=1, max_size=4), min_size=1, max_size=12),
    text=st.text("ab1 é中国.", max_size=40),
)
def test_phrases_are_those_of_an_alternation(phrases, text):
    assert Phrases((*phrases, ""))(text) == spans_by_alternation(phrases, text)


def test_a_hundred_thousand_phrases_are_found_by_their_first_character():
    """Each place is tried with a few lengths, not with all phrases."""
    numbers = [f"第{number}号" for number in range(100_000)]
    find = Phrases(tuple(numbers))
    assert find._index[1] == {"第": [7, 6, 5, 4, 3]}
    text = "。".join(numbers[::97])
    assert [text[start:end] for start, end in find(text)] == numbers[::97]


def test_no_phrases_are_refused():
    with pytest.raises(ValueError, match="There are no phrases"):
        Phrases(())


@pytest.mark.skipif(importlib.util.find_spec("jieba") is None, reason="needs jieba")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_jieba_cuts_chinese_into_words():
    text = "我们明天去图书馆借书"
    spans = JiebaWords()(text)
    assert "图书馆" in [text[start:end] for start, end in spans]
    assert spans[0][0] == 0 and spans[-1][1] == len(text)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


@settings(max_examples=200)
@given(st.data())
def test_tokens_of_one_unit_are_joined(data):
    """Against the definition, with tokens and units cut at random places of a text."""
    cuts = st.sets(st.integers(1, 19), max_size=19).map(lambda s: [0, *sorted(s), 20])
    tokens = list(zip(bounds := data.draw(cuts), bounds[1:], strict=False))
    units = list(zip(bounds := data.draw(cuts), bounds[1:], strict=False))
    units = [unit for unit in units if data.draw(st.booleans())]
    continues = [data.draw(st.booleans()) for _ in tokens]

    def unit_of(token):
        return next((u for u in units if u[0] <= token[0] < u[1]), None)

    for i, flag in enumerate(joined_tokens(tokens, units, continues)):
        if unit_of(tokens[i]) is None:
            assert flag == continues[i]
        else:
            assert flag == (i > 0 and unit_of(tokens[i - 1]) == unit_of(tokens[i]))
