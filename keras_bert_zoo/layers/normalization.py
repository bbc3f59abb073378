"""Layer normalization that keeps less for its gradients."""

import keras
from keras import ops

from keras_bert_zoo.layers.plain_attributes import PlainAttributes


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class LayerNormalization(PlainAttributes, keras.layers.LayerNormalization):
    """As `keras.layers.LayerNormalization`.

    In training on TensorFlow one array of the input's size is kept, in float32 or better, where
    Keras's steps keep several. It is so over the last axis with scale and center, as BERT has it.
    """

    def call(self, inputs, training=False):
        if not training or keras.backend.backend() != "tensorflow" or not self._is_usual(inputs):
            return super().call(inputs)
        from keras_bert_zoo.layers import tensorflow_gradients

        # As Keras: in float32 or better.
        dtype = keras.backend.result_type(ops.dtype(inputs), "float32")
        values = [ops.cast(value, dtype) for value in (inputs, self.gamma, self.beta)]
        outputs = tensorflow_gradients.layer_normalization(*values, self.epsilon)
        return ops.cast(outputs, self.compute_dtype)

    def _is_usual(self, inputs):
        of_last = self.axis in ([-1], [len(inputs.shape) - 1])
        return of_last and not self.rms_scaling and self.scale and self.center
