"""Opens a model from any source, and writes this package's own format.

Our own folder holds `preset.json` (family, encoder, task, format version), `weights.safetensors`
(each weight under its Keras path) and the tokenizer's files.
"""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.checkpoints import directory as folders
from keras_bert_zoo.checkpoints import keras_hub, transfer
from keras_bert_zoo.checkpoints.config_keys import read_config
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.readers import save_safetensors
from keras_bert_zoo.config import EncoderConfig
from keras_bert_zoo.families import FAMILIES
from keras_bert_zoo.presets import load_preset, locate
from keras_bert_zoo.spelling import did_you_mean

FORMAT_VERSION = 1

# What may be changed while the weights are kept: nothing that reshapes them or their meaning.
_FREE_FIELDS = (
    "dropout",
    "attention_dropout",
    "activation",
    "layer_norm_epsilon",
    "initializer_range",
    "pad_token_id",
    "pooler",
)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A model that was found, before it is built.

    Args:
        source: str. For messages.
        family: Family.
        config: EncoderConfig. Without a pooler where the weights have none.
        foreign: ForeignWeights or None. The weights of another package.
        own: mapping of path to array, or None. The weights of our own format.
        task_fields: dict. Foreign configuration that belongs to a task: labels, problem type.
        task: dict or None. Class and configuration of the task, in our own format.
        dtype: dict or None. The dtype policy that our own format was saved with.
        folder: Path or None. Where its files lie.
    """

    source: str
    family: object
    config: EncoderConfig
    foreign: object = None
    own: object = None
    task_fields: dict = dataclasses.field(default_factory=dict)
    task: dict | None = None
    dtype: dict | None = None
    folder: Path | None = None

    @property
    def has_weights(self):
        return self.foreign is not None or self.own is not None

    @property
    def backbone_parts(self):
        """What of a backbone its weights fill: the encoder, and the pooler where they have one."""
        if not self.has_weights:
            return ()
        if self.foreign is not None:
            has_pooler = self.foreign.has_group("pooler")
        else:
            has_pooler = any(path.startswith("pooler/") for path in self.own)
        return ("encoder", "pooler") if has_pooler else ("encoder",)

    def config_with(self, overrides):
        """The configuration with some fields changed.

        Raises:
            ValueError: a field is unknown, or the weights would not fit it.
        """
        EncoderConfig.check_names(overrides)
        if self.has_weights:
            for name, value in overrides.items():
                fits = name in _FREE_FIELDS or value == getattr(self.config, name)
                if name == "num_layers" and isinstance(value, int):
                    fits = 1 <= value <= self.config.num_layers
                if not fits:
                    raise ValueError(
                        f"{name}={value!r} does not fit the weights of {self.source}, which have "
                        f"{getattr(self.config, name)!r}. With weights one may change "
                        f"{', '.join(_FREE_FIELDS)}, and lower num_layers; else pass "
                        "load_weights=False."
                    )
        return self.config.replace(**overrides)

    def policy(self, dtype):
        """The dtype policy to build with: the caller's, else the saved one, else Keras's."""
        if dtype is None and self.dtype is not None:
            return keras.dtype_policies.deserialize(self.dtype)
        return dtype

    def load_into(self, variables, heads=None, ignore=()):
        """Fills Keras variables, which may keep its memory: once. See `transfer.load`."""
        if self.own is not None:
            return transfer.load_own(variables, self.own, self.source)
        return transfer.load(variables, self.foreign, heads, ignore)


def open_pretrained(source, weights=True, tokenizer=False, ignore=()):
    """Finds a model and reads what it is.

    Args:
        source: str or Path. A preset's name, a folder, `hf://…` or `kaggle://…`.
        weights: bool. Whether its weights are wanted. Without them a preset needs no download.
        tokenizer: bool. Whether its tokenizer is wanted too.
        ignore: iterable of str. Configuration keys that may be dropped though unknown.

    Returns:
        Pretrained.

    Raises:
        ValueError, FileNotFoundError, CheckpointError: as `presets.locate`; or the configuration
            holds what this package cannot express.
    """
    is_name = isinstance(source, str) and "://" not in source and not Path(source).is_dir()
    if is_name and not weights and not tokenizer:
        preset = load_preset(source)
        return Pretrained(source, FAMILIES[preset.family], preset.encoder_config)
    location = locate(source, weights, tokenizer)
    opener = _open_own if location.layout == "own" else _open_foreign
    found = opener(str(source), location, weights, ignore)
    return dataclasses.replace(found, folder=location.folder)


def from_keras_hub(backbone):
    """A `Pretrained` from a KerasHub backbone object."""
    class_name, config, tensors = keras_hub.open_backbone(backbone)
    return _foreign(f"keras_hub {class_name}", class_name, "keras_hub", config, tensors, ())


def _open_own(source, location, weights, _):
    content = folders.read_configuration(location.folder)
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{location.folder} has format version {version!r}; this release reads "
            f"{FORMAT_VERSION}. Load it with the release that wrote it, or update."
        )
    try:
        family = FAMILIES[content["family"]]
        config = EncoderConfig.from_dict(content["backbone"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{location.folder / folders.OWN_MARKER}: {error}") from error
    return Pretrained(
        source,
        family,
        config,
        own=folders.open_tensors(location.folder) if weights else None,
        task=content.get("task"),
        dtype=content.get("dtype"),
    )


def _open_foreign(source, location, weights, ignore):
    if location.layout == "keras_hub":
        class_name, config, tensors = keras_hub.open_backbone(location.folder, weights)
        return _foreign(source, class_name, "keras_hub", config, tensors or None, ignore)
    config = folders.read_configuration(location.folder)
    kind = config.get("model_type", "bert") if location.layout == "transformers" else "bert"
    tensors = folders.open_tensors(location.folder) if weights else None
    return _foreign(source, kind, location.layout, config, tensors, ignore)


def _foreign(source, kind, layout, content, tensors, ignore):
    family = _family_of(kind, source)
    dialect = family.dialects[layout]
    content = {key: value for key, value in content.items() if key not in ignore}
    config, task_fields = read_config(content, dialect.config, source)
    if tensors is None:
        return Pretrained(source, family, config, task_fields=task_fields)
    foreign = transfer.ForeignWeights(
        tensors,
        dialect,
        config.num_layers,
        config.num_heads,
        tuple(content.get("architectures") or ()),
        source,
    )
    if not foreign.has_group("pooler"):
        config = config.replace(pooler=False)
    return Pretrained(source, family, config, foreign=foreign, task_fields=task_fields)


def _family_of(kind, source):
    """The family of a Hugging Face `model_type` or of a KerasHub class name."""
    by_kind = {
        kind: family
        for family in FAMILIES.values()
        for kind in (*family.model_types, f"{family.class_prefix}Backbone")
    }
    if kind not in by_kind:
        raise CheckpointError(
            f'{source}: models of the kind "{kind}" are not supported; known are '
            f"{', '.join(by_kind)}.{did_you_mean(kind, by_kind)}"
        )
    return by_kind[kind]


def description(family, config, policy, task=None):
    """The content of our own format's `preset.json`.

    Args:
        family: Family.
        config: EncoderConfig.
        policy: dtype policy of the encoder.
        task: dict or None. `{"class": …, "config": …}`.
    """
    return {
        "format_version": FORMAT_VERSION,
        "family": family.name,
        "backbone": config.to_dict(),
        "dtype": keras.dtype_policies.serialize(policy),
        "task": task,
    }


def write_description(content, folder):
    """Writes `preset.json`.

    Args:
        content: dict. Of `description`.
        folder: Path.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / folders.OWN_MARKER).write_text(text + "\n", encoding="utf-8")


def save_own(directory, content, variables, tokenizer=None, weights_dtype=None):
    """Writes our own format.

    Args:
        directory: str or Path. Made if it is not there; other files in it stay.
        content: dict. Of `description`.
        variables: list of Keras variables; each is written under its path.
        tokenizer: callable or None. Called with the folder to write the tokenizer's files to.
        weights_dtype: str or None. `"float16"` halves the file, and rounds to 11 bits.

    Raises:
        ValueError: the model is quantized, `weights_dtype` is none of these, or a weight is beyond
            its range.
    """
    quantized = [variable.path for variable in variables if variable.path.endswith("_scale")]
    if quantized:
        raise ValueError(
            "A quantized model is not saved: its weights are rounded. Save it before quantize, "
            f"or export it. Quantized is {quantized[0].rpartition('/')[0]}."
        )
    if weights_dtype not in ("float16", None):
        raise ValueError(f'weights_dtype must be "float16" or None; got {weights_dtype!r}.')
    tensors = {variable.path: ops.convert_to_numpy(variable) for variable in variables}
    if weights_dtype is not None:
        tensors = {path: _rounded(tensor, weights_dtype, path) for path, tensor in tensors.items()}
    with folders.replace_files(directory, folders.OWN_MARKER) as aside:
        save_safetensors(tensors, aside / folders.OWN_WEIGHTS, {"format": "keras_bert_zoo"})
        if tokenizer is not None:
            tokenizer(aside)
        write_description(content, aside)


def _rounded(tensor, dtype, path):
    largest = np.abs(tensor).max(initial=0)
    if not largest <= np.finfo(dtype).max:
        raise ValueError(f"{path} holds {largest}, which is beyond {dtype}.")
    return tensor.astype(dtype)
