"""Tokens that are hidden from the model, for it to find out."""

import dataclasses
import itertools

import numpy as np

from keras_bert_zoo.data.batching import fill_rows


@dataclasses.dataclass(frozen=True)
class Masker:
    """Chooses tokens and hides them.

    Args:
        mask_id: int.
        special_ids: frozenset of int. Tokens that are never chosen.
        vocabulary_size: int. Random tokens are drawn from all of it.
        rate: float. Share of a row's tokens that is chosen, at least one.
        continues: bool array, `(V,)`, or None. Which tokens continue a word; with it whole words
            are chosen, as far as they fit into the share, which may be none.

    Source: Devlin et al. 2018, §3.1; Google's `create_pretraining_data.py`.
    """

    mask_id: int
    special_ids: frozenset
    vocabulary_size: int
    rate: float = 0.15
    continues: np.ndarray | None = None

    @classmethod
    def for_tokenizer(cls, tokenizer, rate=0.15, whole_words=False):
        """A masker over a tokenizer's vocabulary.

        Raises:
            ValueError: the rate is out of range, or the vocabulary has no mask token.
        """
        if not 0 < rate < 1:
            raise ValueError(f"The masking rate must lie between 0 and 1; got {rate!r}.")
        special = tokenizer.special_ids
        if special["mask"] is None:
            raise ValueError(f"The vocabulary has no {tokenizer.special_tokens['mask']}.")
        count = tokenizer.vocabulary_size
        continues = None
        if whole_words:
            tokens = [tokenizer.id_to_token(i) or "" for i in range(count)]
            continues = np.array([token.startswith("##") for token in tokens])
        ids = frozenset(number for role, number in special.items() if role != "unk")
        return cls(special["mask"], ids, count, rate, continues)

    def most(self, length):
        """The most tokens that are chosen in a row of a length."""
        return max(1, round(length * self.rate))

    def mask(self, token_ids, random):
        """Hides some tokens of one row.

        Args:
            token_ids: int array, `(length,)`, without padding.
            random: numpy Generator.

        Returns:
            tuple of the new ids and the sorted positions of the chosen tokens: 80 % of them became
            the mask, 10 % a random token, 10 % are as they were.
        """
        positions = self._choose(token_ids, random)
        hidden = token_ids.copy()
        fate = random.random(len(positions))
        hidden[positions[fate < 0.8]] = self.mask_id
        other = positions[(fate >= 0.8) & (fate < 0.9)]
        hidden[other] = random.integers(0, self.vocabulary_size, len(other))
        return hidden, positions

    def _choose(self, token_ids, random):
        free = np.flatnonzero(~np.isin(token_ids, list(self.special_ids)))
        most = self.most(len(token_ids))
        if self.continues is None:
            return np.sort(random.permutation(free)[:most])
        begins = ~(self.continues[token_ids[free]] & np.isin(free - 1, free))
        words = np.split(free, np.flatnonzero(begins)[1:]) if len(free) else []
        chosen = []
        for index in random.permutation(len(words)):
            if len(chosen) + len(words[index]) <= most:
                chosen += words[index].tolist()
        return np.array(sorted(chosen), "int64")


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
