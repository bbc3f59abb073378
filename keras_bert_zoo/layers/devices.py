"""Where models run."""

import keras


def is_cpu():
    """Whether there is no accelerator, so that every model runs on the CPU."""
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.layers import torch_kernels

        return not torch_kernels.has_accelerator()
    return keras.distribution.list_devices()[0].startswith("cpu")
