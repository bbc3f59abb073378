"""From what a caller passes to `fit`, `evaluate` and `predict` to what the backend takes."""

import functools

import keras
import numpy as np
from keras import tree

from keras_bert_zoo.data import streams
from keras_bert_zoo.data.backend_dataset import as_tf_dataset, for_backend, is_stream, is_tf_dataset
from keras_bert_zoo.data.batching import ArrayExamples, Batches, TextExamples
from keras_bert_zoo.encoder_inputs import check_inputs

DEFAULT_BATCH_SIZE = 32


class Feed:
    """The data of one model, checked: the one way from texts into training and prediction.

    Args:
        model: TextModel.
    """

    def __init__(self, model):
        self.model = model

    # === Whole datasets ===

    def dataset(self, x, y, sample_weight, batch_size, order, class_weight=None):
        """What the backend's trainer takes.

        Args:
            x, y, sample_weight, batch_size, class_weight: as for `TextModel.fit`.
            order: str. See `Batches`; not for datasets.
        """
        if not is_stream(x):
            read = self.read(x, y, sample_weight)
            return self.batches(*read, batch_size, order, class_weight)
        _refuse_beside_dataset(y, sample_weight, batch_size)
        stream = streams.Stream(x, functools.partial(self._prepare, class_weight=class_weight))
        return as_tf_dataset(stream) if is_tf_dataset(x) else for_backend(stream)

    def read(self, x, y, sample_weight):
        """Examples, encoded labels and weights from lists and arrays."""
        if y is None:
            raise ValueError("Labels are needed beside the texts: pass (x, y).")
        examples = self._examples(x)
        if not len(examples):
            raise ValueError("There are no examples.")
        return examples, *self._labels(y, sample_weight, len(examples))

    def split(self, x, y, sample_weight, share):
        """As `read`, twice: the first examples, and the last `share` of them."""
        if not 0 < share < 1:
            raise ValueError(f"validation_split must lie between 0 and 1; got {share!r}.")
        examples, y, sample_weight = self.read(x, y, sample_weight)
        border = int(len(examples) * (1 - share))
        if border in (0, len(examples)):
            raise ValueError(
                f"validation_split={share} leaves one side of {len(examples)} examples empty."
            )

        def part(where):
            weights = None if sample_weight is None else each(lambda w: w[where], sample_weight)
            return examples.part(where), each(lambda leaf: leaf[where], y), weights

        return part(slice(border)), part(slice(border, None))

    def batches(self, examples, y, sample_weight, batch_size, order, class_weight=None):
        """What the backend's trainer takes, from the outcome of `read`."""
        sample_weight = self._weigh_classes(y, sample_weight, class_weight)
        size = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
        return for_backend(Batches(examples, y, sample_weight, size, order))

    def prediction_batches(self, x, batch_size, order):
        """Pairs of an input dict and the example numbers of its real rows."""
        if is_stream(x):
            _refuse_beside_dataset(batch_size)
            start = 0
            for batch, count in streams.Stream(x, self._prepare_inputs):
                yield batch, np.arange(start, start + count)
                start += count
            return
        size = DEFAULT_BATCH_SIZE if batch_size is None else batch_size
        batches = Batches(self._examples(x), None, None, size, order)
        for i, (batch,) in enumerate(batches):
            yield batch, batches.rows(i)

    # === Batches of a caller's dataset ===

    def _prepare(self, x, y, sample_weight, rows, class_weight):
        if y is None:
            raise ValueError("The dataset yields no labels: it should yield (x, y).")
        x = self._inputs(x)
        y, sample_weight = self._labels(each(_as_text, y), sample_weight, streams.count_rows(x))
        sample_weight = self._weigh_classes(y, sample_weight, class_weight)
        return streams.prepare_batch(self._packed(x), y, sample_weight, rows)

    def _prepare_inputs(self, x, y, _, rows):
        x = self._inputs(x)
        texts = y is not None and not isinstance(y, dict) and np.asarray(y).dtype.kind in "OSU"
        if texts and isinstance(x, list):
            self.model.refuse_texts_as_labels(_as_text(y))
        batch = streams.prepare_batch(self._packed(x), None, None, rows)
        return batch[0], streams.count_rows(x)

    def _inputs(self, x):
        if isinstance(x, dict):
            return self._arrays(x)
        self._check_preprocessor()
        return x

    # === Parts ===

    def _examples(self, x):
        return self._packed(self._inputs(x))

    def _packed(self, x):
        """The examples of checked arrays or of texts."""
        if isinstance(x, dict):
            return ArrayExamples(x)
        compiled = keras.backend.backend() == "jax" or self.model.jit_compile
        segments = self.model.config.num_segments > 1
        return TextExamples(self.model.preprocessor, x, compiled, segments)

    def _arrays(self, x):
        """Id arrays with every input of the model, checked."""
        names = tuple(self.model.input)
        tensors = {k: v if v is None else np.asarray(v) for k, v in x.items()}
        arrays = check_inputs(tensors, self.model.config, known=names)
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

    def _labels(self, y, sample_weight, count):
        y = self.model.encode_labels(y)
        for leaf in tree.flatten(y):
            if len(leaf) != count:
                raise ValueError(f"There are {count} examples but {len(leaf)} labels.")
        if sample_weight is not None:
            sample_weight = each(_numbers, sample_weight)
            for leaf in tree.flatten(sample_weight):
                if leaf.shape[:1] != (count,):
                    raise ValueError(
                        f"There are {count} examples but sample weights of the shape {leaf.shape}."
                    )
        return y, sample_weight

    def _weigh_classes(self, y, sample_weight, class_weight):
        """The sample weights times those of the classes."""
        if class_weight is None:
            return sample_weight
        if not isinstance(class_weight, dict):
            raise ValueError(f"class_weight must be a dict; got {type(class_weight).__name__}.")
        by_class = self.model.class_weights(y, class_weight)  # (N,)
        return by_class if sample_weight is None else sample_weight.reshape(-1) * by_class

    def _check_preprocessor(self):
        if self.model.preprocessor is None:
            raise ValueError(
                f"This {type(self.model).__name__} has no tokenizer, so it takes id arrays only. "
                "Build it with preprocessor=…, or put vocab.txt into the folder it is loaded from."
            )


def each(function, nest):
    """A function of each output's array: of those in a dict, else of the one. Lists are arrays."""
    if isinstance(nest, dict):
        return {name: function(value) for name, value in nest.items()}
    return function(nest)


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
    if array.ndim == 1 and array.dtype.kind in "OS":
        return [item.decode("utf-8") if isinstance(item, bytes) else item for item in array]
    return array


def _refuse_beside_dataset(*extras):
    if any(extra is not None for extra in extras):
        raise ValueError("With a dataset, y, sample_weight and batch_size come from it.")
