"""Small sets of texts for the tests of tasks."""

import keras
import numpy as np

TEXTS = [
    "good film",
    "bad film .",
    "the tea was warm and good",
    "the tea was slow , not good ?",
    "we saw the film again !",
    "a bad cup of bad tea",
    "the warmest film",
    "slow and bad , very bad film !",
    "good good good",
    "not a good film , a slow film , and very , very bad . we saw it again and again and again",
    "a cup of very good tea",
]
LABELS = ["yes", "no", "yes", "no", "yes", "no", "yes", "no", "yes", "no", "yes"]
SECONDS = ["we saw it", "again", "", "the tea of the cup was warm ! " * 2, "good", "a", "film"] * 2


def pairs():
    return TEXTS, SECONDS[: len(TEXTS)]


def words(counts):
    """Texts of so many words each."""
    return [" ".join(["good", "film", "and"][i % 3] for i in range(n)) for n in counts]


class Slices(keras.utils.PyDataset):
    """Batches of one size, cut from parallel lists; pairs are tuples of two lists."""

    def __init__(self, size, *parts):
        super().__init__()
        self.size, self.parts, self.ended = size, parts, 0

    def __len__(self):
        first = self.parts[0]
        if isinstance(first, dict):
            first = first["token_ids"]
        elif isinstance(first, tuple):
            first = first[0]
        return -(-len(first) // self.size)

    def __getitem__(self, batch):
        where = slice(batch * self.size, (batch + 1) * self.size)

        def cut(part):
            if isinstance(part, tuple):
                return tuple(p[where] for p in part)
            if isinstance(part, dict):
                return {name: value[where] for name, value in part.items()}
            return part[where]

        return tuple(cut(part) for part in self.parts)

    def on_epoch_end(self):
        self.ended += 1


def tf_batches(size, *parts):
    """The same as a `tf.data.Dataset`."""
    import tensorflow as tf

    elements = parts if len(parts) > 1 else (parts[0],)
    return tf.data.Dataset.from_tensor_slices(elements).batch(size)


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
