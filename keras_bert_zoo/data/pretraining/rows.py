"""Documents to the rows of pre-training: pairs of segments, as Google's code makes them."""

import dataclasses

import numpy as np

from keras_bert_zoo.spelling import did_you_mean
from keras_bert_zoo.tokenizers.packing import PackedText

# What the second segment of a row is. Google's label 0 stands for "is the next".
IN_ORDER, OTHERWISE = 0, 1


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A tokenized sentence.

    Args:
        token_ids: list of int.
        joined: list of bool, or None. Whether a token belongs to the unit of the one before it,
            where units are found in the text (by a segmenter, by phrases).
    """

    token_ids: list
    joined: list | None = None


@dataclasses.dataclass(frozen=True)
class PretrainingRow(PackedText):
    """A row of pre-training, special tokens included.

    Args:
        token_ids, first_length: as for PackedText.
        label: int. 0 where the second segment follows the first, 1 where it does not, and 0 for a
            row of one segment.
        joined: bool array, `(length,)`, or None; see `Sentence`.
        mask_positions, mask_ids: int arrays, `(masks,)`, or None. Where tokens are hidden, rising,
            and which; None for a row that is not masked yet.
    """

    label: int = IN_ORDER
    joined: np.ndarray | None = None
    mask_positions: np.ndarray | None = None
    mask_ids: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class RowMaker:
    """Makes rows from tokenized documents.

    Args:
        cls_id, sep_id: int.
        max_length: int. Longest row in tokens, special tokens included.
        pairs: str. `"next_sentence"`: the second segment is the true next or, in half of the rows,
            from another document (BERT; a document that is alone can only take from itself).
            `"sentence_order"`: two neighbours, in half of the rows swapped (ALBERT). `"none"`: one
            segment of as many sentences as fit, none of which is cut or lost (RoBERTa,
            "DOC-SENTENCES").
        short_seq_prob: float. Share of the documents whose rows aim at a random shorter length;
            not for `"none"`.

    Raises:
        ValueError: an argument is out of range.

    Source: Devlin et al. 2018, A.2; Google's `create_pretraining_data.py`; Lan et al. 2019, §3.1;
    Liu et al. 2019, §4.2.
    """

    cls_id: int
    sep_id: int
    max_length: int = 128
    pairs: str = "next_sentence"
    short_seq_prob: float = 0.1

    def __post_init__(self):
        if self.pairs not in _MAKERS:
            raise ValueError(
                f"pairs must be one of {', '.join(_MAKERS)}; got {self.pairs!r}."
                f"{did_you_mean(self.pairs, _MAKERS)}"
            )
        if self.max_length < 5:
            raise ValueError(f"max_length must be at least 5; got {self.max_length!r}.")
        if not 0 <= self.short_seq_prob <= 1:
            raise ValueError(f"short_seq_prob must lie in [0, 1]; got {self.short_seq_prob!r}.")

    def rows(self, documents, random):
        """The rows of one pass over documents.

        Args:
            documents: list of lists of Sentence. The second segments that are not the next come
                from these.
            random: `random.Random`.

        Yields:
            PretrainingRow, in the order of the documents.
        """
        make = _MAKERS[self.pairs]
        for index in range(len(documents)):
            for first, second, label in make(self, documents, index, random):
                yield self._row(first, second, label)

    def _row(self, first, second, label):
        ids = [self.cls_id, *first.token_ids, self.sep_id]
        joined = None if first.joined is None else [False, *first.joined, False]
        first_length = len(ids)
        if second is not None:
            ids += [*second.token_ids, self.sep_id]
            joined = joined and [*joined, *second.joined, False]
        return PretrainingRow(
            np.array(ids, "int32"),
            first_length,
            label,
            None if joined is None else np.array(joined, bool),
        )

    # === The kinds of rows: (first, second, label) from a document ===

    def _next_sentences(self, documents, index, random):
        room = self.max_length - 3
        target = self._target(room, random)
        for chunk in _Chunks(documents[index], target):
            cut = random.randint(1, max(1, len(chunk.sentences) - 1))
            first, second = chunk.sentences[:cut], chunk.sentences[cut:]
            label = IN_ORDER
            if not second or (len(documents) > 1 and random.random() < 0.5):
                label = OTHERWISE
                chunk.put_back(len(second))
                wanted = target - _length(first)
                second = _from_another(documents, index, wanted, random)
            if second:
                yield *_cut_to_fit(_join(first), _join(second), room, random), label

    def _sentence_orders(self, documents, index, random):
        room = self.max_length - 3
        target = self._target(room, random)
        for chunk in _Chunks(documents[index], target):
            if len(chunk.sentences) > 1:
                cut = random.randint(1, len(chunk.sentences) - 1)
                first, second = _join(chunk.sentences[:cut]), _join(chunk.sentences[cut:])
            else:  # a long sentence, or a document's last: its halves are neighbours as well
                (only,) = chunk.sentences
                if len(only.token_ids) < 2:
                    continue
                cut = random.randint(1, len(only.token_ids) - 1)
                first, second = _part(only, 0, cut), _part(only, cut, None)
            first, second = _cut_to_fit(first, second, room, random)
            swapped = random.random() < 0.5
            yield (second, first, OTHERWISE) if swapped else (first, second, IN_ORDER)

    def _single_segments(self, documents, index, random):
        room = self.max_length - 2
        row = Sentence([], None)
        for sentence in documents[index]:
            while len(row.token_ids) + len(sentence.token_ids) > room:
                if not row.token_ids:  # longer than a row: what does not fit opens the next
                    yield _part(sentence, 0, room), None, IN_ORDER
                    sentence = _part(sentence, room, None)
                else:
                    yield row, None, IN_ORDER
                    row = Sentence([], None)
            row = _join([row, sentence]) if row.token_ids else sentence
        if row.token_ids:
            yield row, None, IN_ORDER

    def _target(self, room, random):
        """The tokens that the rows of a document aim at."""
        return random.randint(2, room) if random.random() < self.short_seq_prob else room


_MAKERS = {
    "next_sentence": RowMaker._next_sentences,
    "sentence_order": RowMaker._sentence_orders,
    "none": RowMaker._single_segments,
}
PAIRS = tuple(_MAKERS)


class _Chunks:
    """Walks a document in runs of sentences that reach a number of tokens.

    Args:
        document: list of Sentence.
        target: int.
    """

    def __init__(self, document, target):
        self.document, self.target = document, target
        self.sentences, self._next = [], 0

    def put_back(self, count):
        """Leaves the last sentences of the current chunk to the next one."""
        self._next -= count

    def __iter__(self):
        while self._next < len(self.document):
            start, length = self._next, 0
            while self._next < len(self.document) and length < self.target:
                length += len(self.document[self._next].token_ids)
                self._next += 1
            self.sentences = self.document[start : self._next]
            yield self


def _from_another(documents, index, wanted, random):
    """Sentences of a random other document, from a random one on, with so many tokens or more."""
    for _ in range(10):  # Google's code gives up after ten, and takes the document itself
        other = random.randrange(len(documents))
        if other != index:
            break
    document, taken, length = documents[other], [], 0
    for sentence in document[random.randrange(len(document)) :]:
        taken.append(sentence)
        length += len(sentence.token_ids)
        if length >= wanted:
            break
    return taken


def _cut_to_fit(first, second, room, random):
    """Both without tokens from the longer one's ends, either end at random, until they fit."""
    bounds = [[0, len(first.token_ids)], [0, len(second.token_ids)]]
    for _ in range(bounds[0][1] + bounds[1][1] - room):
        longer = bounds[bounds[0][1] - bounds[0][0] <= bounds[1][1] - bounds[1][0]]
        if random.random() < 0.5:
            longer[0] += 1
        else:
            longer[1] -= 1
    return _part(first, *bounds[0]), _part(second, *bounds[1])


def _part(sentence, start, stop):
    joined = sentence.joined
    if joined is not None:
        joined = joined[start:stop]
        joined = [False, *joined[1:]]  # the rest of a unit that was cut is a unit
    return Sentence(sentence.token_ids[start:stop], joined)


def _join(sentences):
    joined = None
    if sentences[0].joined is not None:
        joined = [flag for sentence in sentences for flag in sentence.joined]
    return Sentence([number for sentence in sentences for number in sentence.token_ids], joined)


def _length(sentences):
    return sum(len(sentence.token_ids) for sentence in sentences)
