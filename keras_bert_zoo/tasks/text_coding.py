"""From texts and labels to what a model takes, and from its outputs to what a caller gets."""

import keras
import numpy as np
from keras import tree

from keras_bert_zoo.data.batching import Labelled, TextExamples
from keras_bert_zoo.data.labels import example_weights, leaves


class TextCoding:
    """A mixin for models of texts: each step as most tasks take it, for others to override.

    The model gives `config`, `output` and `jit_compile`.
    """

    preprocessor = None

    @property
    def shapes_cost(self):
        """Whether each new shape of a batch costs a compilation, so that they should be few."""
        return bool(keras.backend.backend() == "jax" or self.jit_compile)

    def encode_texts(self, x):
        """What `Batches` takes rows from, of texts in the form that the task takes.

        Raises:
            ValueError: an item is no text; the message names it.
        """
        return self.packed(self.preprocessor.encode(x))

    def packed(self, examples, form=TextExamples, **details):
        """Packed rows in the lengths that suit the backend.

        Args:
            examples: list of PackedText.
            form: TextExamples, or a class of its kind.
            **details: for that class.
        """
        return form(
            self.preprocessor,
            examples,
            compiled=self.shapes_cost,
            segments=self.config.num_segments > 1,
            **details,
        )

    def encode_labels(self, y):
        """Labels as the arrays that the loss takes, checked.

        Raises:
            ValueError: a label does not fit the task; the message names it.
        """
        raise NotImplementedError

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        """The examples with one label and one weight for each row.

        Args:
            examples: what `encode_texts` gave, or ArrayExamples.
            y: labels as the caller passes them.
            sample_weight: float32 array, dict of such, or None.
            training: bool. Whether the rows are trained on, else evaluated.
            class_weight: dict or None.

        Returns:
            Labelled.

        Raises:
            ValueError: labels do not fit the task or the examples.
        """
        y = self.encode_labels(y)
        if sample_weight is not None:
            sample_weight = self.encode_weights(sample_weight, y)
        for leaf in leaves(y):
            if len(leaf) != len(examples):
                raise ValueError(f"There are {len(examples)} examples but {len(leaf)} labels.")
        if class_weight is not None:
            by_class = self.class_weights(y, class_weight)  # (N,)
            sample_weight = by_class * (1 if sample_weight is None else sample_weight)
        return Labelled(examples, y, sample_weight)

    def encode_weights(self, sample_weight, y):
        """Sample weights as the loss takes them, from those of the caller and encoded labels.

        Raises:
            ValueError: they have another shape.
        """
        return example_weights(sample_weight, len(y))

    def class_weights(self, y, class_weight):
        """One weight an example, float32 `(N,)`, from encoded labels and a weight a class."""
        raise ValueError(f"{type(self).__name__} takes no class_weight.")

    def assemble(self, examples, outputs):
        """The outputs for a caller's examples, from those of the rows.

        Args:
            examples: what `encode_texts` gave, or ArrayExamples.
            outputs: list of the model's outputs, one for each row.

        Returns:
            array, nest of arrays, or list with one item for each example.
        """
        if not outputs:
            return tree.map_structure(
                lambda spec: np.zeros((0, *(n or 0 for n in spec.shape[1:])), spec.dtype),
                self.output,
            )
        return tree.map_structure(lambda *rows: np.stack(rows), *outputs)

    def join(self, parts):
        """The outputs of several batches of a dataset as one."""
        if isinstance(parts[0], list):
            return [item for part in parts for item in part]
        return tree.map_structure(lambda *leaves: np.concatenate(leaves), *parts)

    def refuse_texts_as_labels(self, y):
        """Raises where a dataset's second element looks like the second texts of pairs."""
        raise ValueError(
            "A dataset element of two texts can be read in two ways: as pairs, to be yielded as "
            "((firsts, seconds),), or as texts with labels, of which this model has none."
        )
