"""Tokens that are hidden from the model, for it to find out."""

import dataclasses
import functools
import itertools

import numpy as np

from keras_bert_zoo.data.batching import fill_rows
from keras_bert_zoo.spelling import did_you_mean


@dataclasses.dataclass(frozen=True)
class Unit:
    """What is hidden together.

    Args:
        words: bool. Whether whole words, else single tokens.
        lengths: tuple of float. Chances of runs of 1, 2, … words; one word where there is one.
        one_fate: bool. Whether a run is masked, replaced or left as a whole.
    """

    words: bool
    lengths: tuple = (1.0,)
    one_fate: bool = False


def _shares(weights):
    total = sum(weights)
    return tuple(weight / total for weight in weights)


UNITS = {
    # Devlin et al. 2018.
    "piece": Unit(words=False),
    # Google's "whole word masking"; also the words of a segmenter, and phrases (ERNIE 1).
    "word": Unit(words=True),
    # Lan et al. 2019, §3.1 (ALBERT): p(n) falls as 1/n, up to three words.
    "ngram": Unit(words=True, lengths=_shares([1 / n for n in (1, 2, 3)])),
    # Joshi et al. 2019, §3.1 (SpanBERT): geometric with p = 0.2, cut at ten words.
    "span": Unit(
        words=True, lengths=_shares([0.2 * 0.8 ** (n - 1) for n in range(1, 11)]), one_fate=True
    ),
}


@dataclasses.dataclass(frozen=True)
class Masker:
    """Chooses tokens and hides them.

    Args:
        mask_id: int.
        ordinary_ids: int array. The tokens that are chosen and that random ones are drawn from:
            all but the special ones.
        rate: float. Share of a row's tokens that is chosen; there is room for one in any row.
        unit: str. A key of `UNITS`: `"piece"`, `"word"`, `"ngram"` (of words) or `"span"` (of
            words). Words and longer runs are chosen as far as they fit into the share: in a short
            row, where each word has more tokens than that, none is.
        continues: bool array, `(V,)`. Which tokens continue a word.
        most_per_row: int or None. Most tokens chosen in a row, whatever its length.

    Raises:
        ValueError: the rate or the unit is none.

    Source: Devlin et al. 2018, §3.1; Google's `create_pretraining_data.py`. Random tokens are
    Google's but for the special ones, which are never drawn.
    """

    mask_id: int
    ordinary_ids: np.ndarray
    rate: float = 0.15
    unit: str = "piece"
    continues: np.ndarray | None = None
    most_per_row: int | None = None

    def __post_init__(self):
        if not 0 < self.rate < 1:
            raise ValueError(f"The masking rate must lie between 0 and 1; got {self.rate!r}.")
        if self.unit not in UNITS:
            raise ValueError(
                f"The masking unit must be one of {', '.join(UNITS)}; got {self.unit!r}."
                f"{did_you_mean(self.unit, UNITS)}"
            )
        if self.most_per_row is not None and self.most_per_row < 1:
            raise ValueError(f"most_per_row must be at least 1; got {self.most_per_row!r}.")

    @classmethod
    def for_tokenizer(cls, tokenizer, rate=0.15, unit="piece", most_per_row=None):
        """A masker over a tokenizer's vocabulary.

        Raises:
            ValueError: the rate or the unit is none, or the vocabulary has no mask token.
        """
        special = tokenizer.special_ids
        if special["mask"] is None:
            raise ValueError(f"The vocabulary has no {tokenizer.special_tokens['mask']}.")
        tokens = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.vocabulary_size)]
        never = [number for role, number in special.items() if role != "unk"]
        return cls(
            special["mask"],
            np.setdiff1d(np.arange(len(tokens)), never),
            rate,
            unit,
            np.array([token.startswith("##") for token in tokens]),
            most_per_row,
        )

    def most(self, length):
        """The most tokens that are chosen in a row of a length."""
        most = max(1, round(length * self.rate))
        return most if self.most_per_row is None else min(most, self.most_per_row)

    def mask(self, token_ids, random, joined=None):
        """Hides some tokens of one row.

        Args:
            token_ids: int array, `(length,)`, without padding.
            random: numpy Generator.
            joined: bool array, `(length,)`, or None. Whether a token belongs to the unit of the
                one before it; None for the pieces of a word.

        Returns:
            tuple of the new ids and the sorted positions of the chosen tokens: 80 % of them became
            the mask, 10 % a random token, 10 % are as they were.
        """
        unit = UNITS[self.unit]
        chosen = self._choose(token_ids, random, joined)  # a run of positions each
        sizes = [len(run) for run in chosen]
        positions = np.array([position for run in chosen for position in run], "int64")
        fate = random.random(len(sizes) if unit.one_fate else len(positions))
        if unit.one_fate:
            fate = np.repeat(fate, sizes)
        hidden = token_ids.copy()
        hidden[positions[fate < 0.8]] = self.mask_id
        other = positions[(fate >= 0.8) & (fate < 0.9)]
        hidden[other] = self.ordinary_ids[random.integers(0, len(self.ordinary_ids), len(other))]
        return hidden, np.sort(positions)

    def _choose(self, token_ids, random, joined):
        """Runs of positions, in random order, that together are as many as the share allows."""
        unit = UNITS[self.unit]
        free = np.flatnonzero(self._is_ordinary[token_ids])
        room = self.most(len(token_ids))
        if not unit.words:
            return random.permutation(free)[:room, None].tolist()
        starts, ends = self._words(token_ids, free, joined)
        chosen = []
        for first, words in _random_runs(starts, ends, unit.lengths, random):
            run = range(starts[first], ends[first + words - 1])
            while len(run) > room and words > 1:  # the last run is cut
                words -= 1
                run = range(starts[first], ends[first + words - 1])
            if len(run) <= room:
                chosen.append(run)
                room -= len(run)
            if not room:
                break
        return chosen

    def _words(self, token_ids, free, joined):
        """Where each word begins and ends: two int arrays."""
        follows = np.zeros(len(free), bool)
        follows[1:] = np.diff(free) == 1  # a special token between them parts two words
        if joined is None:
            joined = self.continues[token_ids]
        begins = ~(follows & joined[free])
        return free[begins], free[np.append(begins[1:], True)[: len(free)]] + 1

    @functools.cached_property
    def _is_ordinary(self):
        """Whether a token may be chosen, `(V,)`."""
        ordinary = np.zeros(1 + max(self.ordinary_ids.max(), self.mask_id), bool)
        ordinary[self.ordinary_ids] = True
        return ordinary


def _random_runs(starts, ends, lengths, random):
    """All words in runs that do not meet, in random order.

    A length is drawn first, then a place among those where so many words are left beside each
    other; where there is none, among those for fewer.

    Args:
        starts, ends: int arrays, `(words,)`. The positions of each word.
        lengths: tuple of float. Chances of runs of 1, 2, … words.
        random: numpy Generator.

    Yields:
        tuple of the number of a run's first word and how many there are.
    """
    if len(lengths) == 1:
        yield from ((first, 1) for first in random.permutation(len(starts)).tolist())
        return
    gaps = np.cumsum(np.append(0, starts[1:] != ends[:-1]))  # a special token ends a run
    left = np.ones(len(starts), bool)
    for words in 1 + random.choice(len(lengths), len(starts), p=lengths):
        taken = np.cumsum(np.append(0, ~left))
        found = ()
        while not len(found):
            last = max(len(starts) - words + 1, 0)
            free = (taken[words:] == taken[:last]) & (gaps[words - 1 :] == gaps[:last])
            found = np.flatnonzero(free)
            if not len(found):
                words -= 1
            if not words:
                return
        first = found[random.integers(len(found))]
        left[first : first + words] = False
        yield first, words


class MaskedExamples:
    """Texts whose tokens are hidden anew each time a batch is made.

    Args:
        examples: TextExamples.
        masker: Masker.
        weights: float array, one a row.
        seed: int.
        fixed: bool. Hide the same tokens of a row each time, for evaluation.
    """

    def __init__(self, examples, masker, weights, seed, fixed=False):
        self.examples, self.masker, self.weights = examples, masker, weights
        self.seed, self.fixed = seed, fixed
        self.lengths = examples.lengths
        self._batches = itertools.count()

    def __len__(self):
        return len(self.examples)

    def part(self, where):
        """Some of the rows.

        Args:
            where: slice.
        """
        return MaskedExamples(
            self.examples.part(where), self.masker, self.weights[where], self.seed, self.fixed
        )

    def batch(self, indices, rows):
        """Some rows as `(x, y, sample_weight)`; `y` holds the hidden tokens, `(rows, P)`."""
        x = self.examples.take(indices, rows)
        most = self.masker.most(x["token_ids"].shape[1])
        positions, y = np.zeros((2, rows, most), "int32")
        weights = np.zeros((rows, most), "float32")
        turn = next(self._batches)
        for row, index in enumerate(indices):
            key = [self.seed, int(index)] if self.fixed else [self.seed, turn, row]
            token_ids = x["token_ids"][row, : self.lengths[index]]
            hidden, chosen = self.masker.mask(token_ids, np.random.default_rng(key))
            positions[row, : len(chosen)] = chosen
            y[row, : len(chosen)] = token_ids[chosen]
            weights[row, : len(chosen)] = self.weights[index]
            x["token_ids"][row, : len(hidden)] = hidden
        return {**x, "mask_positions": positions}, y, weights


class FoundMasks:
    """Texts with places whose tokens are asked for.

    Args:
        examples: TextExamples.
        positions: list of int arrays, one a row.
    """

    def __init__(self, examples, positions):
        self.examples, self.positions = examples, positions
        self.lengths, self.count, self.owners = examples.lengths, examples.count, examples.owners
        self.buckets = examples.buckets

    def __len__(self):
        return len(self.examples)

    def part(self, where):
        """Some of the rows.

        Args:
            where: slice.
        """
        return FoundMasks(self.examples.part(where), self.positions[where])

    def take(self, indices, rows):
        """The input dict of some rows, filled up to `rows` rows."""
        x = self.examples.take(indices, rows)
        most = max((len(self.positions[i]) for i in indices), default=1)
        room = 1
        while room < most:
            room *= 2  # few shapes, for the sake of compiled backends
        found = [np.pad(self.positions[i], (0, room - len(self.positions[i]))) for i in indices]
        array = np.array(found, "int32").reshape(-1, room)
        return {**x, "mask_positions": fill_rows(array, rows)}

    def batch(self, indices, rows):
        """As `TextExamples.batch`."""
        return (self.take(indices, rows),)
