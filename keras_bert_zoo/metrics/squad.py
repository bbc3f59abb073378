"""Exact match and F1 of answers, as SQuAD 1.1 and 2.0 define them.

Scores are percentages, as in the official script. Source: Rajpurkar et al. 2016, §6.1; Rajpurkar et
al. 2018, §5.
"""

import collections
import re
import string

from keras_bert_zoo.metrics.answers import paired_answers

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text):
    """An answer without case, ASCII punctuation, the articles a, an, the, and extra spaces.

    >>> normalize_answer("The  Eiffel-Tower!")
    'eiffeltower'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def exact_match(answer, prediction):
    """1.0 where both texts are equal once normalized, else 0.0."""
    return float(normalize_answer(answer) == normalize_answer(prediction))


def token_f1(answer, prediction):
    """The F1 of the words that two normalized texts share, each as often as both hold it.

    Where either has no word: 1.0 if neither has, else 0.0.
    """
    wanted, got = normalize_answer(answer).split(), normalize_answer(prediction).split()
    if not wanted or not got:
        return float(wanted == got)
    shared = (collections.Counter(wanted) & collections.Counter(got)).total()
    return 2 * shared / (len(wanted) + len(got))


def answer_scores(answers, prediction):
    """`(exact, f1)` of one prediction: each the best over the answers.

    Answers that are empty once normalized count only if all are; no answer at all is the empty one.
    """
    answers = [answer for answer in answers if normalize_answer(answer)] or [""]
    return tuple(
        max(score(answer, prediction) for answer in answers) for score in (exact_match, token_f1)
    )


def squad_scores(predictions, references, no_answer_scores=None, threshold=1.0):
    """Exact match and F1 of predicted answers.

    Args:
        predictions: dict of question id -> text, or list of texts. The empty text means that the
            question has no answer.
        references: dict of question id -> answers, or list as long as the predictions. Each item
            is a text, a list of texts, or SQuAD's own `answers`: a dict with `"text"`, or a list of
            such dicts. Without any answer the question is unanswerable.
        no_answer_scores: dict or list like the predictions, or None. How sure the model is that
            there is no answer; where that is more than the threshold, the prediction counts as
            empty.
        threshold: float.

    Returns:
        dict: `exact` and `f1` in `[0, 100]`, and `total`, the number of questions. Where some
        question is unanswerable the same for the two kinds: `HasAns_exact`, …, `NoAns_exact`, ….

    Raises:
        ValueError: predictions and references do not match, or there are none.
    """
    pairs = paired_answers(predictions, references)
    doubts = doubts_of(no_answer_scores, pairs)
    kinds, rows = {"HasAns": [], "NoAns": []}, []
    for question, (answers, prediction) in pairs.items():
        if doubts is not None and doubts[question] > threshold:
            row = (float(not answers),) * 2
        else:
            row = answer_scores(answers, prediction)
        rows.append(row)
        kinds["HasAns" if answers else "NoAns"].append(row)
    found = averages(rows)
    for kind, part in kinds.items():
        if part and kinds["NoAns"]:
            found |= {f"{kind}_{name}": value for name, value in averages(part).items()}
    return found


def best_no_answer_threshold(predictions, references, no_answer_scores):
    """The thresholds for `squad_scores` that would have served best on these questions.

    Questions are taken from the surest answer on; of equal scores in the order of
    `no_answer_scores`, each on its own, as the official script takes them.

    Args:
        predictions: as for `squad_scores`: the best text even where no answer is likelier.
        references: as for `squad_scores`.
        no_answer_scores: dict of question id -> float, or list.

    Returns:
        dict: `best_exact` and `best_f1`, in `[0, 100]`, and the thresholds that give them,
        `best_exact_thresh` and `best_f1_thresh`. A threshold of 0 can mean that answering nothing
        is best.

    Raises:
        ValueError: predictions, references and scores do not match, or there are none.
    """
    pairs = paired_answers(predictions, references)
    doubts = doubts_of(no_answer_scores, pairs)
    unanswerable = sum(not answers for answers, _ in pairs.values())
    found = {}
    for place, name in enumerate(("exact", "f1")):
        # What answering nothing scores; then one question after the other is answered.
        score = best = unanswerable
        threshold = 0.0
        for question in sorted(doubts, key=doubts.get):
            answers, prediction = pairs[question]
            if answers:
                score += answer_scores(answers, prediction)[place]
            elif prediction:
                score -= 1
            if score > best:
                best, threshold = score, doubts[question]
        found[f"best_{name}"] = 100.0 * best / len(pairs)
        found[f"best_{name}_thresh"] = threshold
    return found


def tuned_threshold(predictions, references, no_answer_scores):
    """The threshold with the best F1, and what it gives.

    Unlike `best_no_answer_threshold` it is one under which nothing is answered where that is best:
    the official script says 0 there, which may answer some.

    Args:
        predictions, references: as for `best_no_answer_threshold`.
        no_answer_scores: list of float.

    Returns:
        dict of `exact` and `f1` in percent, and `threshold`.
    """
    best = best_no_answer_threshold(predictions, references, no_answer_scores)["best_f1_thresh"]
    found = []
    for threshold in (float(best), min(no_answer_scores) - 1.0):
        scores = squad_scores(predictions, references, no_answer_scores, threshold)
        found.append({"exact": scores["exact"], "f1": scores["f1"], "threshold": threshold})
    return max(found, key=lambda one: one["f1"])


def averages(rows):
    """A dict of `exact`, `f1` (percentages) and `total` from rows of the two."""
    exact, f1 = (100.0 * sum(column) / len(rows) for column in zip(*rows, strict=True))
    return {"exact": exact, "f1": f1, "total": len(rows)}


def doubts_of(no_answer_scores, pairs):
    """The no-answer scores as a dict of question -> float, in their own order; None for None.

    Raises:
        ValueError: they are not those of the questions.
    """
    if no_answer_scores is None:
        return None
    if not isinstance(no_answer_scores, dict):
        no_answer_scores = dict(enumerate(no_answer_scores))
    if no_answer_scores.keys() != pairs.keys():
        odd = sorted(no_answer_scores.keys() ^ pairs.keys(), key=str)
        raise ValueError(
            "no_answer_scores must have one number for each prediction; "
            f"{len(odd)} differ, the first is {odd[0]!r}."
        )
    return {question: float(score) for question, score in no_answer_scores.items()}
