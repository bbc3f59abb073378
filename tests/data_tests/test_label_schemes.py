"""Label names as spans and back, against seqeval's reading."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Tokens

from keras_bert_zoo.data.label_schemes import (
    allowed,
    labels_of_spans,
    naming_of,
    scheme_of,
    spans,
)

TYPES = ("PER", "LOC", "GEO-1")
SEQEVAL = {"BIO": IOB2, "BIOES": IOBES, "BILOU": BILOU}
LETTERS = {"BIO": "BI", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU"}


def names(letters, types=TYPES):
    return ("O", *(f"{letter}-{kind}" for kind in types for letter in letters))


def sentences(letters, types=TYPES):
    return st.lists(st.sampled_from(names(letters, types)), max_size=12)


@pytest.mark.parametrize(
    "labels, naming",
    [
        (("O", "B-PER", "I-PER"), "BIO"),
        (("B-PER", "I-PER"), "BIO"),
        (("B-PER",), "BIO"),
        (("O", "I-PER"), "BIO"),
        (("O", "B", "I"), "BIO"),
        (("B", "I"), "BIO"),
        (names("BIES"), "BIOES"),
        (("O", "S-PER"), "BIOES"),
        (("O", "B-PER", "E-PER"), "BIOES"),
        (("B", "M", "E", "S"), "BMES"),
        (names("BMES"), "BMES"),
        (names("BILU"), "BILOU"),
        (("B", "I", "L", "U", "O"), "BILOU"),
        (("O", "B-a b", "I-a b"), "BIO"),
        ((), "plain"),
        (("O",), "plain"),
        (("NOUN", "VERB", "X"), "plain"),
        (("B", "I", "X"), "plain"),  # letters that no scheme has: part-of-speech names
        (("S", "M", "L"), "plain"),  # sizes
        (("B", "S", "M", "I"), "plain"),  # I and M beside one another
        (("E-mail", "Letter"), "plain"),
        (("O", "A", "B", "AB"), "plain"),  # blood groups
        (("N--------", "I--------", "S--------"), "plain"),  # Prague positions
        (("b-per", "i-per"), "plain"),
    ],
)
def test_naming(labels, naming):
    assert naming_of(labels) == naming
    assert scheme_of(labels) == ("BIOES" if naming in ("BMES", "BILOU") else naming)


@pytest.mark.parametrize(
    "labels, text",
    [
        (
            ("O", "B-PER", "LOC"),
            r'"LOC" does not fit beside B-PER: in BIO every .* B-, I-\. Rename',
        ),
        (("B-PER", "I-PER", "B"), r'"B" does not fit beside B-PER, I-PER: in BIO'),
        (("B-X", "I-X", "E-X", "M-X"), r'"M-X" does not fit beside B-X, I-X, E-X: in BIOES .*S-\.'),
        (("B-X", "M-X", "E-X", "L-X"), r'"L-X" does not fit beside B-X, M-X, E-X: in BMES'),
        (("I-X", "Y"), r'"Y" does not fit beside I-X'),
        ("BIO", r"labels must be a list of names; got the one name 'BIO'"),
        (("O", 3), r"labels\[1\] is 3; it must be a name such as 'B-PER', not a number"),
    ],
)
def test_labels_of_no_scheme(labels, text):
    with pytest.raises(ValueError, match=text):
        scheme_of(labels)


@given(sentences("BIES"))
def test_lenient_spans_are_those_of_seqeval(labels):
    wanted = [(kind, first, last + 1) for kind, first, last in get_entities(labels)]
    assert spans(labels, "BIOES") == wanted
    assert spans(labels, "BIO") == wanted
    if any(label != "O" for label in labels):
        assert spans(labels) == wanted


@given(st.lists(st.sampled_from("BIESO"), max_size=12))
def test_lenient_spans_without_types(labels):
    found = get_entities(labels)
    assert spans(labels, "BIO") == [("", first, last + 1) for _, first, last in found]


@pytest.mark.parametrize("naming", ["BMES", "BILOU"])
@given(data=st.data())
def test_renamed_letters_mean_the_same(naming, data):
    labels = data.draw(sentences("BIES"))
    rename = dict(zip("BIES", LETTERS[naming], strict=True)) | {"O": "O"}
    renamed = [rename[label[0]] + label[1:] for label in labels]
    assert spans(renamed, naming) == spans(labels, "BIOES")
    assert spans(renamed, "BIOES", strict=True) == spans(labels, "BIOES", strict=True)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BILOU"])
@given(data=st.data())
def test_strict_spans_are_those_of_seqeval(scheme, data):
    labels = data.draw(sentences(LETTERS[scheme]))
    wanted = [(one.tag, one.start, one.end) for one in Tokens(labels, SEQEVAL[scheme]).entities]
    assert spans(labels, scheme, strict=True) == wanted


def test_strict_leaves_out_what_lenient_finds():
    assert spans(["O", "I-PER", "O"], "BIO") == [("PER", 1, 2)]
    assert spans(["O", "I-PER", "O"], "BIO", strict=True) == []
    assert spans(["B-PER", "I-PER"], "BIOES", strict=True) == []
    assert spans(["B-PER", "E-PER", "B-LOC"], "BIOES", strict=True) == [("PER", 0, 2)]


def test_plain_labels_stand_for_themselves():
    labels = ["DET", "NOUN", "NOUN", "O", "X"]
    wanted = [("DET", 0, 1), ("NOUN", 1, 2), ("NOUN", 2, 3), ("X", 4, 5)]
    assert spans(labels) == spans(labels, "plain") == wanted
    assert spans([]) == []


@pytest.mark.parametrize(
    "labels, scheme, text",
    [
        (["O", "LOC"], "BIO", r'labels\[1\] is "LOC", which is neither "O" nor a tag .*"plain"'),
        (["O"], "BIOE", r'scheme must be one of BIO, .*plain; got \'BIOE\'\. Did you mean "BIO'),
        (["O", "B-PER", "LOC"], None, r'"LOC" does not fit beside B-PER'),
        ("B-PER", "BIO", "the one name 'B-PER'"),
        ([0, 1], "BIO", r"labels\[0\] is 0; it must be a name"),
    ],
)
def test_bad_labels(labels, scheme, text):
    with pytest.raises(ValueError, match=text):
        spans(labels, scheme)


@st.composite
def span_lists(draw):
    """Spans that do not overlap, shuffled, and how many items there are."""
    count = draw(st.integers(0, 10))
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=6)))
    pairs = list(itertools.pairwise(cuts))
    kept = [(draw(st.sampled_from(TYPES)), *pair) for pair in pairs if draw(st.booleans())]
    return draw(st.permutations(kept)), count


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BMES", "BILOU"])
@given(case=span_lists())
def test_spans_come_back_from_their_labels(scheme, case):
    marked, count = case
    labels = labels_of_spans(marked, count, scheme)
    assert len(labels) == count
    assert set(labels) <= set(names(LETTERS[scheme]))
    for strict in (False, True):
        assert spans(labels, scheme, strict) == sorted(marked, key=lambda span: span[1])


def test_labels_by_hand():
    marked = [("PER", 0, 3), ("LOC", 3, 4), ("LOC", 4, 6)]
    written = {
        scheme: " ".join(label[0] for label in labels_of_spans(marked, 7, scheme))
        for scheme in LETTERS
    }
    assert written == {
        "BIO": "B I I B B I O",
        "BIOES": "B I E S B E O",
        "BMES": "B M E S B E O",
        "BILOU": "B I L U B L O",
    }
    assert labels_of_spans([("", 0, 2)], 3, "BMES") == ["B", "E", "O"]


@pytest.mark.parametrize(
    "marked, scheme, text",
    [
        ([("PER", 2, 6)], "BIO", r"Item 3: the span \('PER', 2, 6\) .*0 <= first < last <= 5"),
        ([("PER", -1, 2)], "BIO", r"Item 3: the span \('PER', -1, 2\) should have"),
        ([("PER", 2, 2)], "BIO", r"Item 3: the span \('PER', 2, 2\) should have"),
        (
            [("LOC", 2, 4), ("PER", 0, 3)],
            "BIO",
            r"Item 3: the spans \('PER', 0, 3\) and \('LOC', 2, 4\) overlap; .*Drop or shorten",
        ),
        ([("LOC", 1, 2), ("PER", 1, 2)], "BIOES", "Item 3: .* overlap"),
        ([], "plain", r"scheme must be one of BIO, BIOES, BMES, BILOU; got 'plain'"),
    ],
)
def test_bad_spans(marked, scheme, text):
    with pytest.raises(ValueError, match=text):
        labels_of_spans(marked, 5, scheme, "Item 3")


def is_allowed(sentence, labels, start, transitions, end):
    ids = [labels.index(label) for label in sentence]
    steps = all(transitions[one, after] for one, after in itertools.pairwise(ids))
    return bool(start[ids[0]] and steps and end[ids[-1]])


@pytest.mark.parametrize("types", [("PER", "LOC"), ("",)])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BMES", "BILOU"])
def test_allowed_are_exactly_the_labels_of_spans(scheme, types):
    labels = [label.rstrip("-") for label in names(LETTERS[scheme], types)]
    tables = allowed(labels)
    assert [table.shape for table in tables] == [(len(labels),), (len(labels),) * 2, (len(labels),)]
    assert all(table.dtype == bool for table in tables)
    for length in (1, 2, 3):
        for sentence in itertools.product(labels, repeat=length):
            whole = spans(sentence, scheme, strict=True)
            rewritten = labels_of_spans(whole, length, scheme)
            assert is_allowed(sentence, labels, *tables) == (rewritten == list(sentence)), sentence


def test_allowed_by_hand():
    start, transitions, end = allowed(("O", "B-PER", "I-PER", "I-LOC"))
    assert start.tolist() == [True, True, False, True]  # LOC has no B: I begins it
    assert transitions.astype(int).tolist() == [
        [1, 1, 0, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 0, 1],
    ]
    assert end.all()


def test_all_is_allowed_of_plain_labels():
    assert all(np.all(table) for table in allowed(("NOUN", "VERB", "B")))
    with pytest.raises(ValueError, match='"LOC" does not fit beside B-PER'):
        allowed(("B-PER", "LOC"))
