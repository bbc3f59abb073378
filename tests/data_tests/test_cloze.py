"""Questions that text asks about itself."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_bert_zoo.data.cloze import QUESTION_WORDS, ClozeRecipe, cloze_questions

ENGLISH = (
    "The dye works closed in March. Nobody had paid for the copper vats since the autumn before, "
    'and Mr. Ansel sold them one by one. "What is left?" his sister asked. A blue wall is left.'
)
CHINESE = "渡口在老城南边。船夫姓何，今年六十一岁。他每天清早划船送学生过河！下雨天也不歇。"
PARAGRAPHS = {"en": ENGLISH, "zh": CHINESE}


def asked(recipe=None, count=200, paragraph=None):
    """Questions on one paragraph, each with a seed of its own."""
    recipe = recipe or ClozeRecipe()
    documents = [[PARAGRAPHS[recipe.language] if paragraph is None else paragraph]]
    return [one for seed in range(count) for one in cloze_questions(documents, recipe, seed)]


def bare(text):
    """Letters and digits alone."""
    return re.sub(r"\W", "", text)


@given(
    st.lists(st.text(alphabet="ab é7.,。？ 何河\U00020000\n-", max_size=60), max_size=4),
    st.builds(
        ClozeRecipe,
        st.sampled_from(sorted(QUESTION_WORDS)),
        max_characters=st.integers(1, 80),
        max_answer_words=st.integers(1, 5),
        reach=st.integers(1, 9),
        forget=st.floats(0, 0.9),
    ),
    st.integers(0, 9),
)
def test_an_answer_stands_where_it_is_said_to(paragraphs, recipe, seed):
    for one in cloze_questions([paragraphs], recipe, seed):
        ((text, start),) = one["answers"]
        assert text and one["context"][start : start + len(text)] == text
        assert len(one["context"]) <= recipe.max_characters
        assert any(one["context"] in paragraph for paragraph in paragraphs)
        assert any(word in one["question"] for word in QUESTION_WORDS[recipe.language])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_question_holds_what_stands_around_its_answer(language):
    words = re.compile("|".join(map(re.escape, QUESTION_WORDS[language])))
    for one in asked(ClozeRecipe(language, forget=0.0)):
        ((answer, _),) = one["answers"]
        before, after = (bare(part) for part in words.split(one["question"], maxsplit=1))
        rest = before + after
        # The question word stands in the answer's place, or before or after all the rest.
        filled = [rest[:cut] + bare(answer) + rest[cut:] for cut in range(len(rest) + 1)]
        if before and after:
            filled = [before + bare(answer) + after]
        assert any(text in bare(one["context"]) for text in filled)


@pytest.mark.parametrize(("language", "most"), [("en", 1), ("en", 3), ("zh", 1), ("zh", 8)])
def test_answers_are_of_all_lengths(language, most):
    answers = [one["answers"][0][0] for one in asked(ClozeRecipe(language, max_answer_words=most))]
    lengths = {len(text.split() if language == "en" else text) for text in answers}
    assert lengths == set(range(1, most + 1))
    assert not any(re.search(r"[.,。，!！]", text.strip(".")) for text in answers)


def test_words_are_forgotten_by_chance():
    def words(forget):
        questions = asked(ClozeRecipe(forget=forget), count=600)
        return sum(len(one["question"].split()) - 1 for one in questions) / len(questions)

    assert 0.4 * words(0.0) < words(0.5) < 0.65 * words(0.0)


def test_a_context_grows_as_far_as_it_may():
    assert {one["context"] for one in asked(ClozeRecipe(max_characters=1000))} == {ENGLISH}
    short = {one["context"] for one in asked(ClozeRecipe("zh", max_characters=24))}
    assert short == {CHINESE[:20], CHINESE[20:]}


@pytest.mark.parametrize(
    "paragraph", ["", "One sentence alone says little.", "第一句。", "! ? .", "Ha! Ho! Hm!"]
)
def test_what_has_nothing_to_ask_is_passed_over(paragraph):
    assert asked(paragraph=paragraph, count=20) == []
    documents = [[paragraph, ENGLISH], [], [ENGLISH]]
    assert len(list(cloze_questions(documents, seed=2))) <= 2


def test_words_stay_whole():
    text = (
        "It's the dog's bowl. The well-known e\u0301cole costs 3.14 and isn't far. Ne\u0301e Vale."
    )
    words = set(text.replace(". ", " ").strip(".").split())
    found = {one["answers"][0][0] for one in asked(ClozeRecipe(max_answer_words=1), 300, text)}
    assert {"3.14", "dog's", "well-known", "isn't", "e\u0301cole"} <= found <= words
    rare = "\U00020001\U00020002在南边。船夫姓何，六十一岁。"
    answers = {
        one["answers"][0][0] for one in asked(ClozeRecipe("zh", max_answer_words=1), 200, rare)
    }
    assert {len(answer) for answer in answers} == {1}


def test_a_document_is_no_text():
    with pytest.raises(ValueError, match="list of paragraphs; got the text 'The dye works"):
        list(cloze_questions([ENGLISH]))


def test_a_seed_gives_the_same_questions_again():
    documents = [[ENGLISH] * 20]
    first, again, other = (list(cloze_questions(documents, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "fr"}, "language must be one of en, zh; got 'fr'"),
        ({"max_characters": 0}, "max_characters must be a whole number above 0; got 0"),
        ({"max_answer_words": True}, "max_answer_words must be"),
        ({"reach": 2.5}, "reach must be"),
        ({"forget": 1.0}, "forget must be a number from 0 to below 1; got 1.0"),
        ({"forget": "half"}, "forget must be"),
        ({"forget": False}, "forget must be"),
        ({"language": ["en"]}, "language must be"),
    ],
)
def test_wrong_recipes(settings, message):
    with pytest.raises(ValueError, match=message):
        ClozeRecipe(**settings)
