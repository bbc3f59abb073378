"""Tasks whose examples may share rows while they are encoded."""

import functools

import keras
from keras import ops

from keras_bert_zoo.encoder_inputs import PACKING


class Packable:
    """A base beside a task: its head over examples that the backbone encodes in shared rows.

    `set_encoded` goes before.
    """

    def set_encoded(self, encoded):
        """Tells which symbols lie between the backbone and the head.

        Args:
            encoded: dict, what `backbone(backbone.input)` gave; None if the outputs do not follow
                from that and the inputs alone, so that examples cannot be packed.
        """
        # In functions, since Keras would track the symbols, and the head's layers a second time.
        self._encoded = None if encoded is None else functools.partial(dict, encoded)
        self._head = None

    @property
    def packs_examples(self):
        """Whether `pack_examples=True` is to be had."""
        return self._encoded is not None

    def call_packed(self, inputs, training=None):
        if not self.packs_examples:
            return super().call_packed(inputs, training)
        names = (*self.backbone.input, *PACKING)
        wanted = list(self._encoded())
        encoded = self.backbone(
            {name: inputs[name] for name in names},
            training=training,
            only=wanted[0] if len(wanted) == 1 else None,
        )
        if self._head is None:
            symbols = {**self.input, **self._encoded()}
            head = keras.Model([symbols[name] for name in sorted(symbols)], self.output)
            self._head = functools.partial(head.__call__)
        given = {**inputs, **encoded}
        names = sorted({*self.input, *self._encoded()})
        tensors = [ops.convert_to_tensor(given[name]) for name in names]
        return self._head(tensors, training=training)
