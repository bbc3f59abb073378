"""`fit`, `evaluate` and `predict` from texts: the part that every task shares."""

import keras
from keras import tree

from keras_bert_zoo.data.backend_dataset import is_stream
from keras_bert_zoo.data.batching import Batches
from keras_bert_zoo.tasks.batch_runs import run_in_parts, run_whole
from keras_bert_zoo.tasks.feed import DEFAULT_BATCH_SIZE, Feed, first_examples, validation_parts
from keras_bert_zoo.tasks.filled_batches import FilledBatchModel
from keras_bert_zoo.tasks.text_coding import TextCoding


class TextModel(TextCoding, FilledBatchModel):
    """A model that is trained and run on texts. Abstract.

    A subclass gives `preprocessor`, `encode_labels` and `default_compile`, and what else it does in
    its own way; see `TextCoding`.

    `x` is a list of texts; a tuple of two lists for pairs; a dict of id arrays; or a
    `tf.data.Dataset` or `keras.utils.PyDataset` that yields batches of these, with labels and
    sample weights: `((firsts, seconds), y)`.
    """

    needs_labels = True
    # Whether examples may share rows; see `Packable`.
    packs_examples = False
    # The lengths that a prediction's rows were padded to; see `Feed`.
    fitted_lengths = ()

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        *,
        pack_examples=False,
    ):
        """As `keras.Model.fit`, from texts.

        Args:
            x: texts, pairs, id arrays, or a dataset; see the class.
            y: labels; None with a dataset.
            batch_size: int. Defaults to 32; None with a dataset.
            validation_split: float. Share of the last examples to hold back; not with a dataset.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a dataset; for a task without
                labels also `(x,)` or a list of texts.
            shuffle: bool. Anew in each epoch; a dataset shuffles itself.
            class_weight: dict of class (number or label) to weight, for one label an example.
            sample_weight: array with one weight an example.
            validation_batch_size: int. Defaults to `batch_size`.
            pack_examples: bool. Whether the short examples of a batch share rows. What comes out
                for an example is the same, but batches are drawn from all lengths; else they hold
                examples of like length. Not with a dataset.
            epochs, verbose, callbacks, initial_epoch, steps_per_epoch, validation_steps,
                validation_freq: as for `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: texts or labels are wrong; the message names the item.
        """
        feed = Feed(self, pack_examples)
        order = "shuffled" if shuffle else "given"
        evaluated = "sorted" if validation_steps is None else "given"
        validation_size = batch_size if validation_batch_size is None else validation_batch_size
        if validation_split:
            if is_stream(x) or validation_data is not None:
                raise ValueError(
                    "validation_split needs x and y as lists or arrays, and no validation_data."
                )
            first, held_back = feed.split(x, y, sample_weight, validation_split, class_weight)
            dataset = feed.batches(first, batch_size, order)
            validation_data = Feed(self).batches(held_back, validation_size, evaluated)
        else:
            dataset = feed.dataset(x, y, sample_weight, batch_size, order, True, class_weight)
            if validation_data is not None:
                val_x, val_y, val_weight = validation_parts(validation_data)
                size = None if is_stream(val_x) else validation_size
                validation_data = Feed(self).dataset(
                    val_x, val_y, val_weight, size, evaluated, False
                )
        return super().fit(
            dataset,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            shuffle=False,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
        )

    def make_train_function(self, force=False):
        """As `keras.Model.make_train_function`; weights then lie as an optimizer's arrays do."""
        if keras.backend.backend() == "torch":
            from keras_bert_zoo.training import torch_steps

            torch_steps.lay_in_order(self.trainable_variables)
        return super().make_train_function(force)

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        *,
        pack_examples=False,
        **kwargs,
    ):
        """As `keras.Model.evaluate`, from texts; see `fit` for the arguments.

        Returns:
            the loss and metrics: a scalar or list, or a dict with `return_dict=True`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # else from within fit, on a ready dataset
            order = "sorted" if steps is None else "given"
            x = Feed(self, pack_examples).dataset(x, y, sample_weight, batch_size, order, False)
        return super().evaluate(
            x,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
            return_dict=return_dict,
            **kwargs,
        )

    def predict(
        self, x, batch_size=None, verbose=0, steps=None, callbacks=None, *, pack_examples=False
    ):
        """The model's outputs for texts, in the order given.

        Texts are run sorted by length, which spares padding; on CPUs batches of long ones in parts,
        and on PyTorch two at a time.

        Args:
            x: texts, pairs, id arrays, or a dataset; see the class.
            batch_size: int. Defaults to 32; None with a dataset.
            verbose: int or "auto". Whether to show progress; off by default.
            steps: int or None. Most batches to run; the first ones of `x`.
            callbacks: list of Keras callbacks, or None. With them each batch is run as a whole and
                after the one before, which takes longer on CPUs.
            pack_examples: bool. Whether short examples share rows, which spares shapes.

        Returns:
            numpy array (or nest of such), logits, one row an example.
        """
        parts = [
            self.assemble(examples, outputs)
            for examples, outputs in self._run(
                x, batch_size, verbose, steps, callbacks, pack_examples
            )
        ]
        if not parts:
            return self.assemble(self.packed([]), [])
        return self.join(parts)

    def _run(self, x, batch_size=None, verbose=0, steps=None, callbacks=None, pack_examples=False):
        """Pairs of examples and a list of the model's outputs for their rows; see `predict`."""
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1; got {steps!r}.")
        watch = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=bool(verbose),
            model=self,
            verbose=int(bool(verbose)),
            epochs=1,
            steps=steps,
        )
        watch.on_predict_begin()
        order, step = "sorted" if steps is None else "given", 0
        if steps is not None and not is_stream(x):
            x = first_examples(x, steps * (batch_size or DEFAULT_BATCH_SIZE))
        for examples, batches in Feed(self, pack_examples).prediction_batches(x, batch_size, order):
            if step == steps:
                break
            outputs = [None] * len(examples)
            batches = _announced(batches, watch, step)
            # Callbacks get whole batches.
            whole = bool(callbacks) or pack_examples
            for numbers, output, is_last in self._run_batches(examples, batches, whole):
                _put(output, outputs, numbers)
                if is_last:
                    watch.on_predict_batch_end(step, {"outputs": output})
                    step += 1
            yield examples, outputs
        watch.on_predict_end()

    def _outputs_of(self, examples, batch_size=None):
        """The model's outputs for each row of examples that are encoded already."""
        size = batch_size or DEFAULT_BATCH_SIZE
        batches = Batches(examples, size, "sorted", fill=self.shapes_cost)
        outputs = [None] * len(examples)
        numbered = ((inputs, batches.rows(i)) for i, (inputs,) in enumerate(batches))
        for numbers, output, _ in self._run_batches(examples, numbered):
            _put(output, outputs, numbers)
        return outputs

    def _run_batches(self, examples, batches, whole=False):
        if whole:
            return run_whole(self, batches)
        return run_in_parts(self, batches, examples.buckets)


def _announced(batches, watch, step):
    """The batches; tells callbacks of each when it is taken."""
    for number, batch in enumerate(batches, step):
        watch.on_predict_batch_begin(number)
        yield batch


def _put(output, outputs, numbers):
    """Puts the output for some rows at their numbers."""
    several = tree.is_nested(output)
    for row, number in enumerate(numbers):
        outputs[number] = _row(output, row) if several else output[row]


def _row(output, row):
    return tree.map_structure(lambda leaf: leaf[row], output)
