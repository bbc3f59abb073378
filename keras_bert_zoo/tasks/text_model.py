"""`fit`, `evaluate` and `predict` from texts: the part that every task shares."""

import functools

import keras
import numpy as np
from keras import ops, tree

from keras_bert_zoo.data import streams
from keras_bert_zoo.data.backend_dataset import as_tf_dataset, for_backend, is_stream, is_tf_dataset
from keras_bert_zoo.data.batching import ArrayExamples, Batches, TextExamples
from keras_bert_zoo.encoder_inputs import EncoderModel, check_inputs

DEFAULT_BATCH_SIZE = 32


class TextModel(EncoderModel):
    """A model that is trained and run on texts.

    A subclass gives `preprocessor`, `encode_labels` and `default_compile`.

    `x` is a list of texts; a tuple of two lists for pairs; a dict of id arrays; or a
    `tf.data.Dataset` or `keras.utils.PyDataset` that yields batches of these, with labels and
    sample weights: `((firsts, seconds), y)`.
    """

    preprocessor = None

    def encode_labels(self, y):
        """Labels as the arrays that the loss takes, checked.

        Raises:
            ValueError: a label does not fit the task; the message names it.
        """
        raise NotImplementedError

    def default_compile(self):
        """A dict of `optimizer`, `loss` and `metrics` or `weighted_metrics`."""
        raise NotImplementedError

    # === Compile ===

    def compile(
        self, optimizer="auto", loss="auto", *, metrics="auto", weighted_metrics=None, **kwargs
    ):
        """As `keras.Model.compile`, with defaults that fit the task.

        Args:
            optimizer, loss, metrics: as for Keras; `"auto"` is the task's own choice.
            weighted_metrics: as for Keras. Instead of `metrics`, not beside them.
            **kwargs: as for Keras.

        Raises:
            ValueError: both kinds of metrics are given.
        """
        defaults = self.default_compile()
        if metrics == "auto":
            metrics = None if weighted_metrics else defaults.get("metrics")
            weighted_metrics = weighted_metrics or defaults.get("weighted_metrics")
        if metrics and weighted_metrics:
            raise ValueError("Pass either metrics or weighted_metrics, not both.")
        # All go to Keras as weighted ones, so that rows which only fill up a batch never count;
        # `compute_metrics` chooses the weights.
        self._metrics_are_weighted = bool(weighted_metrics)
        super().compile(
            optimizer=defaults["optimizer"] if optimizer == "auto" else optimizer,
            loss=defaults["loss"] if loss == "auto" else loss,
            weighted_metrics=weighted_metrics or metrics,
            **kwargs,
        )

    def get_compile_config(self):
        config = super().get_compile_config()
        if config and not self._metrics_are_weighted:
            config["metrics"], config["weighted_metrics"] = config["weighted_metrics"], None
        return config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(x, dict) and not self._metrics_are_weighted:
            real = ops.any(ops.not_equal(x["padding_mask"], 0), axis=-1)  # (B,)
            sample_weight = tree.map_structure(lambda _: ops.cast(real, "float32"), y)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    # === Fit, evaluate, predict ===

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        validation_batch_size=None,
        **kwargs,
    ):
        """As `keras.Model.fit`, from texts.

        Args:
            x: texts, pairs, id arrays, or a dataset; see the class.
            y: labels; None with a dataset.
            batch_size: int. Defaults to 32; None with a dataset.
            epochs: int. Defaults to 1.
            validation_split: float. Share of the last examples to hold back; not with a dataset.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a dataset.
            shuffle: bool. Anew in each epoch; a dataset shuffles itself.
            class_weight: dict of class (number or label) to weight, for one label an example.
            sample_weight: array with one weight an example.
            validation_batch_size: int. Defaults to `batch_size`.
            **kwargs: as for `keras.Model.fit` (`callbacks`, `verbose`, `initial_epoch` …).

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: texts or labels are wrong; the message names the item.
        """
        if not is_stream(x) and y is None:
            raise ValueError("fit needs labels: fit(x, y).")
        if validation_split:
            if is_stream(x) or validation_data is not None:
                raise ValueError(
                    "validation_split needs x and y as lists or arrays, and no validation_data."
                )
            x, y, sample_weight, validation_data = _split(x, y, sample_weight, validation_split)
        order = "shuffled" if shuffle else "given"
        dataset = self._dataset(x, y, sample_weight, batch_size, order, True, class_weight)
        if validation_data is not None:
            held_back = (validation_data,) if is_stream(validation_data) else validation_data
            if not isinstance(held_back, (tuple, list)) or not 1 <= len(held_back) <= 3:
                raise ValueError("validation_data must be (x, y), (x, y, weights) or a dataset.")
            val_x, val_y, val_weight = (*held_back, None, None)[:3]
            size = validation_batch_size or batch_size
            size = None if is_stream(val_x) else size
            validation_data = self._dataset(val_x, val_y, val_weight, size, "sorted", False)
        return super().fit(
            dataset, epochs=epochs, validation_data=validation_data, shuffle=False, **kwargs
        )

    def evaluate(
        self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **kwargs
    ):
        """As `keras.Model.evaluate`, from texts; see `fit` for the arguments.

        Returns:
            the loss and metrics: a scalar or list, or a dict with `return_dict=True`.
        """
        if kwargs.get("_use_cached_eval_dataset"):  # from within fit, on a ready dataset
            return super().evaluate(x, verbose=verbose, **kwargs)
        if not is_stream(x) and y is None:
            raise ValueError("evaluate needs labels: evaluate(x, y).")
        dataset = self._dataset(x, y, sample_weight, batch_size, "sorted", False)
        return super().evaluate(dataset, verbose=verbose, **kwargs)

    def predict(self, x, batch_size=None, verbose=0, steps=None, callbacks=None):
        """The model's outputs for texts, in the order given.

        Texts are run sorted by length within windows, which spares padding.

        Args:
            x: texts, pairs, id arrays, or a dataset; see the class.
            batch_size: int. Defaults to 32; None with a dataset.
            verbose: int or "auto". Whether to show progress; off by default.
            steps: int or None. Most batches to run, for a dataset.
            callbacks: list of Keras callbacks, or None.

        Returns:
            numpy array (or nest of such), logits, one row an example.
        """
        batches = self._prediction_batches(x, batch_size)
        watch = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=bool(verbose),
            model=self,
            verbose=int(bool(verbose)),
            steps=steps,
        )
        watch.on_predict_begin()
        outputs, rows = [], []
        for step, (inputs, indices) in enumerate(batches):
            if step == steps:
                break
            watch.on_predict_batch_begin(step)
            output = self.predict_on_batch(inputs)
            real = slice(len(indices))
            output = tree.map_structure(lambda leaf, real=real: np.asarray(leaf)[real], output)
            watch.on_predict_batch_end(step, {"outputs": output})
            outputs.append(output)
            rows.append(indices)
        watch.on_predict_end()
        return self._joined(outputs, rows)

    def _prediction_batches(self, x, batch_size):
        """Pairs of an input dict and the example numbers of its real rows."""
        if is_stream(x):
            start = 0
            for batch, count in streams.Stream(x, self._prepare_inputs):
                yield batch, np.arange(start, start + count)
                start += count
            return
        examples = self._examples(x)
        batches = Batches(examples, None, None, batch_size or DEFAULT_BATCH_SIZE, "sorted", False)
        for i in range(len(batches)):
            yield batches[i][0], batches.rows(i)

    def _joined(self, outputs, rows):
        """Outputs of batches as one, each row at its example's place."""
        if not outputs:
            return tree.map_structure(
                lambda spec: np.zeros((0, *(n or 0 for n in spec.shape[1:])), spec.dtype),
                self.output,
            )
        order = np.argsort(np.concatenate(rows), kind="stable")
        return tree.map_structure(lambda *leaves: np.concatenate(leaves)[order], *outputs)

    # === Data ===

    def _dataset(self, x, y, sample_weight, batch_size, order, training, class_weight=None):
        """What the backend's trainer takes: the one way from texts into all of them."""
        if is_stream(x):
            if y is not None or sample_weight is not None or batch_size is not None:
                raise ValueError("With a dataset, y, sample_weight and batch_size come from it.")
            prepare = functools.partial(self._prepare, class_weight=class_weight)
            stream = streams.Stream(x, prepare)
            if is_tf_dataset(x):
                known = int(x.cardinality())
                return as_tf_dataset(stream, known if known >= 0 else None)
            return for_backend(stream)
        examples = self._examples(x)
        if not len(examples):
            raise ValueError("There are no examples.")
        y, weights = self._labels(y, sample_weight, class_weight, len(examples))
        batch_size = batch_size or DEFAULT_BATCH_SIZE
        return for_backend(Batches(examples, y, weights, batch_size, order, training))

    def _examples(self, x):
        if isinstance(x, dict):
            return ArrayExamples(self._arrays(x))
        self._check_preprocessor()
        return TextExamples(self.preprocessor, x)

    def _arrays(self, x):
        """Id arrays with every input of the model, checked."""
        tensors = {k: v if v is None else np.asarray(v) for k, v in x.items()}
        arrays = check_inputs(tensors, self.config, known=tuple(self.input))
        token_ids = arrays["token_ids"]
        arrays.setdefault("segment_ids", np.zeros_like(token_ids))
        arrays.setdefault("padding_mask", np.ones_like(token_ids))
        missing = [name for name in self.input if name not in arrays]
        if missing:
            raise ValueError(f"The inputs lack {', '.join(missing)}.")
        uneven = {name: len(array) for name, array in arrays.items()}
        if len(set(uneven.values())) > 1:
            raise ValueError(f"The inputs differ in their number of examples: {uneven}.")
        return arrays

    def _labels(self, y, sample_weight, class_weight, count):
        y = self.encode_labels(y)
        for leaf in tree.flatten(y):
            if len(leaf) != count:
                raise ValueError(f"There are {count} examples but {len(leaf)} labels.")
        if sample_weight is not None:
            sample_weight = tree.map_structure(
                lambda leaf: np.asarray(leaf, "float32"), sample_weight
            )
            for leaf in tree.flatten(sample_weight):
                if len(leaf) != count:
                    raise ValueError(f"There are {count} examples but {len(leaf)} sample weights.")
        if class_weight is not None:
            by_class = self.class_weights(y, class_weight)
            sample_weight = by_class if sample_weight is None else sample_weight * by_class
        return y, sample_weight

    def class_weights(self, y, class_weight):
        """One weight an example, from a weight a class."""
        raise ValueError(f"{type(self).__name__} takes no class_weight.")

    def _prepare(self, x, y, sample_weight, rows, class_weight):
        if y is None:
            raise ValueError("The dataset yields no labels: it should yield (x, y).")
        x = self._arrays(x) if isinstance(x, dict) else x
        y, weights = self._labels(
            tree.map_structure(_as_list, y), sample_weight, class_weight, streams.count_rows(x)
        )
        return streams.prepare_batch(x, y, weights, rows, self.preprocessor)

    def _prepare_inputs(self, x, y, _, rows):
        texts = not isinstance(x, (dict, tuple))
        if texts and y is not None and np.asarray(y).dtype.kind in "OSU":
            self.refuse_texts_as_labels(y)
        count = streams.count_rows(x)
        x = self._arrays(x) if isinstance(x, dict) else x
        return streams.prepare_batch(x, None, None, rows, self.preprocessor)[0], count

    def refuse_texts_as_labels(self, y):
        """Raises where a dataset's second element looks like the second texts of pairs."""
        raise ValueError(
            "A dataset element of two texts can be read in two ways: as pairs, to be yielded as "
            "((firsts, seconds),), or as texts with labels, of which this model has none."
        )

    def _check_preprocessor(self):
        if self.preprocessor is None:
            raise ValueError(
                f"This {type(self).__name__} has no tokenizer, so it takes id arrays only. Build "
                "it with preprocessor=…, or load it with from_preset."
            )


def _as_list(leaf):
    """A label array of a dataset; bytes as text."""
    array = np.asarray(leaf)
    if array.dtype.kind in "OS":
        return [item.decode("utf-8") if isinstance(item, bytes) else item for item in array]
    return array


def _split(x, y, sample_weight, share):
    """The first examples, and the last `share` of them as validation data."""
    if not 0 < share < 1:
        raise ValueError(f"validation_split must lie between 0 and 1; got {share!r}.")
    count = len(y) if not isinstance(y, dict) else len(next(iter(y.values())))
    border = int(count * (1 - share))
    if border in (0, count):
        raise ValueError(f"validation_split={share} leaves one side of {count} examples empty.")

    def cut(data, part):
        if data is None:
            return None
        if isinstance(data, dict):
            return {name: cut(value, part) for name, value in data.items()}
        return tuple(d[part] for d in data) if isinstance(data, tuple) else data[part]

    first, last = slice(border), slice(border, None)
    held_back = tuple(cut(data, last) for data in (x, y, sample_weight))
    return *(cut(data, first) for data in (x, y, sample_weight)), held_back
