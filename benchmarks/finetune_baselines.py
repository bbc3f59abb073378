"""What needs no pre-training: the majority, and linear models over counts."""

import collections

import numpy as np


def majority_class(train, test, _):
    """The most frequent class."""
    best = collections.Counter(train[1]).most_common(1)[0][0]
    return [best] * len(test[1])


def linear_class(train, test, _):
    """Logistic regression on TF-IDF counts of words and word pairs."""
    from sklearn.linear_model import LogisticRegression

    rows, others = _features(train[0], test[0])
    return LogisticRegression(C=10, max_iter=1000).fit(rows, train[1]).predict(others).tolist()


def mean_number(train, test, _):
    """The mean: its correlation with anything counts as 0."""
    return [float(np.mean(train[1]))] * len(test[1])


def linear_number(train, test, _):
    """Ridge regression on the same counts."""
    from sklearn.linear_model import Ridge

    rows, others = _features(train[0], test[0])
    return Ridge(1.0).fit(rows, train[1]).predict(others).tolist()


def majority_set(train, test, labels):
    """The most frequent label alone."""
    best = collections.Counter(label for row in train[1] for label in row).most_common(1)[0][0]
    return [[best]] * len(test[1])


def linear_set(train, test, labels):
    """A logistic regression for each label; from a probability of 0.3 on it is given."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    rows, others = _features(train[0], test[0])
    y = np.array([[label in row for label in labels] for row in train[1]], int)
    model = OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000)).fit(rows, y)
    chances = model.predict_proba(others)
    return [[labels[i] for i in np.flatnonzero(row >= 0.3)] for row in chances]


def majority_tags(train, test, _):
    """Each word's own most frequent label."""
    counts = collections.defaultdict(collections.Counter)
    for words, tags in zip(*train, strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts[word.lower()][tag] += 1
            counts[None][tag] += 1
    best = {word: counter.most_common(1)[0][0] for word, counter in counts.items()}
    return [[best.get(word.lower(), best[None]) for word in words] for words in test[0]]


def linear_tags(train, test, _):
    """Logistic regression on a word, its neighbours, its ends and its shape."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    def features(sentences):
        return [_of_word(words, i) for words in sentences for i in range(len(words))]

    vectors = DictVectorizer()
    rows = vectors.fit_transform(features(train[0]))
    model = LogisticRegression(C=2, max_iter=200).fit(rows, [t for row in train[1] for t in row])
    flat = iter(model.predict(vectors.transform(features(test[0]))).tolist())
    return [[next(flat) for _ in words] for words in test[0]]


def _of_word(words, i):
    word = words[i]
    around = {f"at {d}": words[i + d].lower() for d in (-2, -1, 1, 2) if 0 <= i + d < len(words)}
    pair = "".join(words[max(0, i - 1) : i + 1]), "".join(words[i : i + 2])
    return {
        **around,
        "word": word.lower(),
        "end": word[-3:].lower(),
        "shape": "".join("A" if c.isupper() else "0" if c.isdigit() else "a" for c in word[:4]),
        "with left": pair[0],
        "with right": pair[1],
    }


def first_choice(train, test, _):
    """The most frequent place of the answer."""
    best = collections.Counter(train[1]).most_common(1)[0][0]
    return [best] * len(test[1])


def linear_choice(train, test, _):
    """Logistic regression on the counts of prompt and choice, right or wrong."""
    from sklearn.linear_model import LogisticRegression

    def pairs(x):
        prompts, choices = x
        flat = [(p, c) for p, several in zip(prompts, choices, strict=True) for c in several]
        return [p for p, _ in flat], [c for _, c in flat]

    counts = [len(choices) for choices in train[0][1]]
    right = [i == y for y, n in zip(train[1], counts, strict=True) for i in range(n)]
    rows, others = _features(pairs(train[0]), pairs(test[0]))
    model = LogisticRegression(C=10, max_iter=1000).fit(rows, right)
    chances = iter(model.predict_proba(others)[:, 1])
    return [int(np.argmax([next(chances) for _ in choices])) for choices in test[0][1]]


def first_sentence(train, test, _):
    """The first sentence of each context."""
    return [_sentences(context)[0] for context in test[0][1]]


def nearest_sentence(train, test, _):
    """The sentence that shares most with the question, by TF-IDF counts of characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4)).fit(train[0][1])
    found = []
    for question, context in zip(*test[0], strict=True):
        sentences = _sentences(context)
        scores = vectors.transform(sentences) @ vectors.transform([question]).T
        found.append(sentences[int(np.argmax(scores.toarray()))])
    return found


def _sentences(context):
    for mark in "。！？.!?":
        context = context.replace(mark, mark + "\n")
    return [part.strip() for part in context.split("\n") if part.strip()] or [context]


def _features(train, test):
    """TF-IDF counts of texts; of pairs what both share and where they differ."""
    import scipy.sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1)
    if not isinstance(train, tuple):
        return vectors.fit_transform(train), vectors.transform(test)
    vectors.fit([*train[0], *train[1]])

    def both(pairs):
        a, b = (vectors.transform(part) for part in pairs)
        near = a.multiply(b).sum(axis=1)
        return scipy.sparse.hstack([abs(a - b), a.multiply(b), near], format="csr")

    return both(train), both(test)
