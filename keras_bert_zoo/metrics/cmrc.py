"""Exact match and F1 of Chinese answers, as CMRC 2018 defines them.

Scores are percentages. Source: Cui et al. 2019, §4.1, and the official script, which takes the
longest common run of segments, not a subsequence.
"""

import re

from keras_bert_zoo.metrics.answers import paired_answers

# What the official script calls punctuation. Its list holds the doubled "……", which no single
# character equals: the ellipsis stays.
PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
CHINESE = re.compile("[一-龥]")
WORDS = re.compile(r"\w+(?:\.\w+|,\d+)*|'\w+|[^\w\s]")


def cmrc_scores(predictions, references, words=WORDS.findall):
    """Exact match and F1 of predicted Chinese answers.

    Args:
        predictions, references: as for `metrics.squad.squad_scores`.
        words: callable that splits what is not Chinese into words. The official script uses
            `nltk.word_tokenize`; pass that to agree on English contractions too ("don't").

    Returns:
        dict: `exact`, `f1` and their mean `average`, in `[0, 100]`, and `total`, the number of
        questions.

    Raises:
        ValueError: predictions and references do not match, or there are none.

    >>> cmrc_scores(["《红楼梦》。"], ["红楼梦"])["exact"]
    100.0
    """
    pairs = paired_answers(predictions, references)
    exact = f1 = 0.0
    for answers, prediction in pairs.values():
        answers = answers or [""]
        plain = without_punctuation(prediction)
        exact += any(without_punctuation(answer) == plain for answer in answers)
        got = segments(prediction, words)
        f1 += max(run_f1(segments(answer, words), got) for answer in answers)
    exact, f1 = 100.0 * exact / len(pairs), 100.0 * f1 / len(pairs)
    return {"exact": exact, "f1": f1, "average": (exact + f1) / 2, "total": len(pairs)}


def without_punctuation(text):
    """A text in lower case without outer spaces and punctuation."""
    return "".join(char for char in text.lower().strip() if char not in PUNCTUATION)


def segments(text, words=WORDS.findall):
    """Chinese characters one by one, all else by words, without punctuation.

    Punctuation does not end a word: the official script joins what it stood between.

    >>> segments("在2008年，Beijing-Olympics")
    ['在', '2008', '年', 'beijingolympics']
    """
    found, rest = [], ""
    for char in without_punctuation(text):
        if CHINESE.match(char):
            found += words(rest) if rest else []
            found.append(char)
            rest = ""
        else:
            rest += char
    return found + (words(rest) if rest else [])


def longest_run(first, second):
    """The length of the longest run of items that stands in both lists."""
    longest, ends = 0, [0] * (len(second) + 1)
    for one in first:
        # ends[j]: the run that ends here and at second[j - 1].
        ends = [0] + [ends[j] + 1 if one == other else 0 for j, other in enumerate(second)]
        longest = max(longest, *ends)
    return longest


def run_f1(wanted, got):
    """The F1 of the longest common run of two lists of segments; 0 where there is none."""
    run = longest_run(wanted, got)
    return 2 * run / (len(wanted) + len(got)) if run else 0.0
