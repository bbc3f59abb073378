"""Prompts with several choices each, as rows of three axes."""

import numpy as np

from keras_bert_zoo.data.batching import TextExamples
from keras_bert_zoo.data.lengths import bucket_for
from keras_bert_zoo.tokenizers.texts import check_texts


class ChoiceExamples(TextExamples):
    """Packed choices that `Batches` takes rows from: each row holds all choices of a prompt.

    Args:
        counts: int array. The choices of each prompt.
        most: int. N, the choices that a row has room for; absent ones are padding alone.
        preprocessor, compiled, segments: as for `TextExamples`.
        examples: list of lists of PackedText.
    """

    def __init__(self, preprocessor, examples, counts, most, **settings):
        super().__init__(preprocessor, examples, **settings)
        self.counts, self.most = counts, most
        self.lengths = np.array([max(map(len, group)) for group in examples], "int64")

    def part(self, where):
        part = super().part(where)
        part.counts = self.counts[where]
        return part

    def take(self, indices, rows):
        groups = [self.examples[i] for i in indices]
        length = bucket_for(max((max(map(len, g)) for g in groups), default=0), self.buckets)
        pad_id = self.preprocessor.tokenizer.special_ids["pad"]
        shape = (rows, self.most, length)
        batch = {
            "token_ids": np.full(shape, pad_id, "int32"),
            "segment_ids": np.zeros(shape, "int32"),
            "padding_mask": np.zeros(shape, "int32"),
        }
        for row, group in enumerate(groups):
            for name, array in self.preprocessor.pad(group, length).items():
                batch[name][row, : len(group)] = array
        if not self.segments:
            batch["segment_ids"][:] = 0
        return batch


def check_choices(choices, count):
    """The choices of each prompt.

    Args:
        choices: list with a list of at least two texts for each prompt.
        count: int. The number of prompts.

    Raises:
        ValueError: another number of items, or an item is no list of texts; the message names it.
    """
    if isinstance(choices, (str, bytes, dict)) or not hasattr(choices, "__len__"):
        raise ValueError(f"choices must be a list with a list for each prompt; got {choices!r}.")
    if len(choices) != count:
        raise ValueError(f"There are {count} prompts but {len(choices)} lists of choices.")
    checked = []
    for i, texts in enumerate(choices):
        if isinstance(texts, (str, bytes)):
            raise ValueError(f"Item {i}: choices are a list of texts; got {texts!r}.")
        try:
            checked.append(check_texts(texts))
        except ValueError as error:
            raise ValueError(f"Item {i}, choices: {error}") from error
        if len(checked[-1]) < 2:
            raise ValueError(f"Item {i} has {len(checked[-1])} choices; it takes at least 2.")
    return checked


def encode_choices(y, present):
    """The number of the right choice of each prompt, int32 `(N,)`.

    Args:
        y: list of int.
        present: list with a bool array for each prompt: which choices there are.

    Raises:
        ValueError: it is no number of a choice; the message names the item.
    """
    for i, (number, there) in enumerate(zip(y, present, strict=True)):
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, (bool, np.bool_))
        if not whole or not 0 <= number < len(there):
            last = len(there) - 1
            raise ValueError(f"y[{i}] is {number!r}; the choices are numbered 0 to {last}.")
        if not there[number]:
            raise ValueError(f"y[{i}] is {number!r}, a choice without a token.")
    return np.asarray(list(y), "int32")
