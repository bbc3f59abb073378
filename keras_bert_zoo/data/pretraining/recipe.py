"""How text becomes rows of pre-training, as plain data: `PretrainingRecipe`."""

import dataclasses
import random

import numpy as np

from keras_bert_zoo.data.masking import UNITS, Masker
from keras_bert_zoo.data.pretraining.rows import RowMaker, Sentence
from keras_bert_zoo.data.pretraining.sentences import split_sentences
from keras_bert_zoo.data.pretraining.units import joined_tokens


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingRecipe:
    """How documents become rows of pre-training.

    Args:
        max_length: int. Longest row in tokens, special tokens included.
        pairs: str. `"next_sentence"`, `"sentence_order"` or `"none"`; see `RowMaker`.
        short_seq_prob: float. Share of the documents whose rows are shorter at random.
        dupe_factor: int. Passes over the text, each with other pairs (and other masks, where
            these are static). Google's is 10, with static masks; with dynamic ones training
            itself may go through the rows again.
        static_masks: bool. Whether masks are chosen now, once and for all. Defaults to False: they
            are chosen anew whenever a batch is made.
        mask_rate: float. Share of a row's tokens that is chosen.
        mask_unit: str. `"piece"`, `"word"`, `"ngram"` or `"span"`; see `Masker`.
        max_predictions_per_seq: int or None. Most tokens chosen in a row. None for
            `mask_rate * max_length`, which is Google's 20 at 128 but for rounding.
        split: bool. Whether lines are split into sentences. False where each line is one already,
            as in the files of Google's code.
        seed: int.
        block_characters: int. The text that is held in memory at once, by each process; more where
            a document is longer. What is "another document" comes from the same block.

    Raises:
        ValueError: a number is out of range, or a name unknown.
    """

    max_length: int = 128
    pairs: str = "next_sentence"
    short_seq_prob: float = 0.1
    dupe_factor: int = 1
    static_masks: bool = False
    mask_rate: float = 0.15
    mask_unit: str = "piece"
    max_predictions_per_seq: int | None = None
    split: bool = True
    seed: int = 0
    block_characters: int = 8_000_000

    def __post_init__(self):
        RowMaker(0, 0, self.max_length, self.pairs, self.short_seq_prob)
        Masker(0, np.arange(1), self.mask_rate, self.mask_unit, None, self.max_predictions_per_seq)
        for name in ("dupe_factor", "block_characters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)!r}.")

    def check_units(self, find_units):
        """Raises where units are found that would not be used."""
        if find_units is not None and not UNITS[self.mask_unit].words:
            raise ValueError(
                f'find_units needs a mask_unit of words, such as "word"; got {self.mask_unit!r}.'
            )

    def masker(self, tokenizer):
        """The Masker of the recipe."""
        return Masker.for_tokenizer(
            tokenizer, self.mask_rate, self.mask_unit, self.max_predictions_per_seq
        )

    def row_maker(self, tokenizer):
        """The RowMaker of the recipe."""
        special = tokenizer.special_ids
        return RowMaker(
            special["cls"], special["sep"], self.max_length, self.pairs, self.short_seq_prob
        )


def tokenized(documents, tokenizer, split=True, find_units=None):
    """Documents as lists of Sentence, without those that have no token.

    Args:
        documents: list of lists of str.
        tokenizer: Tokenizer.
        split: bool. Whether each line is split into sentences.
        find_units: callable, or None; see `make_pretraining_data`.
    """
    found = []
    for document in documents:
        texts = [s for line in document for s in (split_sentences(line) if split else [line])]
        if find_units is None:
            sentences = [Sentence(ids) for ids in tokenizer.tokenize(texts)]
        else:
            sentences = [
                _with_units(ids, offsets, find_units(text), tokenizer)
                for text, ids, offsets in zip(
                    texts, *tokenizer.tokenize_with_offsets(texts), strict=True
                )
            ]
        sentences = [sentence for sentence in sentences if sentence.token_ids]
        if sentences:
            found.append(sentences)
    return found


def _with_units(ids, offsets, spans, tokenizer):
    continues = [tokenizer.id_to_token(number).startswith("##") for number in ids]
    return Sentence(ids, joined_tokens(offsets, spans, continues))


def make_rows(documents, tokenizer, recipe, block=0, find_units=None):
    """The rows of a block of documents, of all passes, shuffled.

    Args:
        documents: list of lists of str.
        tokenizer: Tokenizer.
        recipe: PretrainingRecipe.
        block: int. The block's number, which goes into the seed.
        find_units: callable or None.

    Returns:
        list of PretrainingRow.

    Raises:
        ValueError: units are found, but single pieces masked.
    """
    recipe.check_units(find_units)
    sentences = tokenized(documents, tokenizer, recipe.split, find_units)
    maker, rows = recipe.row_maker(tokenizer), []
    for turn in range(recipe.dupe_factor):
        draws = random.Random(f"{recipe.seed} {block} {turn}")
        rows += maker.rows(sentences, draws)
    random.Random(f"{recipe.seed} {block}").shuffle(rows)
    if recipe.static_masks:
        masker = recipe.masker(tokenizer)
        draws = np.random.default_rng([recipe.seed, block])
        rows = [_masked(row, masker, draws) for row in rows]
    return rows


def _masked(row, masker, draws):
    hidden, positions = masker.mask(row.token_ids, draws, row.joined)
    return dataclasses.replace(
        row, token_ids=hidden, mask_positions=positions, mask_ids=row.token_ids[positions]
    )
