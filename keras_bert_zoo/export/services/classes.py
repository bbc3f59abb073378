"""Classes, several labels, or a number for texts or pairs."""

import tensorflow as tf

from keras_bert_zoo.export.services.service import Service


class ClassService(Service):
    """Answers with `logits` and `probabilities` `(B, C)`, `label` and `score` `(B,)`.

    With several labels a text also `labels` `(B, C)`: those above the threshold, the likeliest
    first, then "". For regression `logits` and `score`, the number, alone.

    Args:
        model, folder: as for Service.
        names: tuple. The names of the classes.
        problem: str. `"multi_class"`, `"multi_label"` or `"regression"`.
        threshold: float. From which probability `labels` names a label.
        pairs: bool. Whether it takes pairs.
    """

    def __init__(self, model, folder, names, problem="multi_class", threshold=0.5, pairs=False):
        super().__init__(model, folder)
        if pairs:
            self.inputs = {"text": [None], "text_pair": [None]}
        self.names = [str(name) for name in names]
        self.problem = problem
        self.threshold = threshold

    def answer(self, text, text_pair=None):
        return self.outputs(self.run(self.rows_of(text, text_pair)))

    def answer_rows(self, **rows):
        return self.outputs(self.run(rows))

    def outputs(self, logits):
        logits = tf.cast(logits, tf.float32)
        if self.problem == "regression":
            return {"logits": logits, "score": logits[:, 0]}
        several = self.problem == "multi_label"
        probabilities = tf.sigmoid(logits) if several else tf.nn.softmax(logits)
        best = tf.argmax(probabilities, axis=-1)
        found = {
            "logits": logits,
            "probabilities": probabilities,
            "label": tf.gather(self.names, best),
            "score": tf.reduce_max(probabilities, axis=-1),
        }
        if several:
            order = tf.argsort(probabilities, direction="DESCENDING", stable=True)
            chosen = tf.gather(probabilities, order, batch_dims=1) >= self.threshold
            found["labels"] = tf.where(chosen, tf.gather(self.names, order), "")
        return found
