"""Questions that plain text asks about itself: what a reader can learn before it sees real ones."""

import dataclasses
import random
import re

from keras_bert_zoo.data.pretraining.sentences import split_sentences

_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTERS = rf"(?:[^\W{_HAN}][\u0300-\u036f]*)+"
# A Chinese character is a word; others hold apostrophes, hyphens and points within.
_WORD = re.compile(rf"[{_HAN}]|{_LETTERS}(?:['’.\-]{_LETTERS})*")
QUESTION_WORDS = {
    "en": ("what", "who", "where", "when", "which", "how many"),
    "zh": ("什么", "谁", "哪里", "何时", "哪个", "多少"),
}


@dataclasses.dataclass(frozen=True)
class ClozeRecipe:
    """How questions are made of sentences.

    Args:
        language: str. `"en"` or `"zh"`, for the question words.
        max_characters: int. The longest context.
        max_answer_words: int. The longest answer, in words; a Chinese character is one.
        reach: int. How many words on either side of the answer a question holds at most; half as
            many at least, where the sentence has them, before any is forgotten.
        forget: float in `[0, 1)`. The chance of each of them to be left out, so that a reader
            cannot rely on a run of words that stands in the text as it is.

    Raises:
        ValueError: an argument is out of range.
    """

    language: str = "en"
    max_characters: int = 400
    max_answer_words: int = 6
    reach: int = 20
    forget: float = 0.25

    def __post_init__(self):
        if not isinstance(self.language, str) or self.language not in QUESTION_WORDS:
            raise ValueError(
                f"language must be one of {', '.join(QUESTION_WORDS)}; got {self.language!r}."
            )
        for name in ("max_characters", "max_answer_words", "reach"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number above 0; got {value!r}.")
        is_number = isinstance(self.forget, (int, float)) and not isinstance(self.forget, bool)
        if not is_number or not 0 <= self.forget < 1:
            raise ValueError(f"forget must be a number from 0 to below 1; got {self.forget!r}.")


def cloze_questions(documents, recipe=None, seed=0):
    """One question on each paragraph that has one to ask.

    A run of words of one sentence is the answer; what stands around it there, with a question word
    for the answer, is the question; that sentence with some of its neighbours is the context. A
    reader learns from these to find the place that a question speaks of.

    Args:
        documents: iterable of lists of str, paragraphs, as `read_documents` yields them.
        recipe: ClozeRecipe or None for its defaults.
        seed: int. Other seeds ask other questions.

    Yields:
        dict: question and context, str; answers, a list of one `(text, start)`, where
        `context[start : start + len(text)] == text`. The form of `formats.read_squad`.

    Source: Lewis et al. 2019, "Unsupervised Question Answering by Cloze Translation", §2.2 and
    §3.2 (noisy clozes).

    >>> documents = [["The mill has three wheels. Rosa Quint owns it. It grinds rye in May."]]
    >>> (asked,) = cloze_questions(documents, ClozeRecipe(forget=0.0), seed=6)
    >>> asked["question"], asked["answers"]
    ('where It grinds in May?', [('rye', 57)])
    """
    recipe = recipe or ClozeRecipe()
    chance = random.Random(seed)
    for document in documents:
        if isinstance(document, str):
            raise ValueError(f"A document is a list of paragraphs; got the text {document[:40]!r}.")
        for paragraph in document:
            asked = _ask(paragraph, recipe, chance)
            if asked is not None:
                yield asked


def _ask(paragraph, recipe, chance):
    """A question on a paragraph, or None."""
    places = _places_of_sentences(paragraph)
    if len(places) < 2:
        return None
    target = chance.randrange(len(places))
    context = _around(places, target, recipe.max_characters, chance)
    words = [word.span() for word in _WORD.finditer(paragraph, *places[target])]
    answer = _answer(paragraph, words, recipe.max_answer_words, chance)
    if context is None or answer is None:
        return None
    first, last = answer
    left, right = (chance.randint(-(-recipe.reach // 2), recipe.reach) for _ in range(2))
    before = _kept(words[max(0, first - left) : first], recipe.forget, chance)
    after = _kept(words[last + 1 : last + 1 + right], recipe.forget, chance)
    if not before and not after:
        return None
    start, end = words[first][0], words[last][1]
    text = paragraph[start:end]
    question = [paragraph[slice(*word)] for word in before + after]
    place = chance.choice((0, len(before), len(before), len(question)))
    question.insert(place, chance.choice(QUESTION_WORDS[recipe.language]))
    return {
        "question": _joined(question) + ("？" if recipe.language == "zh" else "?"),
        "context": paragraph[slice(*context)],
        "answers": [(text, start - context[0])],
    }


def _places_of_sentences(paragraph):
    """Start and end of each sentence."""
    places, start = [], 0
    for sentence in split_sentences(paragraph):
        start = paragraph.index(sentence, start)
        places.append((start, start + len(sentence)))
        start += len(sentence)
    return places


def _around(places, target, most, chance):
    """Start and end of a sentence with as many neighbours as fit; None without any."""
    first = last = target
    while True:
        wider = [(first - 1, last), (first, last + 1)]
        wider = [
            (a, b)
            for a, b in wider
            if a >= 0 and b < len(places) and places[b][1] - places[a][0] <= most
        ]
        if not wider:
            break
        first, last = chance.choice(wider)
    return None if first == last else (places[first][0], places[last][1])


def _answer(paragraph, words, most, chance):
    """The numbers of the first and the last word of an answer; None if there is no room for one."""
    if len(words) < 2:
        return None
    first = chance.randrange(len(words))
    last = min(len(words) - 1, first + chance.randrange(most))
    for number in range(first, last):
        gap = paragraph[words[number][1] : words[number + 1][0]]
        if gap.strip():  # a mark: no answer reaches beyond it
            last = number
            break
    return first, last


def _kept(words, forget, chance):
    return [word for word in words if chance.random() >= forget]


def _joined(words):
    """Words with spaces between them, but for Chinese ones."""
    text = words[0]
    for word in words[1:]:
        text += word if _is_chinese(text[-1]) or _is_chinese(word[0]) else f" {word}"
    return text


def _is_chinese(character):
    return re.match(f"[{_HAN}]", character) is not None
