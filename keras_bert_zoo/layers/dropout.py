"""Dropout that draws half the random bits or fewer."""

import keras
from keras import ops

from keras_bert_zoo.layers.dropout_steps import STEPS, scale_of
from keras_bert_zoo.layers.plain_attributes import PlainAttributes


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Dropout(PlainAttributes, keras.layers.Dropout):
    """As `keras.layers.Dropout`, with 16 random bits an element where Keras draws 32 or more.

    What is kept is scaled by the rate as it is drawn. On PyTorch this goes for CPUs, whose
    generator is slow, and for layers without a seed of their own.
    """

    def call(self, inputs, training=False):
        if not training or self.steps == 0:
            return inputs
        if self.steps == STEPS or self.noise_shape is not None or not self._draws_bits(inputs):
            return super().call(inputs, training=training)
        keep = self._keep(ops.shape(inputs), self.steps)
        return ops.where(keep, inputs * scale_of(self.steps), 0)

    @property
    def steps(self):
        """How many of `STEPS` values are dropped."""
        return round(self.rate * STEPS)

    def _draws_bits(self, inputs):
        if keras.backend.backend() == "torch":
            return self.seed is None and inputs.device.type == "cpu"
        return True

    def _keep(self, shape, steps):
        """A mask of a shape, True but for `steps` in `STEPS`."""
        if keras.backend.backend() == "torch":
            from keras_bert_zoo.layers import torch_kernels

            return torch_kernels.random_mask(shape, steps)
        if keras.backend.backend() == "jax":
            from keras_bert_zoo.layers import jax_kernels

            return jax_kernels.random_mask(shape, steps, self.seed_generator.next())
        from keras_bert_zoo.layers import tensorflow_kernels

        return tensorflow_kernels.random_mask(shape, steps, self.seed_generator.next())
