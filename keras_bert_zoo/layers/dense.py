"""A dense layer in the form that is fastest on each backend."""

import keras
from keras import ops

from keras_bert_zoo.layers.plain_attributes import PlainAttributes


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Dense(PlainAttributes, keras.layers.Dense):
    """As `keras.layers.Dense`, with product and sum in one operation.

    They are so on PyTorch, and on TensorFlow in graphs, which join what they know as a bias to the
    product of two axes, and an activation to both. XLA joins them anyhow; on JAX's CPU the way back
    takes half as long for a product of two axes as for one of three.
    """

    def call(self, inputs, training=None):
        if self.bias is None:
            return super().call(inputs, training=training)
        outputs = affine(inputs, self.kernel, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras refuses subclasses, which might compute something else.
        return super().quantize(mode, type_check=False, config=config)


def affine(inputs, kernel, bias):
    """`inputs @ kernel + bias`.

    Args:
        inputs: float, `(…, D)`.
        kernel: float, `(D, U)`.
        bias: float, `(U,)`.

    Returns:
        float, `(…, U)`.
    """
    if keras.backend.backend() == "torch":
        tensors = [ops.convert_to_tensor(value) for value in (inputs, kernel, bias)]
        if len({tensor.dtype for tensor in tensors}) == 1:  # it does not convert
            from keras_bert_zoo.layers import torch_products

            return torch_products.linear(*tensors)
    if len(inputs.shape) == 2:
        return _affine_rows(inputs, kernel, bias)
    # From three axes JAX would make the kernel's gradient the other way round, and turn it.
    *leading, width = ops.shape(inputs)
    outputs = _affine_rows(ops.reshape(inputs, (-1, width)), kernel, bias)
    return ops.reshape(outputs, (*leading, kernel.shape[-1]))


def _affine_rows(inputs, kernel, bias):
    products = ops.matmul(inputs, kernel)
    if keras.backend.backend() == "tensorflow" and ops.dtype(products) == ops.dtype(bias):
        from keras_bert_zoo.layers import tensorflow_kernels

        return tensorflow_kernels.add_bias(products, bias)
    return ops.add(products, bias)
