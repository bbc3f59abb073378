"""Where sentences end."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keras_bert_zoo.data.pretraining import sentences as sentences_module
from keras_bert_zoo.data.pretraining.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["One stands alone."],
        ["The ferry left at 7.15 a.m. and came back empty.", "Nobody asked why!", "Who would?"],
        ["Mrs. J. R. Halloway wrote to Dr. Okafor on Jan. 4.", "He never answered."],
        ['"Is it far?" he asked.', '"Two miles," she said.', "(They walked.)", "It rained."],
        ["It cost £3.50 vs. £4 elsewhere.", "1984 was dry.", "“Dry?”", "Éva laughed."],
        ["The U.S. Navy paid.", "What then?!", "Wait..."],
        ["船在清晨离港。", "没有人问为什么！", "谁会问呢？"],
        ["他说：“明天再来。”", "她点点头。", "（天已经黑了。）", "灯还亮着"],
        ["價格是3.5元。", "Mr. Lin 沒有說話。", "The end."],
        ['他说："好。"', "然后走了。", '"你来吗？"', "她问。", '"来！"'],
        ["他说：\"她喊'来。'\"", "(天黑了。)", '"好。', '走。"', "完。"],
        ["Lin's 狗叫了。", "'谁？'", "他问。"],
    ],
)
def test_a_text_falls_into_its_sentences(sentences):
    latin = " ".join(sentences)
    chinese = "".join(sentences)
    text = latin if sentences[0].isascii() or "£" in sentences[0] else chinese
    assert split_sentences(text) == sentences


@settings(max_examples=300)
@given(st.text(alphabet="aB .!?。！？”\"')）\n1é中", max_size=60))
def test_nothing_but_space_is_lost(text):
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)


# The marks as they were read before: backwards too, and Chinese ones without ASCII's quotes.
SLOW = re.compile(
    r"[。！？]+[”’」』）》]*|[.!?]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]*(?P<next>\S))",
)


@settings(max_examples=500)
@given(st.text(alphabet="aB .!?。！？”\"'()）\n1é中", max_size=40))
def test_marks_are_read_once_and_mean_the_same(text):
    assume(not re.search(r"[。！？][”’」』）》]*[\"')\]]", text))
    found = [(end.span(), end["next"]) for end in sentences_module._END.finditer(text)]
    assert found == [(end.span(), end["next"]) for end in SLOW.finditer(text)]


def test_an_ascii_quote_closes_at_the_end_of_a_paragraph():
    """The paragraph before may have opened it."""
    assert split_sentences('我不来了。"') == ['我不来了。"']
    assert split_sentences('我不来了。" 他说。') == ['我不来了。"', "他说。"]


def test_no_text_has_no_sentence():
    assert split_sentences("") == split_sentences(" \t ") == []


def test_long_lines_take_their_length_and_no_more():
    """A line of abbreviations has no end to go on from; looking back must not grow with it."""
    text = "see Fig. 5 and vol. No. " * 20_000 + "Done. Next."
    assert split_sentences(text)[-1] == "Next."
    assert split_sentences("." * 200_000 + "a") == ["." * 200_000 + "a"]
