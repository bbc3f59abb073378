"""A vector for each text."""

import tensorflow as tf

from keras_bert_zoo.export.services.service import Service


class VectorService(Service):
    """Answers with `embedding` `(B, D)`."""

    def answer(self, text):
        return self.answer_rows(**self.rows_of(text))

    def answer_rows(self, **rows):
        return {"embedding": tf.cast(self.run(rows), tf.float32)}
