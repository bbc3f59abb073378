"""Words and phrases that are hidden as a whole."""

import importlib.util
import itertools
import pickle

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


@settings(max_examples=200, deadline=None)
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
