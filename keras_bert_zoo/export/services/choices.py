"""The likeliest of several choices."""

import tensorflow as tf

from keras_bert_zoo.export.services.service import Service


class ChoiceService(Service):
    """Takes `prompt` `(B,)` and `choices` `(B, N)`, of which "" is none: prompts may have different
    numbers of choices, but at least one.

    Answers with `logits` and `probabilities` `(B, N)`, `index`, `choice` and `score` `(B,)`.
    """

    inputs = {"prompt": [None], "choices": [None, None]}

    def answer(self, prompt, choices):
        shape = tf.shape(choices)
        some = tf.reduce_any(choices != "", axis=1)
        check = tf.debugging.assert_equal(some, True, "A prompt has no choices.")
        with tf.control_dependencies([check]):
            choices = tf.identity(choices)
        prompts = tf.repeat(prompt, shape[1])
        rows = self.rows_of(prompts, tf.reshape(choices, [-1]))
        present = tf.cast(tf.reshape(choices, [-1, 1]) != "", tf.int32)
        rows["padding_mask"] *= present
        rows = {
            name: tf.reshape(part, [*tf.unstack(shape), tf.shape(part)[1]])
            for name, part in rows.items()
        }
        found = self.answer_rows(**rows)
        return {**found, "choice": tf.gather(choices, found["index"], batch_dims=1)}

    def answer_rows(self, **rows):
        logits = tf.cast(self.run(rows), tf.float32)
        probabilities = tf.nn.softmax(logits)
        return {
            "logits": logits,
            "probabilities": probabilities,
            "index": tf.argmax(logits, axis=-1, output_type=tf.int32),
            "score": tf.reduce_max(probabilities, axis=-1),
        }
