"""What every exported model is: texts to rows, a model, and its outputs made useful."""

import tensorflow as tf

from keras_bert_zoo.export.graph_rows import head, padded_rows, truncated_lengths
from keras_bert_zoo.export.graph_tokenizer import GraphTokenizer

VOCABULARY_FILE = "vocab.txt"
# Of the windows of long texts.
_ROWS_AT_ONCE = 64


class Service(tf.Module):
    """Texts in, answers out, as a TensorFlow graph. Abstract.

    A subclass gives `answer` (from texts) and `answer_rows` (from ids), which return dicts of
    tensors whose first axis is the batch.

    Args:
        model: a task, under the TensorFlow backend.
        folder: Path. Where to write the vocabulary.

    Raises:
        ValueError: the tokenizer does what a graph cannot express.
    """

    # The inputs of the signature `serving_default`, each with its shape.
    inputs = {"text": [None]}

    def __init__(self, model, folder):
        super().__init__()
        preprocessor = model.preprocessor
        self.max_length = preprocessor.max_length
        self.truncation = preprocessor.truncation
        self.special_ids = dict(preprocessor.tokenizer.special_ids)
        self.tokenizer = GraphTokenizer(preprocessor.tokenizer, folder / VOCABULARY_FILE)
        self.segments = model.config.num_segments > 1
        self._row_inputs = {
            name: tf.TensorSpec(part.shape, tf.int32, name) for name, part in model.input.items()
        }
        # In the graph once, however many signatures call it. Neither model nor function is an
        # attribute: TensorFlow would keep the one beside its weights, and the other once more.
        function = tf.function(
            lambda rows: model(rows, training=False),
            input_signature=[self._row_inputs],
            autograph=False,
        )
        self._run = lambda rows: function(rows)
        self._outputs = model.output

    def answer(self, **texts):
        """The outputs of `serving_default`."""
        raise NotImplementedError

    def answer_rows(self, **rows):
        """The outputs of `tokens`."""
        raise NotImplementedError

    def signatures(self):
        """Signature name -> concrete function."""
        texts = {name: tf.TensorSpec(s, tf.string, name) for name, s in self.inputs.items()}
        functions = {
            name: tf.function(answer, autograph=False).get_concrete_function(**inputs)
            for name, answer, inputs in (
                ("serving_default", self.answer, texts),
                ("tokens", self.answer_rows, self._row_inputs),
            )
        }
        # What the graphs read, and no more: not an optimizer's state, nor a pooler that is unused.
        used = {id(v): v for f in functions.values() for v in f.graph.variables}
        self.weights = list(used.values())
        return functions

    def run(self, rows):
        """The model's outputs, of an empty batch too, which not every layer takes."""
        count = tf.shape(rows["token_ids"])[0]
        lacking = tf.maximum(1 - count, 0)
        filled = {
            name: tf.pad(part, [[0, lacking]] + [[0, 0]] * (part.shape.rank - 1))
            for name, part in rows.items()
        }
        return tf.nest.map_structure(lambda output: output[:count], self._run(filled))

    def run_in_parts(self, rows):
        """The same, some rows at a time: one text may have thousands of windows."""
        count = tf.shape(rows["token_ids"])[0]
        parts = tf.maximum((count + _ROWS_AT_ONCE - 1) // _ROWS_AT_ONCE, 1)
        size = tf.minimum(count, _ROWS_AT_ONCE)

        def cut(part):
            part = tf.pad(part, [[0, parts * size - count], [0, 0]])
            return tf.reshape(part, [parts, size, tf.shape(part)[1]])

        specs = tf.nest.map_structure(
            lambda spec: tf.TensorSpec(spec.shape, spec.dtype), self._outputs
        )
        found = tf.map_fn(
            self.run,
            {name: cut(part) for name, part in rows.items()},
            fn_output_signature=specs,
            parallel_iterations=1,
        )

        def joined(output):
            shape = tf.concat([[parts * size], tf.shape(output)[2:]], 0)
            return tf.reshape(output, shape)[:count]

        return tf.nest.map_structure(joined, found)

    def rows_of(self, first, second=None):
        """The input dict of texts or pairs, cut as the preprocessor cuts them."""
        parts = (None if texts is None else self.tokenizer(texts).ids for texts in (first, second))
        return self.cut(*parts)

    def cut(self, first, second=None):
        """The same from their ids."""
        room = self.max_length - (2 if second is None else 3)
        counts = (None if ids is None else _counts(ids) for ids in (first, second))
        lengths = truncated_lengths(*counts, room, self.truncation)
        return self.padded(
            head(first, lengths[0]), None if second is None else head(second, lengths[1])
        )

    def padded(self, first, second=None):
        """The input dict of rows whose tokens are chosen."""
        rows = padded_rows(first, second, self.special_ids)
        if not self.segments:
            rows["segment_ids"] = tf.zeros_like(rows["segment_ids"])
        return {name: part for name, part in rows.items() if name in self._row_inputs}


def _counts(ids):
    return tf.cast(ids.row_lengths(), tf.int32)
