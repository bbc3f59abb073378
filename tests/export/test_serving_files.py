"""What a server reads beside the model: warm-up, configuration, clients; and a client in C++."""

import importlib
import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from toy_tasks import TASKS

if keras.backend.backend() != "tensorflow":
    pytest.skip("the files are the same whatever the backend", allow_module_level=True)

import tensorflow as tf

from keras_bert_zoo.export.warmup import prediction_log

SERVING = Path(__file__).parents[2] / "examples" / "serving"
REASON = "needs: pip install --no-deps tensorflow-serving-api"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The tasks and folders of some exports."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name in ("classes", "pairs", "answers"):
        task = TASKS[name]()
        task.export(folder / name / "1", self_check=False)
        made[name] = task, folder / name / "1"
    return made


@pytest.mark.parametrize("name", ["classes", "pairs", "answers"])
def test_every_warmup_record_is_answered(exported, name):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason=REASON)
    _, folder = exported[name]
    loaded = tf.saved_model.load(folder)
    records = [*tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests"))]
    seen = set()
    for record in records:
        request = logs.PredictionLog.FromString(record.numpy()).predict_log.request
        signature = request.model_spec.signature_name
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        outputs = loaded.signatures[signature](**inputs)
        count = len(next(iter(inputs.values())))
        seen.add((signature, count > 1))
        if signature == "serving_default" or "answers" not in name:
            assert {len(part) for part in outputs.values()} == {count}
    assert {("serving_default", False), ("serving_default", True)} < seen
    assert 2 < len(records) <= 1000


def test_a_log_is_what_the_real_messages_say():
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason=REASON)
    inputs = {"text": np.array(["ä" * 300, ""]), "other": np.array([[1, 2]], "int32")}
    log = logs.PredictionLog.FromString(prediction_log("films", "tokens", inputs))
    request = log.predict_log.request
    assert log.WhichOneof("log_type") == "predict_log"
    assert (request.model_spec.name, request.model_spec.signature_name) == ("films", "tokens")
    assert tf.make_ndarray(request.inputs["text"]).tolist() == [("ä" * 300).encode(), b""]
    assert tf.make_ndarray(request.inputs["other"]).tolist() == [[1, 2]]


def test_configuration_files():
    pytest.importorskip("tensorflow_serving", reason=REASON)
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        (SERVING / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    names = [model.name for model in config.model_config_list.config]
    assert names == ["sentiment", "embedder", "answers"]
    assert {m.base_path for m in config.model_config_list.config} == {f"/models/{n}" for n in names}


def test_batching_configuration():
    """The message, `BatchingParameters`, is in no package: its fields, by their names."""
    fields = dict(
        line.replace("{ value:", "").rstrip("}").split()
        for line in (SERVING / "batching.config").read_text().splitlines()
        if not line.startswith("#")
    )
    assert set(fields) == {
        "enable_large_batch_splitting",
        "max_batch_size",
        "max_execution_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "num_batch_threads",
    }
    assert fields.pop("enable_large_batch_splitting") == "true"
    assert all(int(value) > 0 for value in fields.values())


def test_compose_file():
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((SERVING / "docker-compose.yml").read_text())["services"]["serving"]
    assert service["image"].startswith("tensorflow/serving")
    mounted = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert all((SERVING / source).is_file() for source in mounted if source.endswith(".config"))
    inside = " ".join(service["command"])
    assert all(target in inside for target in mounted.values() if target.endswith(".config"))
    assert {port.split(":")[0] for port in service["ports"]} == {"8500", "8501"}


@pytest.fixture
def client(monkeypatch):
    monkeypatch.syspath_prepend(SERVING)
    return importlib.import_module


def test_rest_request(client, exported):
    body = json.loads(json.dumps(client("client_rest").request_body({"text": ["a good film"]})))
    task, folder = exported["classes"]
    function = tf.saved_model.load(folder).signatures[body["signature_name"]]
    found = function(**{name: tf.constant(column) for name, column in body["inputs"].items()})
    np.testing.assert_allclose(found["logits"], task.predict(["a good film"]), atol=1e-5)


def test_grpc_request(client):
    pytest.importorskip("tensorflow_serving", reason=REASON)
    request = client("client_grpc").request_of("embedder", {"text": ["a", "é"]})
    assert request.model_spec.name == "embedder"
    assert tf.make_ndarray(request.inputs["text"]).tolist() == [b"a", "é".encode()]


def test_a_program_in_c(exported, tmp_path):
    """A consumer without Python: 1,000 lines, read and answered by way of TensorFlow's C API."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler was found")
    task, folder = exported["classes"]
    home = tf.sysconfig.get_lib()
    program = tmp_path / "answer"
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run(
        [
            *(compiler, "-std=c++17", "-O1", str(SERVING / "answer.cc"), "-o", str(program)),
            *(f"-I{home}/include", f"-L{home}", f"-Wl,-rpath,{home}", *libraries),
        ],
        check=True,
    )
    words = "the a film was good bad slow warmer very not é 東京 [MASK] tea , !".split()
    random = np.random.default_rng(3)
    lines = [" ".join(random.choice(words, random.integers(0, 40))) for _ in range(1000)]
    done = subprocess.run(
        [str(program), str(folder), "label", "logits"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    labels, logits = zip(*(line.split("\t") for line in done.stdout.splitlines()), strict=True)
    assert len(labels) == 1000
    found = np.array([row.split() for row in logits], "float32")
    np.testing.assert_allclose(found, task.predict(lines), atol=1e-5)
    assert list(labels) == [task.labels[i] for i in found.argmax(axis=1)]

    wrong = subprocess.run([str(program), str(folder), "nothing"], input="", capture_output=True)
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (1, b"There is no output nothing.")
