"""Downloads, from a local server that speaks the Hugging Face hub's protocol.

huggingface_hub reads `HF_ENDPOINT` and `HF_HOME` at import, so the loading runs in a process of its
own, `client`, where waiting between two tries takes no time.
"""

import concurrent.futures
import contextlib
import hashlib
import http.server
import io
import json
import multiprocessing
import os
import re
import shutil
import threading
import time
from unittest import mock

import numpy as np
import pytest
from support import TOKENS, scramble, tiny_backbone, tiny_tokenizer

COMMIT = "c0ffee" * 6 + "c0de"
NEWER = "beef" * 10
_URL = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class Hub:
    """The server: its repositories, what was asked of it, and how it misbehaves.

    `broken` maps a file's name to the answers to come: a number of bytes after which the connection
    is cut, or an HTTP status.
    """

    def __init__(self, folder):
        self.folder = folder
        self.revisions = {"main": COMMIT, COMMIT: COMMIT, "v2": NEWER, NEWER: NEWER}
        self.asked = []
        self.broken = {}
        self._port = 0
        self.start()

    def start(self):
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def out_of_reach(self):
        self.stop()
        try:
            yield
        finally:
            self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}"

    def downloads(self):
        """The files that were sent since the last call."""
        sent, self.asked = self.asked, []
        return [path for method, path in sent if method == "GET"]


class _Handler(http.server.BaseHTTPRequestHandler):
    hub = None

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        found = _URL.fullmatch(self.path)
        if found is None or found["revision"] not in self.hub.revisions:
            self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
            return
        commit = self.hub.revisions[found["revision"]]
        self.hub.asked.append((self.command, found["file"]))
        repository = self.hub.folder / commit / found["repository"]
        path = repository / found["file"]
        if not repository.is_dir():
            self._refuse(404, {"X-Error-Code": "RepoNotFound"})
        elif not path.is_file():
            self._refuse(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        else:
            self._send(path.read_bytes(), commit, body, found["file"])

    def _send(self, content, commit, body, name):
        pending = self.hub.broken.get(name, [])
        fault = pending.pop(0) if body and pending else None
        if fault is not None and fault >= 400:
            self._refuse(fault, {})
            return
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range") or "") or [0, 0])[1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if body:
            self.wfile.write(content[start : None if fault is None else start + fault])

    def _refuse(self, status, headers):
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


# === What the client runs ===


def wait_no_longer():
    time.sleep = lambda seconds: None


class Terminal(io.StringIO):
    """A stderr that shows progress bars."""

    def isatty(self):
        return True


def load(source, **options):
    """The token embeddings of a backbone, and what was written to stderr on the way."""
    import keras_bert_zoo as kbz

    with contextlib.redirect_stderr(Terminal()) as progress:
        backbone = kbz.Backbone.from_preset(source, **options)
    return np.asarray(backbone.embeddings.token_embedding.embeddings), progress.getvalue()


def tokenize(source, text):
    import keras_bert_zoo as kbz

    return kbz.Tokenizer.from_preset(source).tokenize(text)


def load_preset(folder, source, store):
    """As `load`, of a preset from a folder of presets of our own."""
    from keras_bert_zoo import presets

    with (
        mock.patch.object(presets, "presets_folder", lambda: folder),
        mock.patch.dict(os.environ, {"KERAS_BERT_ZOO_HOME": str(store)}),
    ):
        return load(source)


# === Fixtures ===


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()


@contextlib.contextmanager
def run_client(hub, cache, **environment):
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        **environment,
    }
    context = multiprocessing.get_context("spawn")
    with (
        mock.patch.dict(os.environ, environment),
        concurrent.futures.ProcessPoolExecutor(1, context, initializer=wait_no_longer) as pool,
    ):

        def run(function, *args, **options):
            return pool.submit(function, *args, **options).result(timeout=120)

        yield run


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def client(hub, cache):
    with run_client(hub, cache) as run:
        yield run


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A tiny model as transformers lays it out, and its token embeddings."""
    folder = tmp_path_factory.mktemp("published")
    backbone = tiny_backbone()
    backbone.export_to_transformers(folder)
    tiny_tokenizer().save_to_preset(folder)
    return folder, np.asarray(backbone.embeddings.token_embedding.embeddings)


@pytest.fixture
def repository(hub, published, request):
    """A repository of its own for each test: its name, folder, and embeddings."""
    folder, embeddings = published
    name = "org/" + re.sub(r"\W+", "-", request.node.name).strip("-")
    shutil.copytree(folder, hub.folder / COMMIT / name)
    hub.downloads()
    hub.broken.clear()
    return f"hf://{name}", hub.folder / COMMIT / name, embeddings


@pytest.fixture
def preset_folder(tmp_path, repository):
    """A folder of presets with one, `tiny`, whose source is the repository."""

    def write(sha256=None):
        content = {
            "description": "A tiny model.",
            "family": "bert",
            "config": tiny_backbone().config.to_dict(),
            "parameters": 1,
            "tokenizer": {"lowercase": True},
            "sources": [repository[0]],
            "license": None,
            "citation": None,
            "sha256": sha256,
        }
        (tmp_path / "presets").mkdir()
        (tmp_path / "presets" / "tiny.json").write_text(json.dumps(content))
        return tmp_path / "presets"

    return write


def names_in(cache, handle):
    """The files of a repository that can be read from the cache."""
    folder = cache / "hub" / f"models--{handle.removeprefix('hf://').replace('/', '--')}"
    return sorted(path.name for path in folder.glob("snapshots/*/*") if path.is_file())


# === Tests ===


def test_a_model_is_downloaded_once(hub, client, cache, repository):
    handle, _, embeddings = repository
    loaded, progress = client(load, handle)
    np.testing.assert_array_equal(loaded, embeddings)
    assert hub.downloads() == ["config.json", "model.safetensors"]
    assert "model.safetensors" in progress and "100%" in progress
    with hub.out_of_reach():
        loaded, progress = client(load, handle)
    np.testing.assert_array_equal(loaded, embeddings)
    assert progress == ""


def test_a_tokenizer_is_downloaded_without_weights(hub, client, cache, repository):
    handle, folder, _ = repository
    (folder / "vocab.txt").unlink()
    assert client(tokenize, handle, "the film") == [5, 7]
    assert names_in(cache, handle) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    with hub.out_of_reach():
        assert client(tokenize, handle, "a film") == [6, 7]


def test_a_tokenizer_of_vocab_txt_alone(client, repository):
    handle, folder, _ = repository
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert client(tokenize, handle, "The film") == [5, 7]


def test_a_preset_is_downloaded_from_its_source(hub, client, repository, preset_folder, tmp_path):
    folder = preset_folder()
    loaded, _ = client(load_preset, folder, "tiny", tmp_path)
    np.testing.assert_array_equal(loaded, repository[2])
    assert hub.downloads() == ["config.json", "model.safetensors"]
    with hub.out_of_reach():
        client(load_preset, folder, "tiny", tmp_path)


def test_a_folder_of_our_own_is_downloaded(hub, client, repository, backbone):
    handle, folder, _ = repository
    shutil.rmtree(folder)
    backbone.save_to_preset(folder)
    loaded, _ = client(load, handle)
    np.testing.assert_array_equal(
        loaded, np.asarray(backbone.embeddings.token_embedding.embeddings)
    )
    assert hub.downloads() == ["preset.json", "weights.safetensors"]


def test_a_checksum_is_compared(client, repository, preset_folder, tmp_path):
    content = (repository[1] / "model.safetensors").read_bytes()
    right = hashlib.sha256(content).hexdigest()
    folder = preset_folder({"model.safetensors": right})
    loaded, _ = client(load_preset, folder, "tiny", tmp_path)
    np.testing.assert_array_equal(loaded, repository[2])


def test_a_wrong_checksum_raises(client, repository, preset_folder, tmp_path):
    folder = preset_folder({"model.safetensors": "0" * 64})
    message = r"model\.safetensors is not the file that the preset tiny names: its SHA-256 differs"
    with pytest.raises(ValueError, match=message):
        client(load_preset, folder, "tiny", tmp_path)


def test_a_sharded_model(hub, client, repository):
    from safetensors.numpy import load_file, save_file

    handle, folder, embeddings = repository
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for i, part in enumerate((names[::2], names[1::2])):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    loaded, _ = client(load, handle)
    np.testing.assert_array_equal(loaded, embeddings)
    assert hub.downloads()[-2:] == sorted(set(weight_map.values()))
    (folder / file).unlink()


def test_a_missing_shard_raises(client, repository):
    handle, folder, _ = repository
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError, match="has no file model-00001-of-00001"):
        client(load, handle)


@pytest.mark.parametrize("revision", ["v2", NEWER])
def test_a_revision(hub, client, repository, revision):
    handle, folder, embeddings = repository
    newer = hub.folder / NEWER / folder.relative_to(hub.folder / COMMIT)
    backbone = scramble(tiny_backbone())
    backbone.export_to_transformers(newer)
    loaded, _ = client(load, f"{handle}@{revision}")
    wanted = np.asarray(backbone.embeddings.token_embedding.embeddings)
    np.testing.assert_array_equal(loaded, wanted)
    np.testing.assert_array_equal(client(load, handle)[0], embeddings)
    assert not np.array_equal(wanted, embeddings)


def test_all_files_are_of_one_commit(hub, client, repository):
    """A push between two loads does not mix the new weights with the old configuration."""
    handle, folder, _ = repository
    client(tokenize, handle, "a")
    newer = hub.folder / NEWER / folder.relative_to(hub.folder / COMMIT)
    tiny_backbone(hidden_dim=32).export_to_transformers(newer)
    with mock.patch.dict(hub.revisions, {"main": NEWER}):
        assert client(load, handle)[0].shape == (len(TOKENS), 16)


def test_an_unknown_revision_raises(client, repository):
    with pytest.raises(FileNotFoundError, match=r"config\.json of org/.* could not be downloaded"):
        client(load, f"{repository[0]}@nowhere")


def test_a_connection_that_breaks_is_resumed(hub, client, repository):
    handle, _, embeddings = repository
    hub.broken["model.safetensors"] = [1000, 3000]
    loaded, _ = client(load, handle)
    np.testing.assert_array_equal(loaded, embeddings)
    assert hub.downloads().count("model.safetensors") == 3


@pytest.mark.parametrize("faults", [[1000, 500], [500], [1000] + [0] * 9], ids=str)
def test_a_broken_download_leaves_nothing_half(hub, client, cache, repository, faults):
    handle, _, embeddings = repository
    hub.broken["model.safetensors"] = list(faults)
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors of org/.* could not be down"):
        client(load, handle)
    assert names_in(cache, handle) == ["config.json"]
    with (
        hub.out_of_reach(),
        pytest.raises(FileNotFoundError, match=r"model\.safetensors .*not cac"),
    ):
        client(load, handle)
    hub.broken.clear()
    loaded, _ = client(load, handle)
    np.testing.assert_array_equal(loaded, embeddings)


def test_a_file_shorter_than_announced_is_refused(hub, client, repository):
    """What a proxy cuts without a trace is found by the size that the hub gave."""
    handle, folder, embeddings = repository
    whole = (folder / "model.safetensors").read_bytes()
    answer = _Handler._send

    def cut(self, content, commit, body, name):
        answer(self, content[:-100] if body and content == whole else content, commit, body, name)

    with mock.patch.object(_Handler, "_send", cut), pytest.raises(FileNotFoundError, match="size"):
        client(load, handle)
    np.testing.assert_array_equal(client(load, handle)[0], embeddings)


def test_missing_weights_raise(client, repository):
    handle, folder, _ = repository
    (folder / "model.safetensors").unlink()
    message = (
        r"has no file model\.safetensors or model\.safetensors\.index\.json or pytorch_model\.bin"
    )
    with pytest.raises(FileNotFoundError, match=message):
        client(load, handle)


def test_a_missing_tokenizer_raises(client, repository):
    handle, folder, _ = repository
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no file tokenizer\.json or vocab\.txt"):
        client(tokenize, handle, "a")


def test_a_missing_repository_raises(client, hub):
    with pytest.raises(
        FileNotFoundError, match=r"config\.json of org/none could not be downloaded"
    ):
        client(load, "hf://org/none")


def test_out_of_reach_with_an_empty_cache(hub, client, repository, preset_folder, tmp_path):
    with hub.out_of_reach():
        message = r"preset\.json of org/.* is not cached, and the hub is out of reach\. Or pass the"
        with pytest.raises(FileNotFoundError, match=message):
            client(load, repository[0])
        folder = preset_folder()
        with pytest.raises(FileNotFoundError) as caught:
            client(load_preset, folder, "tiny", tmp_path / "store")
    wanted = f"Put config.json, model.safetensors into {tmp_path / 'store' / 'tiny'}"
    assert wanted in str(caught.value)


def test_offline_mode_asks_nothing(hub, cache, client, repository):
    handle, _, embeddings = repository
    client(load, handle)
    hub.asked.clear()
    with run_client(hub, cache, HF_HUB_OFFLINE="1") as offline:
        np.testing.assert_array_equal(offline(load, handle)[0], embeddings)
        with pytest.raises(FileNotFoundError, match=r"preset\.json of org/other is not cached"):
            offline(load, "hf://org/other")
    assert hub.asked == []
