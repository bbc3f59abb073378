"""Where models run, and how much CPUs work on at a time."""

import functools
import platform
from pathlib import Path

import keras

# Most numbers of an array on CPUs that can be made in parts: 16 MiB in float32. Larger ones outgrow
# the caches.
MOST_NUMBERS = 4 * 2**20


def is_cpu():
    """Whether there is no accelerator, so that every model runs on the CPU."""
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.layers import torch_kernels

        return not torch_kernels.has_accelerator()
    return keras.distribution.list_devices()[0].startswith("cpu")


@functools.cache
def is_amd():
    """Whether the processor is one of AMD's, as Linux and Windows tell."""
    try:
        name = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        name = platform.processor()
    return "AuthenticAMD" in name
