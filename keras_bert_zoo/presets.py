"""Named models as data: the JSON files under `presets/`, and the way from a name to a folder.

A preset says what a model is and where it comes from. What was not read from a source (a revision,
a checksum) is null there. Nothing is downloaded before it is asked for.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
from pathlib import Path

from keras_bert_zoo.checkpoints.directory import CONFIG_FILES, layout_of
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.config import EncoderConfig
from keras_bert_zoo.hub import HubError, fetch_folder
from keras_bert_zoo.spelling import did_you_mean

_NAME = re.compile(r"[a-z0-9][a-z0-9_.]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """One named model.

    Args:
        name: str.
        description: str.
        family: str. A key of `FAMILIES`.
        config: dict. The fields of its `EncoderConfig`.
        parameters: int. Weights of the encoder, pooler included.
        tokenizer: dict. `lowercase`, for a source that does not say.
        sources: list of str. Handles in the order they are tried: `hf://…`, `kaggle://…`.
        license: str or None.
        citation: str or None.
        sha256: dict of file name to checksum, or None where none was read from a source.
    """

    name: str
    description: str
    family: str
    config: dict
    parameters: int
    tokenizer: dict
    sources: list
    license: str | None
    citation: str | None
    sha256: dict | None

    @property
    def encoder_config(self):
        """The `EncoderConfig` of the preset."""
        return EncoderConfig.from_dict(self.config)


@dataclasses.dataclass(frozen=True)
class Location:
    """The folder of a model.

    Args:
        layout: str. `"own"`, `"transformers"`, `"google"` or `"keras_hub"`.
        folder: Path.
        preset: Preset or None. The preset that led here.
    """

    layout: str
    folder: Path
    preset: Preset | None = None


def list_presets():
    """The names of all presets, sorted.

    >>> import keras_bert_zoo as kbz
    >>> "bert_base_en_uncased" in kbz.list_presets()
    True
    """
    return sorted(path.stem for path in presets_folder().glob("*.json"))


def preset_info(name):
    """What is known of a preset.

    Args:
        name: str. One of `list_presets()`.

    Returns:
        dict. The fields of `Preset`; null (None) where no source gave the value.

    Raises:
        ValueError: there is no preset of that name; the nearest one is suggested.
    """
    return dataclasses.asdict(load_preset(name))


def load_preset(name):
    """The `Preset` of a name; raises as `preset_info` does."""
    if not _NAME.fullmatch(str(name)) or name not in list_presets():
        raise ValueError(
            f'No preset "{name}".{did_you_mean(name, list_presets())} list_presets() names all; a '
            "source may also be a folder, hf://organisation/name or kaggle://…"
        )
    return _read_preset(presets_folder() / f"{name}.json")


@functools.cache
def _read_preset(path):
    return Preset(name=path.stem, **json.loads(path.read_text(encoding="utf-8")))


def presets_folder():
    """The folder of the JSON files: inside an installed package, or beside a checkout's."""
    package = Path(__file__).resolve().parent
    installed = package / "_presets"
    return installed if installed.is_dir() else package.parent / "presets"


def local_store():
    """The folder where a preset's files may be put by hand, in a folder of the preset's name."""
    default = Path.home() / ".cache" / "keras_bert_zoo"
    return Path(os.environ.get("KERAS_BERT_ZOO_HOME", default))


def locate(source, weights=True, tokenizer=True):
    """Finds a model: a local folder, the store, the hub's cache, else a download.

    Args:
        source: str or Path. A preset's name, a folder, `hf://org/name[@revision]` or `kaggle://…`.
        weights: bool. Whether weights are wanted.
        tokenizer: bool. Whether a tokenizer is wanted.

    Returns:
        Location.

    Raises:
        ValueError: no such preset or folder.
        FileNotFoundError: the files are not here and could not be downloaded; the message says
            which, and where to put them.
        CheckpointError: the folder holds no model.
    """
    text = os.fspath(source)
    if text.startswith(("hf://", "kaggle://")):
        try:
            return _in_folder(fetch_folder(text, weights, tokenizer))
        except HubError as error:
            raise FileNotFoundError(
                f"{error} Or pass the path of a folder with its files."
            ) from error
    if os.path.isdir(text):
        return _in_folder(Path(text))
    if not isinstance(source, str) or os.path.basename(text) != text:
        raise ValueError(f"No folder {text}.{_hint(text)}")
    return _locate_preset(load_preset(text), weights, tokenizer)


def _hint(text):
    """What a source that is no folder may have been meant for."""
    if text.endswith(".keras"):
        return " A .keras file is opened with keras.models.load_model."
    if re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        return f' For the Hugging Face hub write "hf://{text}".'
    return ""


def _in_folder(folder, preset=None):
    return Location(layout_of(folder), folder, preset)


def _locate_preset(preset, weights, tokenizer):
    for folder in (presets_folder() / preset.name, local_store() / preset.name):
        if any((folder / name).is_file() for name in CONFIG_FILES.values()):
            return _in_folder(folder, preset)
    problems = []
    for handle in preset.sources:
        try:
            folder = fetch_folder(handle, weights, tokenizer)
        except (HubError, ImportError) as error:
            problems.append(f"{handle}: {error}")
            continue
        _check_sums(folder, preset)
        return _in_folder(folder, preset)
    wanted = [CONFIG_FILES["transformers"]]
    wanted += ["vocab.txt"] if tokenizer else []
    wanted += ["model.safetensors"] if weights else []
    raise FileNotFoundError(
        f'The files of preset "{preset.name}" are not on this machine and could not be '
        f"downloaded ({'; '.join(problems)}). Put {', '.join(wanted)} into "
        f"{local_store() / preset.name}, or pass the folder that holds them."
    )


def _check_sums(folder, preset):
    for name, expected in (preset.sha256 or {}).items():
        path = folder / name
        if not path.is_file():
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise CheckpointError(
                f"{path} is not the file that the preset {preset.name} names: its SHA-256 differs. "
                "Delete it and load again."
            )
