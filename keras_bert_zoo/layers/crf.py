"""A linear-chain conditional random field over the classes of a sequence."""

import keras
import numpy as np
from keras import ops

# Added to the score of what is not allowed: no sum of scores makes up for it.
FORBIDDEN = -1e4


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class LinearChainCRF(keras.layers.Layer):
    """Scores whole label sequences: emissions, transitions, start and end.

    The layer hands its input on; `log_likelihood` and `decode` use its weights, and reckon in
    float32.

    Args:
        start: list of bool, `(C,)`. The classes that may begin a sequence. Start and end rules
            hold for decoding alone: a part of a sequence may begin and end anywhere.
        transitions: list of lists of bool, `(C, C)`. Which class (row) may be followed by which.
        end: list of bool, `(C,)`. The classes that may end a sequence.

    Call arguments:
        emissions: float, `(B, L, C)`.

    Returns:
        float, `(B, L, C)`. The emissions.

    Source: Lafferty et al. 2001; Lample et al. 2016, §2.2.
    """

    def __init__(self, start, transitions, end, **kwargs):
        super().__init__(**kwargs)
        self.allowed = {
            name: np.asarray(value, bool)
            for name, value in (("start", start), ("transitions", transitions), ("end", end))
        }

    def build(self, emissions_shape):
        for name, allowed in self.allowed.items():
            weight = self.add_weight(shape=allowed.shape, initializer="zeros", name=name)
            setattr(self, f"{name}_scores", weight)
        self.built = True

    def call(self, emissions):
        return emissions

    def compute_output_shape(self, emissions_shape):
        return emissions_shape

    def _scores(self, name, ruled=True):
        """The weights, and next to never what is not allowed."""
        if not ruled:
            return ops.cast(getattr(self, f"{name}_scores"), "float32")
        barred = np.where(self.allowed[name], 0.0, FORBIDDEN).astype("float32")
        return ops.add(ops.cast(getattr(self, f"{name}_scores"), "float32"), barred)

    def log_likelihood(self, emissions, labels, mask):
        """The log-probability of label sequences, or of parts of such.

        Args:
            emissions: float, `(B, L, C)`.
            labels: int, `(B, L)`.
            mask: `(B, L)`. Nonzero at the positions that belong to the sequence; the others are
                skipped, wherever they stand.

        Returns:
            float32, `(B,)`. 0 for a row without any position.
        """
        emissions = ops.cast(emissions, "float32")
        mask, emissions, labels = _to_the_front(mask, emissions, labels)
        start, end = (self._scores(name, ruled=False) for name in ("start", "end"))
        chosen = ops.one_hot(labels, len(self.allowed["start"]), dtype="float32")  # (B, L, C)
        chosen = chosen * ops.expand_dims(mask, -1)
        last = mask - ops.pad(mask[:, 1:], [[0, 0], [0, 1]])  # (B, L), 1 at the last position
        steps = ops.matmul(chosen[:, :-1], self._scores("transitions")) * chosen[:, 1:]
        score = (
            ops.sum(emissions * chosen, axis=(1, 2))
            + ops.sum(steps, axis=(1, 2))
            + ops.sum(chosen[:, 0] * start, axis=-1)
            + ops.sum(chosen * ops.expand_dims(last, -1) * end, axis=(1, 2))
        )

        def step(before, now):
            emission, real, first = now[:, :-2], now[:, -2:-1], now[:, -1:]
            ways = ops.expand_dims(before, -1) + self._scores("transitions")  # (B, C, C)
            after = ops.where(first > 0, start, ops.logsumexp(ways, axis=1))
            after = ops.where(real > 0, after + emission, before)
            return after, after

        total, _ = ops.scan(step, ops.zeros_like(emissions[:, 0]), _positions(emissions, mask))
        partition = ops.logsumexp(total + end, axis=-1)  # (B,)
        return (score - partition) * mask[:, 0]

    def decode(self, emissions, mask):
        """The likeliest label sequences (Viterbi).

        Args:
            emissions: float, `(B, L, C)`.
            mask: `(B, L)`. As for `log_likelihood`.

        Returns:
            int32, `(B, L)`. What stands at the positions outside the sequence has no meaning.
        """
        emissions = ops.cast(emissions, "float32")
        length = ops.shape(emissions)[1]
        places = ops.broadcast_to(ops.arange(length, dtype="int32"), ops.shape(mask))
        mask, emissions, places = _to_the_front(mask, emissions, places)
        count = len(self.allowed["start"])
        stay = ops.broadcast_to(ops.arange(count, dtype="int32"), ops.shape(emissions[:, 0]))

        def step(before, now):
            best, _ = before
            emission, real, first = now[:, :-2], now[:, -2:-1], now[:, -1:]
            ways = ops.expand_dims(best, -1) + self._scores("transitions")  # (B, C, C)
            came_from = ops.cast(ops.argmax(ways, axis=1), "int32")
            after = ops.where(first > 0, self._scores("start"), ops.max(ways, axis=1))
            after = ops.where(real > 0, after + emission, best)
            after = (after, ops.where(real > 0, came_from, stay))
            return after, after

        start = (ops.zeros_like(emissions[:, 0]), stay)
        (best, _), (_, came_from) = ops.scan(step, start, _positions(emissions, mask))
        last = ops.argmax(best + self._scores("end"), axis=-1, keepdims=True)

        def back(label, came_from):
            before = ops.take_along_axis(came_from, ops.cast(label, "int32"), axis=1)
            return before, label

        _, labels = ops.scan(back, ops.cast(last, "int32"), came_from, reverse=True)  # (L, B, 1)
        labels = ops.transpose(ops.reshape(labels, ops.shape(came_from)[:2]))  # (B, L)
        return ops.take_along_axis(labels, ops.cast(ops.argsort(places, axis=1), "int32"), axis=1)

    def decode_each(self, sentences):
        """The likeliest label sequences of sentences of different lengths, in numpy.

        Args:
            sentences: list of numpy arrays, each `(length, C)`.

        Returns:
            list of int32 arrays, each `(length,)`.
        """
        scores = [
            ops.convert_to_numpy(self._scores(name)) for name in ("start", "transitions", "end")
        ]
        return [_viterbi(np.asarray(sentence, "float32"), *scores) for sentence in sentences]

    def get_config(self):
        return {
            **super().get_config(),
            **{name: value.tolist() for name, value in self.allowed.items()},
        }


def _to_the_front(mask, *arrays):
    """The mask as float32 with its ones first, and arrays `(B, L, …)` in the same order."""
    mask = ops.cast(ops.not_equal(mask, 0), "float32")
    length = ops.shape(mask)[1]
    places = ops.arange(length) + length * ops.cast(mask == 0, "int32")
    order = ops.cast(ops.argsort(places, axis=1), "int32")  # (B, L)
    moved = [ops.take_along_axis(mask, order, axis=1)]
    for array in arrays:
        deep = ops.reshape(order, (*ops.shape(order), *(1,) * (len(array.shape) - 2)))
        moved.append(ops.take_along_axis(array, deep, axis=1))
    return moved


def _positions(emissions, mask):
    """Emissions, mask and a mark of the first position as one array to scan: `(L, B, C + 2)`."""
    first = ops.zeros_like(mask) + ops.cast(ops.arange(ops.shape(mask)[1]) == 0, "float32")
    marks = ops.stack([mask, first], axis=-1)
    return ops.transpose(ops.concatenate([emissions, marks], axis=-1), (1, 0, 2))


def _viterbi(emissions, start, transitions, end):
    """The likeliest labels of one sequence, int32 `(length,)`."""
    if not len(emissions):
        return np.zeros(0, "int32")
    best, came_from = start + emissions[0], []
    for emission in emissions[1:]:
        ways = best[:, None] + transitions  # (C, C)
        came_from.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + emission
    labels = [int((best + end).argmax())]
    for before in reversed(came_from):
        labels.append(int(before[labels[-1]]))
    return np.array(labels[::-1], "int32")
