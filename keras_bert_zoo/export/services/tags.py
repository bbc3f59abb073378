"""A label for each piece of a text."""

import tensorflow as tf

from keras_bert_zoo.export.graph_windows import sentence_windows, without_long_words
from keras_bert_zoo.export.services.service import Service


class TagService(Service):
    """Answers for each piece of a text, P at most.

    `tokens`, `labels` and `scores` `(B, P)`; `logits` `(B, P, C)`; `starts` and `ends` `(B, P)` in
    characters, `byte_starts` and `byte_ends` in bytes; and `words` `(B, P)`, the number of the word
    that a piece belongs to: a word's label is that of its first piece. Where a text has fewer
    pieces the rest is "", 0, and -1. The signature `tokens` answers with `logits`, `labels` and
    `scores` for each token.

    Args:
        model, folder: as for Service.
        names: tuple. The names of the classes.
        stride: int. Most pieces that neighbouring windows share.
        decode: function or None. From logits `(B, L, C)` and a mask `(B, L)` to class numbers, for
            a CRF; it labels words.
    """

    def __init__(self, model, folder, names, stride, decode=None):
        super().__init__(model, folder)
        self.names = [str(name) for name in names]
        self.stride = stride
        self.decode = decode

    def answer(self, text):
        pieces = without_long_words(self.tokenizer(text), self.max_length - 2)
        ids, words = pieces.ids, pieces.words
        windows = sentence_windows(words, self.max_length - 2, self.stride)
        rows = self.padded(windows.take(ids))
        logits = tf.cast(self.run_in_parts(rows), tf.float32)  # (rows, L, C)
        places = tf.stack([windows.home_rows, windows.home_places + 1], 1)
        logits = ids.with_flat_values(tf.gather_nd(logits, places)).to_tensor(
            shape=[None, None, len(self.names)]
        )  # (B, P, C)
        real = tf.sequence_mask(ids.row_lengths())
        columns = {
            name: getattr(pieces, name).to_tensor(-1)
            for name in ("words", "starts", "ends", "byte_starts", "byte_ends")
        }
        numbers = self.numbers(logits, columns["words"], real)
        return {
            "logits": logits,
            **self.labels(logits, numbers, real),
            "tokens": tf.where(real, self.tokenizer.texts_of(ids.to_tensor()), ""),
            **columns,
        }

    def answer_rows(self, **rows):
        logits = tf.cast(self.run(rows), tf.float32)
        real = rows["padding_mask"] != 0
        numbers = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {"logits": logits, **self.labels(logits, numbers, real)}

    def numbers(self, logits, words, real):
        """The class of each piece, int32 `(B, P)`."""
        if self.decode is None:
            return tf.argmax(logits, axis=-1, output_type=tf.int32)
        first = tf.concat([real[:, :1], words[:, 1:] != words[:, :-1]], 1) & real
        # One place more, for a batch without any piece.
        places = tf.pad(first, [[0, 0], [0, 1]])
        decoded = self.decode(tf.pad(logits, [[0, 0], [0, 1], [0, 0]]), places)[:, :-1]
        by_word = tf.ragged.boolean_mask(decoded, first).to_tensor()
        return tf.gather(by_word, tf.maximum(words, 0), batch_dims=1)

    def labels(self, logits, numbers, real):
        scores = tf.gather(tf.nn.softmax(logits), numbers, batch_dims=2)
        return {
            "labels": tf.where(real, tf.gather(self.names, numbers), ""),
            "scores": tf.where(real, scores, 0.0),
        }
