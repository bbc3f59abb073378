"""Entity F1 and its report, against seqeval."""

import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import IOB2, IOBES

from keras_bert_zoo.metrics.entity import entity_f1, entity_report

LETTERS = {"BIO": "BI", "BIOES": "BIES"}
SEQEVAL = {"BIO": IOB2, "BIOES": IOBES}


@st.composite
def pairs(draw, scheme):
    """True and predicted labels of some sentences; many spans agree."""
    letters = LETTERS[scheme]
    labels = ("O", *(f"{letter}-{kind}" for kind in ("PER", "LOC", "A-B") for letter in letters))
    sentence = st.lists(st.sampled_from(labels), min_size=1, max_size=8)
    true = draw(st.lists(sentence, min_size=1, max_size=4))
    changed = st.one_of(st.none(), st.none(), st.sampled_from(labels))
    predicted = [[draw(changed) or label for label in one] for one in true]
    return true, predicted


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@given(data=st.data())
def test_report_is_that_of_seqeval(scheme, strict, data):
    true, predicted = data.draw(pairs(scheme))
    report = entity_report(true, predicted, scheme, strict)
    assume(report["types"])  # seqeval divides by zero where nothing is found
    mode = {"mode": "strict", "scheme": SEQEVAL[scheme]} if strict else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = classification_report(true, predicted, output_dict=True, zero_division=0, **mode)
    rows = {**report["types"], **{f"{one} avg": report[one] for one in ("micro", "macro")}}
    rows["weighted avg"] = report["weighted"]
    assert rows.keys() == theirs.keys()
    for name, row in rows.items():
        theirs[name]["f1"] = theirs[name].pop("f1-score")
        assert row == pytest.approx(theirs[name], abs=1e-9), name


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@given(case=pairs("BIO"))
def test_f1_is_that_of_seqeval(average, case):
    ours = entity_f1(*case, average=average, scheme="BIO")
    assume(entity_report(*case, "BIO")["types"])
    assert ours == pytest.approx(f1_score(*case, average=average, zero_division=0), abs=1e-9)


def test_scheme_is_read_off_the_labels():
    true, predicted = [["S-PER", "O"], ["B-LOC", "E-LOC"]], [["S-PER", "O"], ["B-LOC", "I-LOC"]]
    assert entity_f1(true, predicted) == 1.0
    assert entity_f1(true, predicted, strict=True) == pytest.approx(2 / 3)


def test_each_part_of_a_span_counts():
    true = [["O", "B-PER", "I-PER", "I-PER", "O"]]
    assert entity_f1(true, true) == 1
    for wrong in (
        ["O", "B-LOC", "I-LOC", "I-LOC", "O"],  # the type
        ["B-PER", "I-PER", "I-PER", "I-PER", "O"],  # the first item
        ["O", "B-PER", "I-PER", "I-PER", "I-PER"],  # the last
    ):
        assert entity_f1(true, [wrong]) == 0


def test_sentences_are_apart():
    assert entity_f1([["B-PER"], ["I-PER"]], [["B-PER"], ["B-PER"]]) == 1


def test_averages_differ():
    true = [["B-PER", "B-PER", "B-PER", "B-LOC"]]
    predicted = [["B-PER", "B-PER", "B-PER", "O"]]
    f1s = [entity_f1(true, predicted, average) for average in ("micro", "macro", "weighted")]
    assert f1s == pytest.approx([6 / 7, 1 / 2, 3 / 4])


def test_plain_labels_are_counted_one_by_one():
    assert entity_f1([["NOUN", "NOUN", "VERB"]], [["NOUN", "VERB", "VERB"]]) == pytest.approx(2 / 3)


def test_no_spans_give_zero():
    report = entity_report([["O", "O"]], [["O", "O"]])
    nothing = {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert report == {"types": {}, "micro": nothing, "macro": nothing, "weighted": nothing}
    assert entity_f1([], []) == 0


@pytest.mark.parametrize(
    "true, predicted, options, text",
    [
        ([["O"]], [["O"], ["O"]], {}, "as many sentences; got 1 and 2"),
        ([["O", "O"]], [["O"]], {}, r"true\[0\] has 2 labels and predicted\[0\] has 1; each item"),
        (["O", "B-PER"], ["O", "B-PER"], {}, r"true\[0\] is 'O'; each sentence must .*\[labels\]"),
        (
            [["O"]],
            [["O"]],
            {"average": "mcro"},
            r'average must be .*\'mcro\'\. Did you mean "micro"',
        ),
        ([["B-PER"]], [["LOC"]], {}, '"LOC" does not fit beside B-PER'),
        ([["B-PER"]], [["LOC"]], {"scheme": "BIO"}, r'labels\[0\] is "LOC", which is neither'),
    ],
)
def test_bad_input(true, predicted, options, text):
    with pytest.raises(ValueError, match=text):
        entity_f1(true, predicted, **options)
