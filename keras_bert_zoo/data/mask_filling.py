"""Words for the masks of a text, from the logits there."""

import numpy as np

from keras_bert_zoo.data.probabilities import softmax


def mask_spans(tokenizer, text, where):
    """Start and end of each mask of a text, in characters.

    Raises:
        ValueError: it has none; the message begins with `where`.
    """
    ids, offsets = tokenizer.tokenize_with_offsets(text)
    mask_id = tokenizer.special_ids["mask"]
    spans = [span for token, span in zip(ids, offsets, strict=True) if token == mask_id]
    if not spans:
        raise ValueError(f"{where} has no {tokenizer.special_tokens['mask']}: {text!r}.")
    return spans


def target_ids(tokenizer, targets):
    """The ids of words that are one token each, without repeats: int64, `(n,)`.

    Args:
        tokenizer: Tokenizer.
        targets: list of str; a piece of a word is written `"##er"`.

    Raises:
        ValueError: there are none, or one is no single token.
    """
    if isinstance(targets, str) or not len(targets):
        raise ValueError(f"targets must be a list of words, at least one; got {targets!r}.")
    found = []
    for word, ids in zip(targets, tokenizer.tokenize(list(targets)), strict=True):
        if word.startswith("##") and tokenizer.token_to_id(word) is not None:
            ids = [tokenizer.token_to_id(word)]  # a piece of a word, as it stands there
        if len(ids) != 1 or ids[0] == tokenizer.special_ids["unk"]:
            pieces = ", ".join(tokenizer.id_to_token(i) for i in ids)
            raise ValueError(f"The target {word!r} is no single token but {pieces or 'none'}.")
        found.append(ids[0])
    return np.array(list(dict.fromkeys(found)), "int64")


def guesses(tokenizer, text, span, logits, top_k, allowed=None):
    """The likeliest tokens for one mask.

    Args:
        tokenizer: Tokenizer.
        text: str.
        span: `(start, end)` of the mask, in characters.
        logits: array, `(V,)`.
        top_k: int.
        allowed: int array or None. The only ids to choose among.

    Returns:
        list of dicts `token`, `token_id`, `score` and `text`; see `MaskedLM.fill_mask`.
    """
    scores = softmax(logits.astype("float32"))
    ids = np.arange(tokenizer.vocabulary_size) if allowed is None else allowed
    best = ids[np.argsort(-scores[ids], kind="stable")[:top_k]]
    return [
        {
            "token": tokenizer.id_to_token(number),
            "token_id": int(number),
            "score": float(scores[number]),
            "text": _filled_in(text, span, tokenizer.id_to_token(number)),
        }
        for number in best
    ]


def _filled_in(text, span, token):
    """The text with a token in place of a mask; a piece of a word joins what is before it."""
    joins = token.startswith("##") and text[: span[0]][-1:].strip()
    return text[: span[0]] + (token[2:] if joins else token) + text[span[1] :]
