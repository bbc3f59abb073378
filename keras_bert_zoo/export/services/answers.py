"""Answers to questions, as spans of contexts."""

import tensorflow as tf

from keras_bert_zoo.export.graph_windows import context_windows
from keras_bert_zoo.export.services.service import Service

# The logit of a token that is not there.
_ABSENT = -1e9


class AnswerService(Service):
    """Takes `question` and `context` `(B,)`.

    Answers with `answer`, `score`, `start`, `end` (characters), `byte_start` and `byte_end`
    `(B,)`, where no answer is "" from 0 to 0; and with the logits `start_logits` and `end_logits`
    of each token of the context, `(B, T)`. The signature `tokens` answers with `start_logits` and
    `end_logits` for each token of a row.

    Args:
        model, folder: as for Service.
        stride: int. Tokens that neighbouring windows share.
        candidates: int. How many spans an answer's probability is taken among.
        threshold: float or None. By how much the score of no answer must exceed that of the best
            span; None where every context holds an answer.
        max_answer_length: int. In tokens.
    """

    inputs = {"question": [None], "context": [None]}

    def __init__(self, model, folder, stride, candidates, threshold=None, max_answer_length=30):
        super().__init__(model, folder)
        self.stride = stride
        self.candidates = candidates
        self.threshold = threshold
        self.max_answer_length = max_answer_length

    def answer(self, question, context):
        question = self.tokenizer(question).ids
        pieces = self.tokenizer(context)
        lengths = tf.cast(question.row_lengths(), tf.int32)
        windows = context_windows(pieces.ids, self.max_length - 3 - lengths, self.stride)
        rows = self.padded(tf.gather(question, windows.owners), windows.take(pieces.ids))
        start, end = self.logits(self.run_in_parts(rows))  # (rows, L)
        begin = tf.gather(lengths, windows.owners) + 2  # (rows,) where a row's window begins
        scores = self.span_scores(start, end, windows, begin)  # (tokens, answer lengths)
        by_example = pieces.ids.with_flat_values(scores)
        none = tf.math.unsorted_segment_min(
            tf.cast(start[:, 0], tf.float64) + tf.cast(end[:, 0], tf.float64),
            windows.owners,
            tf.size(lengths),
        )
        first, last, score, empty = self.best(by_example, none)

        def at(name, numbers):
            return tf.where(
                empty, 0, tf.gather(getattr(pieces, name).to_tensor(), numbers, batch_dims=1)
            )

        byte_start, byte_end = at("byte_starts", first), at("byte_ends", last)
        places = tf.stack(
            [windows.home_rows, tf.gather(begin, windows.home_rows) + windows.home_places], 1
        )
        return {
            "answer": tf.strings.substr(context, byte_start, byte_end - byte_start),
            "score": score,
            "start": at("starts", first),
            "end": at("ends", last),
            "byte_start": byte_start,
            "byte_end": byte_end,
            **{
                name: pieces.ids.with_flat_values(tf.gather_nd(logits, places)).to_tensor(_ABSENT)
                for name, logits in (("start_logits", start), ("end_logits", end))
            },
        }

    def answer_rows(self, **rows):
        start, end = self.logits(self.run(rows))
        return {"start_logits": start, "end_logits": end}

    def logits(self, outputs):
        return (tf.cast(outputs[name], tf.float32) for name in ("start", "end"))

    def span_scores(self, start, end, windows, begin):
        """The scores of the spans from each token on, float64 `(tokens, answer lengths)`."""
        rows, places = windows.home_rows, windows.home_places
        begin = tf.gather(begin, rows)
        first = tf.gather_nd(start, tf.stack([rows, begin + places], 1))
        last = places[:, None] + tf.range(self.max_answer_length)
        inside = last < tf.gather(windows.lengths, rows)[:, None]
        columns = begin[:, None] + tf.where(inside, last, 0)
        ends = tf.gather_nd(
            end, tf.stack([tf.broadcast_to(rows[:, None], tf.shape(columns)), columns], 2)
        )
        scores = tf.cast(first, tf.float64)[:, None] + tf.cast(ends, tf.float64)
        return tf.where(inside, scores, tf.cast(float("-inf"), tf.float64))

    def best(self, scores, none):
        """First and last token and the probability of the best span, and whether none is better."""
        width = self.max_answer_length
        dense = scores.to_tensor(float("-inf"), shape=[None, None, width])  # (B, T, lengths)
        # One column at least, for an empty batch.
        flat = tf.reshape(dense, [tf.shape(dense)[0], tf.shape(dense)[1] * width])
        flat = tf.pad(flat, [[0, 0], [0, tf.maximum(1 - tf.shape(flat)[1], 0)]])
        count = tf.minimum(self.candidates, tf.shape(flat)[1])
        top, where = tf.math.top_k(flat, count)  # (B, candidates)
        first = where[:, 0] // width
        last = first + where[:, 0] % width
        if self.threshold is None:
            return first, last, _chance(top[:, 0], top), tf.zeros_like(first, tf.bool)
        everything = tf.concat([top, none[:, None]], 1)
        empty = none - top[:, 0] > self.threshold
        return first, last, _chance(tf.where(empty, none, top[:, 0]), everything), empty


def _chance(score, scores):
    chance = tf.exp(score - tf.reduce_logsumexp(scores, axis=1))
    return tf.cast(chance, tf.float32)
