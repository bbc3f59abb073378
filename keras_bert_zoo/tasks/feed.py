"""From what a caller passes to `fit`, `evaluate` and `predict` to what the backend takes."""

import functools

import numpy as np

from keras_bert_zoo.data import streams
from keras_bert_zoo.data.backend_dataset import as_tf_dataset, for_backend, is_stream, is_tf_dataset
from keras_bert_zoo.data.batching import ArrayExamples, Batches, TextExamples
from keras_bert_zoo.data.example_packing import ExamplePacking
from keras_bert_zoo.data.labels import each, leaves
from keras_bert_zoo.data.lengths import fitted_lengths
from keras_bert_zoo.encoder_inputs import check_inputs
from keras_bert_zoo.layers.devices import is_cpu

DEFAULT_BATCH_SIZE = 32


class Feed:
    """The data of one model, checked: the one way from texts into training and prediction.

    Args:
        model: TextModel.
        pack_examples: bool. Whether the examples of a batch share rows.

    Raises:
        ValueError: the model's examples cannot share rows.
    """

    def __init__(self, model, pack_examples=False):
        if pack_examples and not model.packs_examples:
            raise ValueError(
                f"This {type(model).__name__} cannot pack examples: those tasks can that take what "
                "the backbone gives for a text, not its inner layers or several rows at once."
            )
        self.model = model
        self.packing = None
        if pack_examples:
            self.packing = ExamplePacking(rows_step=4 if model.shapes_cost else 1)

    # === Whole datasets ===

    def dataset(self, x, y, sample_weight, batch_size, order, training, class_weight=None):
        """What the backend's trainer takes.

        Args:
            x, y, sample_weight, batch_size, class_weight: as for `TextModel.fit`.
            order: str. See `Batches`; not for datasets.
            training: bool. Whether the rows are trained on, else evaluated.
        """
        if not is_stream(x):
            examples = self.read(x, y, sample_weight, training, class_weight)
            return self.batches(examples, batch_size, order)
        _refuse_beside_dataset(y, sample_weight, batch_size)
        self._refuse_packing()
        prepare = functools.partial(self._prepare, training=training, class_weight=class_weight)
        stream = streams.Stream(x, prepare)
        return as_tf_dataset(stream) if is_tf_dataset(x) else for_backend(stream)

    def read(self, x, y, sample_weight, training, class_weight=None):
        """Lists and arrays as what `Batches` takes rows from."""
        self._check_labels(y)
        examples = self._examples(x)
        if not len(examples):
            raise ValueError("There are no examples.")
        return self._labelled(examples, y, sample_weight, training, class_weight)

    def split(self, x, y, sample_weight, share, class_weight=None):
        """As `read`, twice: the first examples, and the last `share` of them."""
        if not 0 < share < 1:
            raise ValueError(f"validation_split must lie between 0 and 1; got {share!r}.")
        self._check_labels(y)
        examples = self._examples(x)
        training = self._labelled(examples, y, sample_weight, True, class_weight)
        count = examples.count
        border = int(count * (1 - share))
        if border in (0, count):
            raise ValueError(f"validation_split={share} leaves one side of {count} examples empty.")
        evaluated = self._labelled(examples, y, sample_weight, training=False)
        row = int(np.searchsorted(examples.owners, border))
        return training.part(slice(row)), evaluated.part(slice(row, None))

    def batches(self, examples, batch_size, order):
        """What the backend's trainer takes, from the outcome of `read`."""
        size = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
        return for_backend(self._batches(examples, size, order))

    def prediction_batches(self, x, batch_size, order):
        """Pairs of examples and their batches: one of a list, one for each batch of a dataset.

        The batches are pairs of an input dict and the numbers of its real rows.
        """
        if is_stream(x):
            _refuse_beside_dataset(batch_size)
            self._refuse_packing()
            for examples, rows in streams.Stream(x, self._prepare_inputs):
                everything = np.arange(len(examples))
                yield examples, [(examples.take(everything, rows), everything)]
            return
        size = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
        examples = self._examples(x)
        if order == "sorted":
            self._fit_lengths(examples)
        batches = self._batches(examples, size, order)
        yield examples, ((batch, batches.rows(i)) for i, (batch,) in enumerate(batches))

    def _batches(self, examples, batch_size, order):
        fill = self.model.shapes_cost
        return Batches(examples, batch_size, order, fill=fill, packing=self.packing)

    def _fit_lengths(self, examples):
        """Pads rows to lengths that fit them; once for a model, which compiles programs for them.

        On accelerators compiling takes longer than any padding.
        """
        model, padded = self.model, isinstance(examples, TextExamples) and self.packing is None
        if not (padded and model.shapes_cost and is_cpu()):
            return
        buckets, fitted = examples.buckets, model.fitted_lengths
        if not fitted:
            found = fitted_lengths(examples.lengths, buckets)
            if found == buckets:
                return
            model.fitted_lengths = fitted = found
        examples.buckets = (*fitted, *(bucket for bucket in buckets if bucket > fitted[-1]))

    # === Batches of a caller's dataset ===

    def _prepare(self, x, y, sample_weight, most_rows, training, class_weight):
        if y is None and self.model.needs_labels:
            raise ValueError("The dataset yields no labels: it should yield (x, y).")
        y = None if y is None else each(_as_text, y)
        examples = self._examples(x)
        labelled = self._labelled(examples, y, sample_weight, training, class_weight)
        return labelled.batch(np.arange(len(labelled)), most_rows(len(labelled)))

    def _prepare_inputs(self, x, y, _, most_rows):
        y_of_texts = isinstance(y, (list, np.ndarray)) or hasattr(y, "__array__")
        first = y[0] if y_of_texts and len(y) else None
        if isinstance(first, (str, bytes)) and isinstance(x, list):
            self.model.refuse_texts_as_labels(_as_text(y))
        examples = self._examples(x)
        return examples, most_rows(len(examples))

    # === Parts ===

    def _examples(self, x):
        if isinstance(x, dict):
            return ArrayExamples(self._arrays(x))
        self._check_preprocessor()
        return self.model.encode_texts(x)

    def _arrays(self, x):
        """Id arrays with every input of the model, checked."""
        names = tuple(self.model.input)
        tensors = {k: v if v is None else np.asarray(v) for k, v in x.items()}
        arrays = check_inputs(tensors, self.model.config, self.model.input)
        token_ids = arrays["token_ids"]
        arrays.setdefault("segment_ids", np.zeros_like(token_ids))
        arrays.setdefault("padding_mask", np.ones_like(token_ids))
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ValueError(f"The inputs lack {', '.join(missing)}.")
        uneven = {name: len(array) for name, array in arrays.items()}
        if len(set(uneven.values())) > 1:
            raise ValueError(f"The inputs differ in their number of examples: {uneven}.")
        mask = arrays["padding_mask"]
        empty = np.flatnonzero(~mask.any(axis=tuple(range(1, mask.ndim))))
        if len(empty):
            raise ValueError(f"padding_mask[{empty[0]}] has no real token.")
        return arrays

    def _labelled(self, examples, y, sample_weight, training, class_weight=None):
        """The examples with their labels, checked."""
        if sample_weight is not None:
            sample_weight = each(_numbers, sample_weight)
        count = examples.count
        if class_weight is not None and not isinstance(class_weight, dict):
            raise ValueError(f"class_weight must be a dict; got {type(class_weight).__name__}.")
        for leaf in leaves(sample_weight):
            if leaf.shape[:1] != (count,):
                raise ValueError(
                    f"There are {count} examples but sample weights of the shape {leaf.shape}."
                )
        return self.model.encode_targets(examples, y, sample_weight, training, class_weight)

    def _refuse_packing(self):
        if self.packing is not None:
            raise ValueError("pack_examples=True needs lists or arrays, not a dataset.")

    def _check_labels(self, y):
        if y is None and self.model.needs_labels:
            raise ValueError("Labels are needed beside the texts: pass (x, y).")

    def _check_preprocessor(self):
        if self.model.preprocessor is None:
            raise ValueError(
                f"This {type(self.model).__name__} has no tokenizer, so it takes id arrays only. "
                "Build it with preprocessor=…, or put vocab.txt into the folder it is loaded from."
            )


def validation_parts(validation_data):
    """Validation data as `(x, y, sample_weight)`."""
    texts = isinstance(validation_data, list) and all(
        isinstance(item, str) for item in validation_data
    )
    alone = texts or is_stream(validation_data)
    parts = (validation_data,) if alone else validation_data
    if not isinstance(parts, (tuple, list)) or not 1 <= len(parts) <= 3:
        raise ValueError(
            "validation_data must be (x, y), (x, y, weights), a dataset, or, for a task without "
            "labels, (x,) or a list of texts."
        )
    return (*parts, None, None)[:3]


def first_examples(x, count):
    """The first of some texts, pairs or id arrays."""
    if isinstance(x, dict):
        return {name: array if array is None else array[:count] for name, array in x.items()}
    return tuple(part[:count] for part in x) if isinstance(x, tuple) else x[:count]


def _numbers(weights):
    """Sample weights as float32, all finite."""
    try:
        weights = np.asarray(weights, "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(f"Sample weights must be numbers: {error}.") from error
    wrong = np.argwhere(~np.isfinite(weights))
    if len(wrong):
        where = ", ".join(map(str, wrong[0]))
        raise ValueError(f"sample_weight[{where}] is {weights[tuple(wrong[0])]}, no finite number.")
    return weights


def _as_text(leaf):
    """Labels of a dataset, bytes as text."""
    if isinstance(leaf, (list, tuple)):
        return leaf
    array = np.asarray(leaf)
    return _decoded(array.tolist()) if array.ndim and array.dtype.kind in "OS" else array


def _decoded(nest):
    """Nested lists with their bytes as text."""
    if isinstance(nest, list):
        return [_decoded(item) for item in nest]
    return nest.decode("utf-8") if isinstance(nest, bytes) else nest


def _refuse_beside_dataset(*extras):
    if any(extra is not None for extra in extras):
        raise ValueError("With a dataset, y, sample_weight and batch_size come from it.")
