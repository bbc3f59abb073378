"""Batches for pre-training, each a function of the seed and the step alone, so runs can resume."""

import bisect
import functools
import itertools

import keras
import numpy as np

from keras_bert_zoo.data.lengths import bucket_for, bucket_lengths
from keras_bert_zoo.data.pretraining.documents import as_documents
from keras_bert_zoo.data.pretraining.recipe import PretrainingRecipe, make_rows
from keras_bert_zoo.tokenizers.packing import pad_rows

# Rows are put into batches of like length within windows of so many batches.
_WINDOW = 32


class RowList(list):
    """Rows in memory."""

    @functools.cached_property
    def lengths(self):
        """The tokens of each row, `(rows,)`."""
        return np.array([len(row) for row in self], "int64")


class JoinedRows:
    """Several sequences of rows as one.

    Args:
        parts: list of sequences of PretrainingRow, each with `lengths`.
    """

    def __init__(self, parts):
        self._parts = parts
        self._ends = list(itertools.accumulate(map(len, parts)))

    @functools.cached_property
    def lengths(self):
        """The tokens of each row, `(rows,)`."""
        return np.concatenate([np.zeros(0, "int64"), *(part.lengths for part in self._parts)])

    def __len__(self):
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index):
        part = bisect.bisect_right(self._ends, index)
        before = self._ends[part - 1] if part else 0
        return self._parts[part][index - before]


class PretrainingBatches(keras.utils.PyDataset):
    """Batches for `Pretrainer.fit`: `(x, y, sample_weight)`, masked as they are made.

    An epoch is a number of steps, of which the rows may hold more or fewer; the rows are gone
    through again and again, each time in another order and with other tokens hidden. Batch i of
    epoch e is the same whenever and wherever it is made; `Pretrainer.fit` sets `epoch`.

    Args:
        rows: sequence of PretrainingRow, with `lengths`.
        masker: Masker. Not used for rows that are masked already.
        pad_id: int.
        max_length: int. Longest row.
        batch_size: int.
        steps: int or None. Batches of an epoch; None for one pass over the rows, the last batch
            of which may be smaller.
        shuffle: bool. False, for evaluation, keeps the rows' order, and makes every epoch the same.
        seed: int.

    Raises:
        ValueError: there are no rows, or `batch_size` or `steps` is no number of such.
    """

    def __init__(
        self,
        rows,
        masker,
        pad_id,
        max_length,
        batch_size=32,
        steps=None,
        shuffle=True,
        seed=0,
    ):
        super().__init__()
        if not len(rows):
            raise ValueError("There are no rows to pre-train on.")
        for name, number in (("batch_size", batch_size), ("steps", 1 if steps is None else steps)):
            if not isinstance(number, (int, np.integer)) or number < 1:
                raise ValueError(f"{name} must be at least 1; got {number!r}.")
        self.rows, self.masker, self.pad_id = rows, masker, pad_id
        self.max_length = max_length
        self.buckets = bucket_lengths(max_length)
        self.batch_size, self.shuffle, self.seed = int(batch_size), shuffle, int(seed)
        self.batches_a_pass = -(-len(rows) // batch_size)
        self.steps = self.batches_a_pass if steps is None else int(steps)
        self.epoch = 0
        self._order = (None, None)

    @classmethod
    def from_documents(cls, documents, tokenizer, recipe=None, find_units=None, **options):
        """The batches of documents in memory.

        Args:
            documents: list of documents, each a str (a paragraph a line) or a list of str.
            tokenizer: Tokenizer.
            recipe: PretrainingRecipe. Defaults to BERT's.
            find_units: callable or None; see `make_pretraining_data`.
            **options: `batch_size`, `steps`, `shuffle`, `seed`; see the class.

        Raises:
            ValueError: the documents are none, or have no token.
        """
        recipe = PretrainingRecipe() if recipe is None else recipe
        rows = make_rows(as_documents(documents), tokenizer, recipe, find_units=find_units)
        return cls(
            RowList(rows),
            recipe.masker(tokenizer),
            tokenizer.special_ids["pad"],
            recipe.max_length,
            **options,
        )

    @property
    def identity(self):
        """What makes the batches what they are, beside the text: dict of plain values."""
        return {
            "rows": len(self.rows),
            "tokens": int(self.rows.lengths.sum()),
            "batch_size": self.batch_size,
            "steps": self.steps,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "masks": [self.masker.unit, self.masker.rate, self.masker.most_per_row],
        }

    def __len__(self):
        return self.steps

    def __iter__(self):
        """The batches of one epoch."""
        return (self[batch] for batch in range(len(self)))

    def __getitem__(self, batch):
        epoch = self.epoch if self.shuffle else 0
        turn, number = divmod(epoch * self.steps + batch, self.batches_a_pass)
        order = self._order_of(turn)
        indices = order[number * self.batch_size : (number + 1) * self.batch_size]
        return self._batch(indices, turn)

    def _order_of(self, turn):
        """The numbers of the rows in the order of a pass."""
        if not self.shuffle:
            return np.arange(len(self.rows))
        known, order = self._order
        if known != turn:
            order = self._shuffled(np.random.default_rng([self.seed, 0, turn]))
            self._order = (turn, order)
        return order

    def _shuffled(self, random):
        """A random order whose batches hold like lengths, the one that is not full the last."""
        order = random.permutation(len(self.rows))
        window = _WINDOW * self.batch_size
        order = np.concatenate(
            [
                part[np.argsort(self.rows.lengths[part], kind="stable")]
                for part in (order[i : i + window] for i in range(0, len(order), window))
            ]
        )
        whole = len(order) // self.batch_size * self.batch_size
        batches = order[:whole].reshape(-1, self.batch_size)
        random.shuffle(batches)
        return np.concatenate([batches.ravel(), order[whole:]])

    def _batch(self, indices, turn):
        rows = [self.rows[int(index)] for index in indices]
        masked = [
            self._masked(row, [self.seed, 1, turn if self.shuffle else 0, int(index)])
            for row, index in zip(rows, indices, strict=True)
        ]
        length = bucket_for(max(map(len, rows)), self.buckets)
        most = max(self.masker.most(length), max(len(positions) for _, positions, _ in masked))
        x = pad_rows(rows, length, self.pad_id)
        positions, ids = np.zeros((2, len(rows), most), "int32")
        weights = np.zeros((len(rows), most), "float32")
        for row, (token_ids, where, hidden) in enumerate(masked):
            x["token_ids"][row, : len(token_ids)] = token_ids
            positions[row, : len(where)] = where
            ids[row, : len(where)] = hidden
            weights[row, : len(where)] = 1
        labels = np.array([row.label for row in rows], "int32")
        return (
            {**x, "mask_positions": positions},
            {"masked_lm": ids, "next_sentence": labels},
            {"masked_lm": weights, "next_sentence": np.ones(len(rows), "float32")},
        )

    def _masked(self, row, key):
        """The ids of a row with some hidden, where, and which."""
        if row.mask_positions is not None:
            return row.token_ids, row.mask_positions, row.mask_ids
        hidden, positions = self.masker.mask(row.token_ids, np.random.default_rng(key), row.joined)
        return hidden, positions, row.token_ids[positions]
