"""Words for the gaps of texts."""

import tensorflow as tf

from keras_bert_zoo.export.services.service import Service


class MaskService(Service):
    """Answers for each mask of a text, M at most, with its likeliest tokens.

    `tokens`, `token_ids` and `scores` `(B, M, k)`; `starts` and `ends` `(B, M)`, the mask's place
    in characters, and `byte_starts` and `byte_ends` in bytes. Where a text has fewer masks, or
    none, the rest is "", -1 and 0. The signature `tokens` takes `mask_positions` `(B, M)`, too, and
    answers with `logits` `(B, M, V)`, `tokens`, `token_ids` and `scores`.

    Args:
        model, folder: as for Service.
        top_k: int. Tokens for each mask, k.
    """

    def __init__(self, model, folder, top_k=5):
        super().__init__(model, folder)
        self.top_k = min(top_k, model.preprocessor.tokenizer.vocabulary_size)
        self.known = model.preprocessor.tokenizer.vocabulary_size

    def answer(self, text):
        pieces = self.tokenizer(text)
        is_mask = self.kept(pieces.ids == self.special_ids["mask"])
        rows = self.cut(pieces.ids)
        masks = tf.where(rows["token_ids"] == self.special_ids["mask"])
        positions = tf.RaggedTensor.from_value_rowids(
            tf.cast(masks[:, 1], tf.int32), masks[:, 0], tf.size(text, tf.int64), validate=False
        )
        there = tf.sequence_mask(positions.row_lengths())
        found = self.guesses(self.run({**rows, "mask_positions": positions.to_tensor()}))
        found = {
            "tokens": tf.where(there[:, :, None], found["tokens"], ""),
            "token_ids": tf.where(there[:, :, None], found["token_ids"], -1),
            "scores": tf.where(there[:, :, None], found["scores"], 0.0),
        }
        for name in ("starts", "ends", "byte_starts", "byte_ends"):
            places = tf.ragged.boolean_mask(getattr(pieces, name), is_mask)
            found[name] = places.to_tensor(-1)
        return found

    def answer_rows(self, **rows):
        logits = tf.cast(self.run(rows), tf.float32)
        return {"logits": logits, **self.guesses(logits)}

    def kept(self, mask):
        """Those flags, but not of pieces that are cut off."""
        lengths = tf.minimum(mask.row_lengths(), self.max_length - 2)
        places = tf.ragged.range(mask.row_lengths())
        return mask & (places < lengths[:, None])

    def guesses(self, logits):
        logits = tf.cast(logits, tf.float32)
        scores = tf.nn.softmax(logits)[..., : self.known]
        scores, ids = tf.math.top_k(scores, self.top_k)
        return {"tokens": self.tokenizer.texts_of(ids), "token_ids": ids, "scores": scores}
