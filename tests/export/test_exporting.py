"""How exports are written: checked, whole or not at all, from any backend."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from support import tiny_backbone, tiny_tokenizer
from toy_tasks import TASKS

import keras_bert_zoo as kbz
from keras_bert_zoo import cli
from keras_bert_zoo.export import samples, self_check
from keras_bert_zoo.export.checking import ExportError, compare
from keras_bert_zoo.export.new_folder import new_folder
from keras_bert_zoo.tasks import export_cases, exporting

FILES = ("saved_model.pb", "variables")
BACKEND = keras.backend.backend()
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow writes SavedModels"
)
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="the same on other backends")

# On other backends each takes a process with TensorFlow: some by default, the others when slow.
CHECKED = [
    pytest.param(name, marks=() if name in ("tags with a CRF", "pairs") else pytest.mark.slow)
    for name in TASKS
]


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@needs_tensorflow
@pytest.mark.parametrize("name", CHECKED)
def test_a_fresh_process_answers_as_the_model_does(name, tmp_path):
    task = TASKS[name]()
    assert exporting.export_task(task, tmp_path / "1") <= 1e-5
    assert leftovers(tmp_path) == ["1"]
    assert leftovers(tmp_path / "1") == [
        "assets",
        "assets.extra",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    ]


@on_tensorflow
def test_a_wrong_answer_fails_the_export(tmp_path, monkeypatch):
    """Negative control; what was there before stays, and nothing else is left."""
    task = TASKS["classes"]()
    task.export(tmp_path / "1", self_check=False)
    before = (tmp_path / "1" / "saved_model.pb").read_bytes()
    right = type(task).served
    monkeypatch.setattr(
        type(task), "served", lambda self, x: {"logits": right(self, x)["logits"] + 1e-3}
    )
    with pytest.raises(ExportError, match=r"serving_default/logits differs by 0\.001"):
        task.export(tmp_path / "1")
    assert leftovers(tmp_path) == ["1"]
    assert (tmp_path / "1" / "saved_model.pb").read_bytes() == before


@needs_tensorflow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="there it is no process of its own")
def test_an_error_in_the_other_process_is_told(tmp_path, monkeypatch):
    task = TASKS["classes"]()
    monkeypatch.setattr(type(task), "save_to_preset", lambda self, folder: None)
    with pytest.raises(ExportError, match="could not write the model"):
        task.export(tmp_path / "1")
    assert leftovers(tmp_path) == []


def test_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorflow"):
        TASKS["classes"]().export(tmp_path / "1")
    assert leftovers(tmp_path) == []


@on_tensorflow
def test_an_unknown_option(tmp_path):
    with pytest.raises(TypeError, match="has no option 'top_k'; it has none"):
        TASKS["classes"]().export(tmp_path / "1", top_k=3)
    with pytest.raises(TypeError, match="has no option 'length'; it has top_k"):
        TASKS["masks"]().export(tmp_path / "1", length=3)
    assert leftovers(tmp_path) == []


@on_tensorflow
def test_a_task_without_a_tokenizer_is_exported_by_keras(tmp_path):
    import tensorflow as tf

    task = TASKS["classes"]()
    rows = {k: np.asarray(v) for k, v in task.preprocessor(["a good film", "tea"]).items()}
    wanted = task.predict(rows)
    task.set_preprocessor(None)
    task.export(str(tmp_path / "1"), verbose=False)
    loaded = tf.saved_model.load(tmp_path / "1")
    found = loaded.serve(rows)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


class TestNewFolder:
    def test_it_takes_the_place_at_the_end(self, tmp_path):
        with new_folder(tmp_path / "deep" / "1", FILES) as folder:
            (folder / "saved_model.pb").write_text("new")
            assert not (tmp_path / "deep" / "1").exists()
        assert (tmp_path / "deep" / "1" / "saved_model.pb").read_text() == "new"
        assert leftovers(tmp_path / "deep") == ["1"]

    def test_it_replaces_a_whole_saved_model(self, tmp_path):
        old = tmp_path / "1"
        old.mkdir()
        (old / "saved_model.pb").write_text("old")
        (old / "variables").write_text("old")
        with new_folder(old, FILES) as folder:
            (folder / "saved_model.pb").write_text("new")
        assert leftovers(old) == ["saved_model.pb"] and leftovers(tmp_path) == ["1"]

    def test_an_empty_folder_is_as_good_as_none(self, tmp_path):
        (tmp_path / "1").mkdir()
        with new_folder(tmp_path / "1", FILES) as folder:
            (folder / "saved_model.pb").write_text("new")
        assert leftovers(tmp_path / "1") == ["saved_model.pb"]

    def test_something_else_stays(self, tmp_path):
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "thesis.tex").write_text("years of work")
        refusal = pytest.raises(FileExistsError, match=r"no earlier export.*holds thesis\.tex")
        with refusal, new_folder(tmp_path / "1", FILES):
            pass
        assert leftovers(tmp_path / "1") == ["thesis.tex"] and leftovers(tmp_path) == ["1"]

    def test_what_was_put_into_an_export_stays(self, tmp_path):
        (tmp_path / "1").mkdir()
        for name in ("saved_model.pb", "weights.safetensors"):
            (tmp_path / "1" / name).write_text("mine")
        refusal = pytest.raises(FileExistsError, match=r"holds weights\.safetensors")
        with refusal, new_folder(tmp_path / "1", FILES):
            pass
        assert leftovers(tmp_path / "1") == ["saved_model.pb", "weights.safetensors"]

    def test_a_link_is_followed(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with new_folder(tmp_path / "link", FILES) as folder:
            (folder / "saved_model.pb").write_text("new")
        assert (tmp_path / "link").is_symlink()
        assert leftovers(tmp_path / "real") == ["saved_model.pb"]

    def test_an_error_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "1", FILES) as folder:
            (folder / "saved_model.pb").write_text("half")
            raise ZeroDivisionError
        assert leftovers(tmp_path) == []

    def test_others_may_read_it(self, tmp_path):
        with new_folder(tmp_path / "1", FILES):
            pass
        assert (tmp_path / "1").stat().st_mode & 0o555 == 0o555


class TestSelfCheck:
    def test_it_knows_neither_keras_nor_this_package(self):
        code = f"import runpy; runpy.run_path({self_check.__file__!r}); import sys; " + (
            "print(*{n.split('.')[0] for n in sys.modules} & {'keras', 'keras_bert_zoo'})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.returncode, done.stdout.strip()) == (0, "")

    def test_it_refuses_a_process_that_does(self, tmp_path):
        with pytest.raises(SystemExit, match="Not a fresh process: keras"):
            self_check.main(str(tmp_path), "cases.npz")

    @pytest.mark.parametrize(
        ("found", "wanted", "apart"),
        [
            ([1.0, 2.0], [1.0, 2.5], 0.5),
            ([1, 2], [1, 2], 0),
            ([], [], 0),
            ([1.0], [1.0, 1.0], np.inf),
        ],
    )
    def test_difference(self, found, wanted, apart):
        assert self_check.difference(np.array(found), np.array(wanted)) == apart

    def test_texts_differ_or_not(self):
        found = np.array([b"tea", "é".encode()], object)
        assert self_check.difference(found, np.array(["tea", "é"])) == 0
        assert self_check.difference(found, np.array(["tea", "e"])) == np.inf

    @needs_tensorflow
    def test_a_folder_without_a_model(self, tmp_path):
        with pytest.raises(ExportError, match="does not answer as the model does"):
            case = ("serving_default", {"text": ["a"]}, {"logits": [0.0]})
            compare(tmp_path, [case], lambda wanted: 1e-5)


@on_tensorflow
def test_a_wrong_text_fails_the_export(tmp_path, monkeypatch):
    task = TASKS["classes"]()
    right = type(task).served
    assert "label" in right(task, task.samples())

    def wrong(self, x):
        return {**right(self, x), "label": np.full(len(x), "nonsense")}

    monkeypatch.setattr(type(task), "served", wrong)
    with pytest.raises(ExportError, match="serving_default/label differs"):
        task.export(tmp_path / "1")


def test_where_rounding_decides_no_text_is_wanted():
    one, other = {"answer": "tea", "start": 2, "end": 5, "score": 0.5}, {"score": 0.4}
    found = export_cases.clear_answers([[one, other], [one]])
    assert {name: array.tolist() for name, array in found.items()} == {
        "answer": ["tea", "tea"],
        "start": [2, 2],
        "end": [5, 5],
    }
    assert export_cases.clear_answers([[one, other], [one, {"score": 0.49999}]]) == {}
    names = ("no", "yes")
    clear = np.array([[0.0, 1.0], [3.0, 2.0]])
    assert export_cases.best_names(clear, names)["label"].tolist() == ["yes", "no"]
    assert export_cases.best_names(np.array([[0.0, 1e-5]]), names) == {}


@on_tensorflow
def test_a_class_of_ones_own(tmp_path):
    class Mine(kbz.TextClassifier):
        pass

    task = Mine(tiny_backbone(), preprocessor=kbz.Preprocessor(tiny_tokenizer(), 16))
    task.export(tmp_path / "1")
    with pytest.raises(ValueError, match=r"Mine is a class of your own.*under the torch"):
        task.export(tmp_path / "onnx", format="onnx")


def test_samples_that_do_not_fit_are_left_out():
    task = TASKS["answers"]()
    task.set_preprocessor(kbz.Preprocessor(task.preprocessor.tokenizer, 16))
    questions, contexts = export_cases.fitting_samples(task, {})
    assert 0 < len(questions) == len(contexts) < len(samples.QUESTIONS)
    task.set_preprocessor(kbz.Preprocessor(task.preprocessor.tokenizer, 5))
    with pytest.raises(ValueError, match="takes none of the texts it is tried on"):
        export_cases.fitting_samples(task, {})


class TestCommandLine:
    @needs_tensorflow
    def test_export(self, tmp_path):
        TASKS["masks"]().save_to_preset(tmp_path / "saved")
        options = json.dumps({"top_k": 2})
        target = str(tmp_path / "1")
        cli.main(
            ["export", str(tmp_path / "saved"), target, "--options", options, "--no-self-check"]
        )
        assert Path(target, "saved_model.pb").is_file()

    def test_a_model_without_a_task(self, tmp_path, backbone):
        backbone.save_to_preset(tmp_path / "saved")
        with pytest.raises(SystemExit, match="name one by --task"):
            cli.main(["export", str(tmp_path / "saved"), str(tmp_path / "1")])

    def test_an_unknown_task(self, tmp_path):
        with pytest.raises(SystemExit, match="no task 'Backbone'"):
            cli.main(["export", "somewhere", str(tmp_path / "1"), "--task", "Backbone"])

    def test_errors_are_a_line(self, tmp_path, capsys):
        with pytest.raises(SystemExit, match="ValueError: No folder "):
            cli.main(["export", str(tmp_path / "nowhere"), "x", "--task", "TextClassifier"])
        with pytest.raises(SystemExit):
            cli.main(["export", "here", "there", "--options", "x"])
        assert "'x' is no JSON object" in capsys.readouterr().err

    def test_list_and_show(self, capsys):
        cli.main(["list"])
        names = capsys.readouterr().out.split()
        assert names == kbz.list_presets()
        cli.main(["show", names[0]])
        assert json.loads(capsys.readouterr().out) == kbz.preset_info(names[0])
