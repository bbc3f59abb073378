"""Folders of the model hubs: taken from their cache, else downloaded.

The work is `huggingface_hub`'s: it shows progress, resumes broken downloads, checks sizes, and
renames a file into the cache once it is whole. Handles of Kaggle go through KerasHub.
"""

import re
from pathlib import Path

from keras_bert_zoo.checkpoints import keras_hub
from keras_bert_zoo.checkpoints.directory import (
    OWN_MARKER,
    OWN_WEIGHTS,
    SENTENCE_FILES,
    TOKENIZER_FILES,
    TRANSFORMERS_WEIGHTS,
)
from keras_bert_zoo.checkpoints.readers import read_json

# What a repository or revision may be called; no name can climb out of the cache's folder.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")


class HubError(OSError):
    """Files could not be had from the hub, and are not in its cache."""


def parse_handle(handle):
    """The repository and revision of `hf://org/name` or `hf://org/name@revision`.

    Raises:
        ValueError: it is spelled otherwise.
    """
    repository, _, revision = handle.removeprefix("hf://").partition("@")
    bad = not _REPOSITORY.fullmatch(repository) or ".." in handle
    if bad or (revision and not _REVISION.fullmatch(revision)):
        raise ValueError(f'"{handle}" should read hf://organisation/name or …/name@revision.')
    return repository, revision or None


def fetch_folder(handle, weights=True, tokenizer=True):
    """A local folder with a repository's configuration, tokenizer and weights.

    Args:
        handle: str. `hf://org/name[@revision]` or `kaggle://…` (always whole).
        weights: bool. Whether the weights are wanted.
        tokenizer: bool. Whether the tokenizer's files are wanted.

    Returns:
        Path. The snapshot in the hub's cache.

    Raises:
        HubError: a file is neither cached nor to be had; the message names it.
        ValueError: the handle is misspelled.
        ImportError: a handle of Kaggle without keras-hub.
    """
    if handle.startswith("kaggle://"):
        return _fetch_from_kaggle(handle)
    repository = _Repository(*parse_handle(handle))
    marker = repository.fetch_first(("config.json", OWN_MARKER))
    folder = marker.parent
    # The rest comes from the same commit, also where the hub has a newer one by now.
    repository.revision = folder.name
    if tokenizer:
        repository.fetch_first(TOKENIZER_FILES[:2])
        for name in TOKENIZER_FILES:
            repository.fetch_if_there(name)
        if repository.fetch_if_there(SENTENCE_FILES[0]) is not None:
            for name in SENTENCE_FILES[1:]:
                repository.fetch_if_there(name)
    if weights:
        own = marker.name == OWN_MARKER
        path = repository.fetch_first((OWN_WEIGHTS,) if own else TRANSFORMERS_WEIGHTS)
        if path.name.endswith(".index.json"):
            for shard in sorted(set(read_json(path).get("weight_map", {}).values())):
                repository.fetch(shard)
    return folder


def _fetch_from_kaggle(handle):
    try:
        return keras_hub.fetch_folder(handle)
    except (OSError, ValueError) as error:
        raise HubError(f"{handle} could not be downloaded: {str(error).splitlines()[0]}") from error


class _Repository:
    """One repository at one revision; asks the network no more once it was out of reach."""

    def __init__(self, name, revision):
        self.name = name
        self.revision = revision
        self.reachable = True

    def fetch(self, filename):
        """The local path of a file that must be there."""
        path = self.fetch_if_there(filename)
        if path is None:
            raise HubError(self._missing(filename))
        return path

    def fetch_first(self, filenames):
        """The local path of the first of several files that is there."""
        for filename in filenames:
            path = self.fetch_if_there(filename)
            if path is not None:
                return path
        raise HubError(self._missing(" or ".join(filenames)))

    def fetch_if_there(self, filename):
        """The local path of a file, or None."""
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import (
            EntryNotFoundError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
        )

        cached = try_to_load_from_cache(self.name, filename, revision=self.revision)
        if isinstance(cached, str):
            return Path(cached)
        if cached is not None or not self.reachable:  # known not to exist, or not to be had
            return None
        try:
            return Path(hf_hub_download(self.name, filename, revision=self.revision))
        except LocalEntryNotFoundError:
            self.reachable = False
            return None
        except EntryNotFoundError:
            return None
        # Its base classes: OSError, and the base of the HTTP library's own errors.
        except (ValueError, *HfHubHTTPError.__bases__) as error:
            raise HubError(f"{filename} of {self.name} could not be downloaded: {error}") from error

    def _missing(self, filename):
        if self.reachable:
            return f"{self.name} has no file {filename}."
        return f"{filename} of {self.name} is not cached, and the hub is out of reach."
