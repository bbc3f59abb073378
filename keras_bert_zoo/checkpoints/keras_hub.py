"""KerasHub's own models, in and out. The only file that imports keras-hub."""

import importlib.util
from pathlib import Path

from keras import ops

from keras_bert_zoo.checkpoints.errors import CheckpointError


def import_keras_hub():
    """The `keras_hub` module.

    Raises:
        ImportError: it is not installed.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise ImportError(
            "KerasHub's presets are read with keras-hub: pip install 'keras-bert-zoo[keras-hub]'."
        )
    import keras_hub

    return keras_hub


def fetch_folder(handle):
    """The local folder of a `kaggle://…` handle, by the downloader that KerasHub uses.

    Raises:
        ImportError: keras-hub is not installed.
        OSError, ValueError: the download failed.
    """
    import_keras_hub()
    import kagglehub

    return Path(kagglehub.model_download(handle.removeprefix("kaggle://")))


def open_backbone(source, load_weights=True):
    """The configuration and the tensors of a KerasHub backbone.

    Args:
        source: str or Path of a KerasHub preset's folder, or a KerasHub backbone.
        load_weights: bool.

    Returns:
        tuple of the KerasHub class's name, a dict of its configuration, and a dict of variable
        path to numpy array (empty without weights).
    """
    keras_hub = import_keras_hub()
    backbone = source
    if not isinstance(source, keras_hub.models.Backbone):
        backbone = keras_hub.models.Backbone.from_preset(str(source), load_weights=load_weights)
    tensors = {}
    if load_weights:
        tensors = {weight.path: ops.convert_to_numpy(weight) for weight in backbone.weights}
    return type(backbone).__name__, backbone.get_config(), tensors


def build_backbone(class_name, config, tensors, dtype):
    """A KerasHub backbone that holds given weights.

    Args:
        class_name: str. Name of the class in `keras_hub.models`.
        config: dict. Its constructor's arguments.
        tensors: dict of variable path to numpy array.
        dtype: dtype policy.

    Raises:
        CheckpointError: its variables are not those of `tensors`.
    """
    backbone = getattr(import_keras_hub().models, class_name)(**config, dtype=dtype)
    paths = {weight.path for weight in backbone.weights}
    if paths != set(tensors):
        raise CheckpointError(
            f"keras-hub's {class_name} has other variables than expected: "
            f"{sorted(paths ^ set(tensors))}."
        )
    for weight in backbone.weights:
        weight.assign(tensors[weight.path])
    return backbone
