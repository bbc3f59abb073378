"""Words for masks."""

import numpy as np
import pytest
import support

from keras_bert_zoo.data.mask_filling import guesses, mask_spans, target_ids


def test_where_masks_stand():
    tokenizer = support.tiny_tokenizer()
    assert mask_spans(tokenizer, "a [MASK] of [MASK]", "Item 0") == [(2, 8), (12, 18)]
    with pytest.raises(ValueError, match=r"Item 3 has no \[MASK\]: 'tea'"):
        mask_spans(tokenizer, "tea", "Item 3")


def test_targets_are_single_tokens_once():
    tokenizer = support.tiny_tokenizer()
    ids = target_ids(tokenizer, ["tea", "cup", "tea"])
    assert [tokenizer.id_to_token(number) for number in ids] == ["tea", "cup"]
    for wrong in ([], "tea"):
        with pytest.raises(ValueError, match="targets must be a list of words, at least one"):
            target_ids(tokenizer, wrong)
    with pytest.raises(ValueError, match="The target 'unheard' is no single token"):
        target_ids(tokenizer, ["tea", "unheard"])


def test_guesses_are_the_likeliest_of_those_allowed():
    tokenizer = support.tiny_tokenizer()
    tea, cup, film = target_ids(tokenizer, ["tea", "cup", "film"])
    logits = np.zeros(tokenizer.vocabulary_size)
    logits[[tea, cup, film]] = 3.0, 2.0, 1.0
    found = guesses(tokenizer, "a [MASK].", (2, 8), logits, top_k=2)
    assert [one["text"] for one in found] == ["a tea.", "a cup."]
    assert found[0]["score"] == pytest.approx(np.exp(3) / np.exp(logits).sum())
    allowed = guesses(tokenizer, "a [MASK].", (2, 8), logits, 5, np.array([film, cup]))
    assert [one["token_id"] for one in allowed] == [cup, film]
    assert allowed[0]["score"] == found[1]["score"]  # among all tokens, too
