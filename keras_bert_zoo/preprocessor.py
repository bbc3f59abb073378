"""Texts to the input dict of a model: `Preprocessor`."""

import dataclasses

import numpy as np

from keras_bert_zoo.text import Tokenizer
from keras_bert_zoo.tokenizers import packing
from keras_bert_zoo.tokenizers.texts import split_pairs


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """Texts to the input dict of a model.

    Args:
        tokenizer: Tokenizer.
        max_length: int. Longest row in tokens, special tokens included; at least 3. Longer texts
            are cut.
        truncation: str. Which text of a pair is cut: `"longest_first"`, `"only_first"` or
            `"only_second"`.

    Call arguments:
        texts: list of str, or a tuple of two equally long lists for pairs.

    Returns:
        dict of int32 numpy arrays `token_ids`, `segment_ids` and `padding_mask`, each `(B, L)`,
        L the longest row of the batch.

    Raises:
        ValueError: an item is no text, or cannot be cut as told; the message names it.
    """

    tokenizer: Tokenizer
    max_length: int = 512
    truncation: str = "longest_first"

    def __post_init__(self):
        whole = isinstance(self.max_length, (int, np.integer))
        if not isinstance(self.tokenizer, Tokenizer):
            raise ValueError(f"Preprocessor needs a Tokenizer; got {self.tokenizer!r}.")
        if not whole or self.max_length < 3:
            raise ValueError(f"max_length must be at least 3; got {self.max_length!r}.")
        if self.truncation not in packing.TRUNCATIONS:
            raise ValueError(
                f"truncation must be one of {', '.join(packing.TRUNCATIONS)}; got "
                f"{self.truncation!r}."
            )

    def __call__(self, texts):
        examples = self.encode(texts)
        longest = max((len(example) for example in examples), default=0)
        return self.pad(examples, longest)

    def encode(self, texts):
        """The packed but not yet padded examples of texts: a list of `PackedText`."""
        firsts, seconds = split_pairs(texts)
        first_ids = self.tokenizer.tokenize(firsts)
        second_ids = [None] * len(firsts) if seconds is None else self.tokenizer.tokenize(seconds)
        special = self.tokenizer.special_ids
        examples = []
        for i, (first, second) in enumerate(zip(first_ids, second_ids, strict=True)):
            try:
                example = packing.pack(
                    first, second, self.max_length, self.truncation, special["cls"], special["sep"]
                )
            except ValueError as error:
                raise ValueError(f"Item {i}: {error}") from error
            examples.append(example)
        return examples

    def pad(self, examples, length, rows=None):
        """The input dict of packed examples at a given length; see `packing.pad_rows`."""
        return packing.pad_rows(examples, length, self.tokenizer.special_ids["pad"], rows)
