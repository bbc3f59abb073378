"""The formats beside SavedModels in float32: ONNX, OpenVINO, LiteRT, and other precisions."""

import importlib.util
import json

import keras
import numpy as np
import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import scramble, tiny_backbone, tiny_tokenizer
from toy_tasks import TASKS
from vocabularies import TEXTS

import keras_bert_zoo as kbz
from keras_bert_zoo.export import formats
from keras_bert_zoo.export.self_check import open_export
from keras_bert_zoo.export.static_shapes import fitted, static_sizes
from keras_bert_zoo.export.text_files import write_text_files
from keras_bert_zoo.tasks.export_cases import check_cases
from keras_bert_zoo.tasks.exporting import export_task

BACKEND = keras.backend.backend()
TEXT_FILES = ["preset.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]
OF_IDS = {
    "onnx": ["model.onnx"],
    "openvino": ["model.bin", "model.xml"],
    "litert": ["model.tflite"],
}


def writes(name):
    """Skips where this backend is not the one that writes a format, or a package is not there."""
    form = formats.FORMATS[name]
    if form.backend != BACKEND:
        pytest.skip(f"{name} is written with {form.backend}")
    lacking = [package for package in form.packages if importlib.util.find_spec(package) is None]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")


def some(*names):
    """The tasks of these names, and where time is no matter all others."""
    return [pytest.param(n, marks=() if n in names else pytest.mark.slow) for n in TASKS]


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def wide(policy=None):
    """A classifier whose weights are large enough for LiteRT to quantize."""
    backbone = tiny_backbone(
        hidden_dim=64, intermediate_dim=128, dropout=0.0, attention_dropout=0.0, dtype=policy
    )
    text = kbz.Preprocessor(tiny_tokenizer(), 16)
    return scramble(kbz.TextClassifier(backbone, labels=["no", "yes"], preprocessor=text))


class TestModelsOfIds:
    @pytest.mark.parametrize(
        ("format", "name"),
        [
            *(pytest.param("onnx", *p.values, marks=p.marks) for p in some("masks", "vectors")),
            *(pytest.param("litert", *p.values, marks=p.marks) for p in some("masks", "answers")),
            *(pytest.param("openvino", *p.values, marks=p.marks) for p in some("choices")),
        ],
    )
    def test_a_fresh_process_answers_as_the_model_does(self, format, name, tmp_path):
        writes(format)
        task = TASKS[name]()
        assert export_task(task, tmp_path / "it", format) <= 1e-5
        assert contents(tmp_path) == ["it"]
        assert contents(tmp_path / "it") == sorted(OF_IDS[format] + TEXT_FILES)

    @pytest.mark.parametrize("format", ["onnx", "openvino"])
    def test_any_batch_and_any_length(self, format, tmp_path):
        writes(format)
        task = TASKS["choices"]()
        task.export(tmp_path / "it", format=format, self_check=False)
        run = open_export(tmp_path / "it")
        rng = np.random.default_rng(0)
        for shape in ((1, 1, 1), (5, 2, 32), (2, 7, 3)):
            rows = {
                "token_ids": rng.integers(0, 20, shape).astype("int32"),
                "segment_ids": rng.integers(0, 2, shape).astype("int32"),
                "padding_mask": np.ones(shape, "int32"),
            }
            (logits,) = run("tokens", rows).values()
            np.testing.assert_allclose(logits, task.predict(rows), rtol=0, atol=1e-5)

    def test_names_in_onnx(self, tmp_path):
        writes("onnx")
        import onnx

        TASKS["answers"]().export(tmp_path / "it", format="onnx", self_check=False)
        graph = onnx.load(tmp_path / "it" / "model.onnx").graph
        found = {
            value.name: [axis.dim_param for axis in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.output)
        }
        names = "token_ids segment_ids padding_mask start_logits end_logits".split()
        assert found == {name: ["batch", "length"] for name in names}

    def test_sizes_of_litert(self, tmp_path):
        writes("litert")
        task = TASKS["choices"]()
        task.export(tmp_path / "it", format="litert", batch=2, length=9, choices=3)
        rows = {name: np.ones((2, 3, 9), "int32") for name in task.input}
        (logits,) = open_export(tmp_path / "it")("tokens", rows).values()
        np.testing.assert_allclose(logits, task.predict(rows), rtol=0, atol=1e-5)

    def test_a_wrong_model_fails_the_export(self, tmp_path, monkeypatch):
        """Negative control, for whatever this backend writes."""
        format = {"tensorflow": "litert", "torch": "onnx"}.get(BACKEND, "onnx")
        writes(format)
        task = TASKS["classes"]()
        right = type(task).served_rows
        monkeypatch.setattr(
            type(task), "served_rows", lambda self, x: {"logits": right(self, x)["logits"] + 1e-3}
        )
        with pytest.raises(RuntimeError, match="differs by"):
            task.export(tmp_path / "it", format=format)
        assert contents(tmp_path) == []

    @pytest.mark.skipif(BACKEND == "torch", reason="there it is no process of its own")
    @pytest.mark.skipif(BACKEND == "tensorflow", reason="the same as from JAX")
    def test_from_another_backend(self, tmp_path):
        if importlib.util.find_spec("torch") is None:
            pytest.skip("PyTorch writes ONNX")
        assert export_task(TASKS["vectors"](), tmp_path / "it", "onnx") <= 1e-5


class TestPrecisions:
    @pytest.mark.slow
    @pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float16"])
    def test_a_saved_model(self, dtype, tmp_path):
        writes("tf_saved_model")
        task = TASKS["classes"]()
        before = [weight.copy() for weight in task.get_weights()]
        task.export(tmp_path / "it", dtype=dtype)
        texts = ["the good film", "a cup of tea"]
        import tensorflow as tf

        run = tf.saved_model.load(tmp_path / "it").signatures["serving_default"]
        found = run(text=tf.constant(texts))["logits"].numpy()
        wanted, own = task.in_precision(dtype).predict(texts), task.predict(texts)
        assert np.abs(found - wanted).max() < 0.3 * np.abs(found - own).max() + 1e-3
        assert 1e-5 < np.abs(found - own).max() < 0.1
        for old, new in zip(before, task.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)

    @pytest.mark.parametrize("format", ["onnx", "litert"])
    def test_bytes_are_less_and_nearly_the_same(self, format, tmp_path):
        writes(format)
        task, sizes = wide(), {}
        for dtype in (None, "int8"):
            folder = tmp_path / str(dtype)
            apart = export_task(task, folder, format, dtype)
            assert (apart > 1e-4) == (dtype == "int8")
            (model,) = OF_IDS[format]
            sizes[dtype] = (folder / model).stat().st_size
        assert sizes["int8"] < 0.75 * sizes[None]

    def test_half_precision_of_openvino(self, tmp_path):
        writes("openvino")
        assert 1e-6 < export_task(wide(), tmp_path / "it", "openvino", "float16") < 1e-2

    @pytest.mark.parametrize("name", some("masks"))
    def test_int8_of_other_heads(self, name, tmp_path):
        writes("tf_saved_model")
        assert export_task(TASKS[name](), tmp_path / "it", dtype="int8") > 1e-5  # rounded indeed

    @pytest.mark.parametrize("format", ["onnx", "litert"])
    def test_models_of_ids_are_float32_whatever_was_trained(self, format, tmp_path):
        writes(format)
        assert export_task(wide("mixed_bfloat16"), tmp_path / "it", format) < 1e-4

    def test_a_quantized_task_is_not_saved(self, tmp_path):
        task = TASKS["classes"]().in_precision("int8")
        with pytest.raises(ValueError, match="A quantized model is not saved"):
            task.save_to_preset(tmp_path / "it")

    def test_a_quantized_decoder_is_scaled(self):
        task = TASKS["masks"]()
        whole, rounded = (t.predict(["a [MASK]"])[0] for t in (task, task.in_precision("int8")))
        assert abs(whole - rounded).max() < 0.1 * abs(whole).max()


class TestTextFiles:
    @pytest.fixture(scope="class")
    @staticmethod
    def both(tmp_path_factory):
        """A preprocessor, and the tokenizer that was written of it."""
        folder = tmp_path_factory.mktemp("text")
        preprocessor = kbz.Preprocessor(tiny_tokenizer(), 9)
        task = kbz.TextClassifier(tiny_backbone(), preprocessor=preprocessor)
        write_text_files(task, folder)
        return preprocessor, tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))

    @settings(
        derandomize=True,
        max_examples=60,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(first=TEXTS, second=st.none() | TEXTS)
    def test_rows_are_those_of_the_preprocessor(self, both, first, second):
        preprocessor, engine = both
        rows = preprocessor([first] if second is None else ([first], [second]))
        found = engine.encode(first, second)
        assert rows["token_ids"][0].tolist() == found.ids
        assert rows["segment_ids"][0].tolist() == found.type_ids
        assert rows["padding_mask"][0].tolist() == found.attention_mask

    @pytest.mark.parametrize("truncation", ["only_first", "only_second"])
    def test_pairs_are_cut_as_told(self, truncation, tmp_path):
        preprocessor = kbz.Preprocessor(tiny_tokenizer(), 9, truncation)
        write_text_files(kbz.TextClassifier(tiny_backbone(), preprocessor=preprocessor), tmp_path)
        engine = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        long = "a cup of tea , the film and a cup of tea"
        pair = (long, "tea") if truncation == "only_first" else ("tea", long)
        rows = preprocessor(([pair[0]], [pair[1]]))
        assert rows["token_ids"][0].tolist() == engine.encode(*pair).ids

    def test_a_model_of_one_segment(self, tmp_path):
        write_text_files(TASKS["one segment"](), tmp_path)
        engine = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        assert set(engine.encode("tea", "film").type_ids) == {0}

    def test_windows_of_a_context(self, tmp_path):
        task = TASKS["answers"]()
        write_text_files(task, tmp_path)
        engine = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        context = "the good film and a cup of tea . " * 6
        found = engine.encode("the tea ?", context)
        rows = [found.ids, *(more.ids for more in found.overflowing)]
        wanted = [
            row.token_ids.tolist()
            for row in task.encode_texts((["the tea ?"], [context])).source.rows
        ]
        assert rows == wanted and len(rows) > 2

    def test_what_goes_beside_a_model(self, tmp_path):
        task = TASKS["tags"]()
        write_text_files(task, tmp_path)
        assert contents(tmp_path) == TEXT_FILES
        told = json.loads((tmp_path / "preset.json").read_text(encoding="utf-8"))["task"]
        assert told["config"]["labels"] == list(task.labels)
        assert told["text_settings"]["max_length"] == task.preprocessor.max_length
        ids = kbz.Tokenizer.from_preset(tmp_path).tokenize("the good film")
        assert ids == task.preprocessor.tokenizer.tokenize("the good film")


class TestStaticShapes:
    def test_cut_and_filled_up(self):
        rows = {"token_ids": np.arange(1, 7).reshape(2, 3), "mask_positions": np.array([[1], [2]])}
        axes = {"token_ids": ("batch", "length"), "mask_positions": ("batch", "masks")}
        found = fitted(rows, axes, {"batch": 1, "length": 4, "masks": 2})
        assert found["token_ids"].tolist() == [[1, 2, 3, 0]]
        assert found["mask_positions"].tolist() == [[1, 0]]

    def test_the_length_is_the_longest_unless_told(self):
        task = TASKS["classes"]()
        assert static_sizes(task) == {"batch": 1, "length": 24, "choices": 4, "masks": 1}
        assert static_sizes(task, length=8)["length"] == 8

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ({"batch": 0}, "batch must be a whole number, at least 1; got 0"),
            ({"masks": 1.5}, "masks must be a whole number"),
            ({"length": 25}, "length is 25; the task's max_length is 24"),
        ],
    )
    def test_bad_sizes(self, sizes, message):
        with pytest.raises(ValueError, match=message):
            static_sizes(TASKS["classes"](), **sizes)


class TestFormats:
    def test_an_unknown_one(self):
        with pytest.raises(ValueError, match=r"got 'onx'\. Did you mean"):
            TASKS["classes"]().export("anywhere", format="onx")

    def test_a_precision_that_it_has_not(self):
        with pytest.raises(
            ValueError, match="for format=\"onnx\", one of float32, int8; got 'float16'"
        ):
            formats.check_format("onnx", "float16")

    def test_a_package_that_is_not_there(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ImportError, match="pip install tensorflow ai-edge-litert"):
            formats.check_format("litert")

    def test_a_precision_without_text(self, tmp_path):
        task = TASKS["classes"]()
        task.set_preprocessor(None)
        with pytest.raises(ValueError, match="dtype goes with a model that has a preprocessor"):
            task.export(tmp_path / "it", dtype="int8")

    @pytest.mark.parametrize("format", formats.FORMATS)
    def test_a_pretrainer_is_not_exported(self, format, tmp_path, backbone, monkeypatch):
        monkeypatch.setattr(formats, "_is_installed", lambda package: True)
        task = kbz.Pretrainer(backbone, preprocessor=kbz.Preprocessor(tiny_tokenizer(), 16))
        with pytest.raises(NotImplementedError, match="Pretrainer is not exported"):
            task.export(tmp_path / "it", format=format)
        assert contents(tmp_path) == []

    def test_cases_of_models_of_ids_are_ids_alone(self):
        for name, task in (("masks", TASKS["masks"]()), ("choices", TASKS["choices"]())):
            ((signature, rows, outputs),) = check_cases(task, "litert", {"length": 8})
            assert signature == "tokens" and list(outputs) == ["logits"], name
            assert {part.shape[-1] for n, part in rows.items() if n != "mask_positions"} == {8}
