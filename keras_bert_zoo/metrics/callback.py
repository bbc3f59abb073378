"""Metrics of whole predictions at the end of each epoch."""

import keras
import numpy as np


class PredictionMetrics(keras.callbacks.Callback):
    """Predicts after each epoch and writes what a function says of it into the epoch's logs.

    For measures that no sum over batches gives, such as the F1 of entities. Put it before the
    callbacks that read the logs:

    ```python
    fresh = PredictionMetrics(texts, labels, entity_f1, name="entity_f1")
    stop = keras.callbacks.EarlyStopping("val_entity_f1", mode="max")
    model.fit(…, callbacks=[fresh, stop])
    ```

    Args:
        x: what the model predicts from.
        y: what the function compares the predictions with.
        function: callable of `(y, predicted)` that gives a number, or a dict of name -> number.
        name: str or None. The log is `val_<name>`; with a dict, `val_<its name>`. Defaults to the
            function's own name.
        predict: callable of `x`, or None for `self.model.predict`. Give what turns logits into
            the function's kind of predictions, such as
            `lambda x: model.predict(x).argmax(-1)`.

    Raises:
        ValueError: the function is none, or has no name and none is given.
    """

    def __init__(self, x, y, function, name=None, predict=None):
        super().__init__()
        for argument, given in (("function", function), ("predict", predict)):
            if not callable(given) and not (argument == "predict" and given is None):
                raise ValueError(f"{argument} must be callable; got {given!r}.")
        self.name = getattr(function, "__name__", None) if name is None else name
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(
                f'{self.name!r} is no name for a log; pass name=…, such as name="entity_f1".'
            )
        self.x, self.y, self.function, self.predict = x, y, function, predict

    def on_epoch_end(self, epoch, logs=None):
        """Adds to the logs.

        Raises:
            ValueError: the function gives neither a number nor a dict of numbers, or a log of that
                name is there already.
        """
        predict = self.predict or (lambda x: self.model.predict(x, verbose=0))
        result = self.function(self.y, predict(self.x))
        found = result if isinstance(result, dict) else {self.name: result}
        for name, value in found.items():
            if value is None or isinstance(value, (str, dict)) or np.ndim(value) != 0:
                raise ValueError(
                    "The function of PredictionMetrics must give a number or a dict of numbers; "
                    f"{name!r} is {value!r}."
                )
        if logs is None:
            return
        found = {f"val_{name}": float(value) for name, value in found.items()}
        there = sorted(found.keys() & logs.keys())
        if there:
            raise ValueError(
                f"The logs have {there[0]} already; give PredictionMetrics another name."
            )
        logs.update(found)
