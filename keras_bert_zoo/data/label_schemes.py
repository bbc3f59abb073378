"""What label names such as `B-PER` say about spans, and the way back.

A tag letter and a type: `B-PER` begins a span of type PER. Four ways to write the same idea are
known; `M` is another name of `I`, and `L` and `U` are other names of `E` and `S`.

| naming | begins | inside | last | alone | outside |
|--------|--------|--------|------|-------|---------|
| BIO    | `B`    | `I`    | `I`  | `B`   | `O`     |
| BIOES  | `B`    | `I`    | `E`  | `S`   | `O`     |
| BMES   | `B`    | `M`    | `E`  | `S`   | `O`     |
| BILOU  | `B`    | `I`    | `L`  | `U`   | `O`     |
"""

import re

import numpy as np

from keras_bert_zoo.spelling import did_you_mean

# The tag letters of (first, inside, last, alone).
NAMINGS = {"BIO": "BIIB", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU"}
MEANING = str.maketrans("MLU", "IES")
# A type never begins with a dash, so that "I---------" (Prague part-of-speech names) is plain.
TYPED = re.compile(r"([BIESMLU])-([^-].*)", re.DOTALL)
TYPELESS = re.compile(r"([BIESMLU])()")


def split_label(label):
    """The tag letter and the type of one label.

    Args:
        label: str, such as `"B-PER"`, `"B"` or `"O"`.

    Returns:
        `(tag, type)`, two str; the type of `"B"` and of `"O"` is empty. None where the label is
        not built that way.
    """
    if label == "O":
        return "O", ""
    match = TYPED.fullmatch(label) or TYPELESS.fullmatch(label)
    return match.groups() if match else None


def label_names(labels, what="labels"):
    """Labels as a list of str.

    Raises:
        ValueError: they are one str, or an item is no str.
    """
    if isinstance(labels, str):
        raise ValueError(f"{what} must be a list of names; got the one name {labels!r}.")
    labels = list(labels)
    for i, label in enumerate(labels):
        if not isinstance(label, str):
            raise ValueError(
                f"{what}[{i}] is {label!r}; it must be a name such as 'B-PER', not a number. "
                "Look the name up in the model's labels."
            )
    return labels


def naming_of(labels):
    """How a task's labels are written.

    Names with a type make a scheme as soon as one of them begins with `B-` or `I-`, and then every
    other must fit; so do names that all begin with tag letters (`S-PER`). Names without types make
    a scheme only if all of them are single tag letters with `B` or `I` among them: a
    part-of-speech set that holds `X`, or the sizes `S`, `M`, `L`, are plain. Where BIO is enough it
    is taken; `I-` without any `B-` counts as BIO too.

    Args:
        labels: iterable of str.

    Returns:
        str. `"BIO"`, `"BIOES"`, `"BMES"`, `"BILOU"` or `"plain"`.

    Raises:
        ValueError: the labels follow no single scheme.
    """
    labels = list(dict.fromkeys(label_names(labels)))
    named = [label for label in labels if label != "O"]
    typed = [label for label in named if TYPED.fullmatch(label)]
    if not typed:
        letters = "".join(named)
        if all(TYPELESS.fullmatch(label) for label in named) and set("BI") & set(letters):
            fits = [name for name, tags in NAMINGS.items() if set(letters) <= set(tags)]
            return fits[0] if fits else "plain"
        return "plain"
    if len(typed) < len(named) and not any(label[0] in "BI" for label in typed):
        return "plain"  # names such as "E-mail" beside others
    # The naming that most labels fit; the first of equals.
    best = max(NAMINGS, key=lambda name: sum(label[0] in NAMINGS[name] for label in typed))
    tags = NAMINGS[best]
    for label in named:
        if label not in typed or label[0] not in tags:
            wanted = ", ".join(f"{tag}-" for tag in dict.fromkeys(tags))
            others = ", ".join(other for other in typed if other != label and other[0] in tags)
            raise ValueError(
                f'The label "{label}" does not fit beside {others or typed[0]}: in {best} every '
                f'label is "O" or begins with one of {wanted}. Rename the label, or rename all '
                "others so that none looks like a scheme."
            )
    return best


def scheme_of(labels):
    """What a task's labels stand for.

    `naming_of` says which letters are used; here BMES and BILOU are BIOES, which they rename.

    Args:
        labels: iterable of str, such as `("O", "B-PER", "I-PER")`.

    Returns:
        str. `"BIO"`, `"BIOES"`, or `"plain"` where each label stands for itself, such as
        part-of-speech names.

    Raises:
        ValueError: the labels follow no single scheme.
    """
    naming = naming_of(labels)
    return "BIOES" if naming in ("BMES", "BILOU") else naming


def check_scheme(scheme, known):
    """Raises a ValueError unless the scheme is one of those known."""
    if scheme not in known:
        raise ValueError(
            f"scheme must be one of {', '.join(known)}; got {scheme!r}."
            + did_you_mean(scheme, known)
        )


def parts_of(labels):
    """The tag, as in BIOES, and the type of each label of a scheme.

    Raises:
        ValueError: a label is no tag.
    """
    parts = []
    for i, label in enumerate(labels):
        split = split_label(label)
        if split is None:
            raise ValueError(
                f'labels[{i}] is "{label}", which is neither "O" nor a tag such as "B-PER". For '
                'labels that stand for themselves pass scheme="plain".'
            )
        parts.append((split[0].translate(MEANING), split[1]))
    return parts


def spans(labels, scheme=None, strict=False):
    """The spans that the labels of one sentence mark.

    Labels that break their scheme are read leniently, as conlleval and seqeval read them: any item
    continues the span before it if its tag is `I` or `E`, the tag before is `B` or `I`, and both
    have one type; otherwise it begins a span. With `strict` only whole spans count: `B I …` in
    BIO, `B I … E` and `S` in BIOES.

    Args:
        labels: list of str. One label an item.
        scheme: str or None. What `scheme_of` or `naming_of` says of the task's labels. If None it
            is guessed from this sentence alone, which can be too little: pass it for labels
            without types.
        strict: bool. Leave out spans that are not well formed.

    Returns:
        list of `(type, first, last)`: the items `first` to `last - 1` are a span. Labels without
        types give the empty type, which seqeval calls `"_"`. In a plain scheme each item but
        `"O"` is a span of its own.

    Raises:
        ValueError: the scheme is unknown, or a label is none of it.
    """
    labels = label_names(labels)
    scheme = scheme_of(labels) if scheme is None else scheme
    check_scheme(scheme, (*NAMINGS, "plain"))
    if scheme == "plain":
        return [(label, i, i + 1) for i, label in enumerate(labels) if label != "O"]
    parts = parts_of(labels)
    found = []
    for i, (tag, kind) in enumerate(parts):
        before, kind_before = parts[i - 1] if i else ("O", "")
        if tag == "O":
            continue
        if tag in "IE" and before in "BI" and kind == kind_before:
            found[-1] = (kind, found[-1][1], i + 1)
        else:
            found.append((kind, i, i + 1))
    if not strict:
        return found
    return [
        span for span in found if well_formed([tag for tag, _ in parts[span[1] : span[2]]], scheme)
    ]


def well_formed(tags, scheme):
    """Whether the tags of one span, as in BIOES, are those its scheme would write."""
    if scheme == "BIO":
        return tags[0] == "B" and "E" not in tags
    return tags == ["S"] or (len(tags) > 1 and tags[0] == "B" and tags[-1] == "E")


def labels_of_spans(spans, count, scheme, example="Item 0"):
    """The labels of one sentence from its spans: the inverse of `spans`.

    Args:
        spans: iterable of `(type, first, last)`, in any order; `last` is one past the last item.
            An empty type gives labels without types.
        count: int. How many items the sentence has.
        scheme: str. `"BIO"`, `"BIOES"`, `"BMES"` or `"BILOU"`.
        example: str. What to call the sentence in an error.

    Returns:
        list of str, `count` labels.

    Raises:
        ValueError: the scheme is unknown, or a span is empty, reaches beyond the sentence or
            overlaps another.
    """
    check_scheme(scheme, tuple(NAMINGS))
    first_tag, inside_tag, last_tag, alone_tag = NAMINGS[scheme]
    labels = ["O"] * count
    before = None
    for span in sorted(spans, key=lambda span: (span[1], span[2])):
        kind, first, last = span
        if not 0 <= first < last <= count:
            raise ValueError(
                f"{example}: the span {tuple(span)} should have 0 <= first < last <= {count}, the "
                "number of items (last is one past the end)."
            )
        if before is not None and first < before[2]:
            raise ValueError(
                f"{example}: the spans {tuple(before)} and {tuple(span)} overlap; an item has one "
                "label. Drop or shorten one."
            )
        before = span
        tags = [inside_tag] * (last - first)
        tags[0], tags[-1] = first_tag, last_tag
        tags = [alone_tag] if last - first == 1 else tags
        labels[first:last] = [f"{tag}-{kind}" if kind else tag for tag in tags]
    return labels


def allowed(labels):
    """Which labels may begin a sentence, follow one another, and end a sentence.

    `I` and `E` need their span's `B` or `I` before them; where a type has an `E`, its `B` and `I`
    need an `I` or `E` after them. A type that has no `B` may begin with `I`.

    Args:
        labels: sequence of str. The labels of a task, in the order of their numbers.

    Returns:
        `(start, transitions, end)`, arrays of bool: `(C,)`; `(C, C)`, from the row's label to the
        column's; `(C,)`. All True for plain labels.

    Raises:
        ValueError: the labels follow no single scheme.
    """
    labels = label_names(labels)
    num_classes = len(labels)
    if scheme_of(labels) == "plain":
        everything = np.ones((num_classes, num_classes), bool)
        return np.ones(num_classes, bool), everything, np.ones(num_classes, bool)
    parts = parts_of(labels)
    known = set(parts)
    start = np.array([not (tag in "IE" and ("B", kind) in known) for tag, kind in parts])
    end = np.array([not (tag in "BI" and ("E", kind) in known) for tag, kind in parts])
    continued = np.array(
        [
            [tag in "BI" and after in "IE" and kind == kind_after for after, kind_after in parts]
            for tag, kind in parts
        ]
    )  # (C, C)
    return start, continued | np.outer(end, start), end
