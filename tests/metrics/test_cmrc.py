"""CMRC 2018's scores by hand and against the definition, stated a second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_bert_zoo.metrics.cmrc import cmrc_scores, longest_run, run_f1, segments


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("在北京。", "在 北 京"),
        ("《红楼梦》 ABC def", "红 楼 梦 abc def"),
        ("1989年6月", "1989 年 6 月"),
        ("3.5亿,约1,000人", "3.5 亿 , 约 1,000 人"),
        ("iPhone-6s发布", "iphone6s 发 布"),
        ("他说……", "他 说 … …"),  # the official list does not catch the ellipsis
        ("it's", "it 's"),
        ("  ", ""),
        ("。", ""),
    ],
)
def test_segments(text, wanted):
    assert segments(text) == wanted.split()


@given(*[st.lists(st.sampled_from("甲乙丙"), max_size=8)] * 2)
def test_longest_run_is_the_longest_common_substring(first, second):
    one, other = "".join(first), "".join(second)
    runs = [one[i:j] for i in range(len(one)) for j in range(i + 1, len(one) + 1)]
    assert longest_run(first, second) == max((len(run) for run in runs if run in other), default=0)


def test_the_run_is_unbroken():
    # As a subsequence 甲丙 would be shared: 2 of 3.
    assert longest_run("甲乙丙", "甲丁丙") == 1
    assert run_f1(list("甲乙丙"), list("甲丁丙")) == pytest.approx(1 / 3)


def test_scores_by_hand():
    predictions = {"a": "《红楼梦》。", "b": "1989年6月", "c": "上海"}
    references = {"a": ["红楼梦", "石头记"], "b": ["在1989年", "6月4日"], "c": ["北京"]}
    # b: the run "1989 年" is 2 of 4 and of 3 segments, "6 月" 2 of 4 and of 4.
    b = 2 * 2 / (4 + 3)
    assert cmrc_scores(predictions, references) == pytest.approx(
        {
            "exact": 100 / 3,
            "f1": 100 * (1 + b) / 3,
            "average": 50 * (1 / 3 + (1 + b) / 3),
            "total": 3,
        }
    )


def test_exact_match_keeps_inner_spaces_and_drops_case():
    assert cmrc_scores([" ABC"], ["abc"])["exact"] == 100
    assert cmrc_scores(["a bc"], ["abc"])["exact"] == 0


def test_own_word_splitter():
    def words(text):
        return text.replace("n't", " n't").split()

    assert cmrc_scores(["don't"], ["do"], words=words)["f1"] == pytest.approx(200 / 3)
    assert cmrc_scores(["don't"], ["do"])["f1"] == 0


def test_no_answer_and_empty_predictions():
    assert cmrc_scores([""], ["北京"]) == {"exact": 0, "f1": 0, "average": 0, "total": 1}
    with pytest.raises(ValueError, match="no prediction for the question 'b'"):
        cmrc_scores({"a": "x"}, {"a": "x", "b": "y"})
