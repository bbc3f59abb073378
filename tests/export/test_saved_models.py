"""What the SavedModel of each task answers, beside the task itself."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from toy_tasks import MAX_LENGTH, TASKS

if keras.backend.backend() != "tensorflow":
    pytest.skip("other backends are exported by TensorFlow, too", allow_module_level=True)

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_bert_zoo.tasks.export_cases import check_cases

ALLOWED_OPS = Path(__file__).parent.parent / "data" / "serving_ops.txt"
LONG = "the tea was warm and the film was very good , not slow . " * 4
TEXTS = ["the good film", "", "a cup of WARMER tea, again!", LONG, "\x00 [MASK] 東京 é"]
PLACES = ("starts", "ends", "byte_starts", "byte_ends")

# Task -> the outputs of its two signatures.
OUTPUTS = {
    "classes": ("logits probabilities label score", ""),
    "pairs": ("logits probabilities label score", ""),
    "numbered classes": ("logits probabilities label score", ""),
    "several labels": ("logits probabilities label score labels", ""),
    "regression": ("logits score", ""),
    "one segment": ("logits probabilities label score", ""),
    "next sentence": ("logits probabilities label score", ""),
    "vectors": ("embedding", ""),
    "vectors of layers": ("embedding", ""),
    "choices": ("logits probabilities index choice score", "logits probabilities index score"),
    "masks": (
        "tokens token_ids scores starts ends byte_starts byte_ends",
        "logits tokens token_ids scores",
    ),
    "tags": (
        "logits tokens labels scores words starts ends byte_starts byte_ends",
        "logits labels scores",
    ),
    "answers": (
        "answer score start end byte_start byte_end start_logits end_logits",
        "start_logits end_logits",
    ),
}
OUTPUTS["tags with a CRF"] = OUTPUTS["tags"]
OUTPUTS["answers or none"] = OUTPUTS["answers"]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Name -> the task, its folder and what was loaded from it; each exported once."""
    made = {}

    def export(name):
        if name not in made:
            keras.utils.set_random_seed(7)
            task, folder = TASKS[name](), tmp_path_factory.mktemp("models") / "1"
            task.export(folder, self_check=False)
            made[name] = task, folder, tf.saved_model.load(folder)
        return made[name]

    return export


def ask(loaded, *texts, signature="serving_default"):
    """The answers of a signature; texts stand for its inputs, in their order."""
    function = loaded.signatures[signature]
    names = ("text", "text_pair", "question", "context", "prompt", "choices")
    names = [n for n in names if n in function.structured_input_signature[1]]
    inputs = dict(zip(names, (tf.constant(part, tf.string) for part in texts), strict=True))
    return {name: part.numpy() for name, part in function(**inputs).items()}


def inputs_of(name, texts):
    """Texts as the inputs of a task."""
    if name == "choices":
        choices = [[text, "good", "bad film"] for text in texts]
        return texts, np.array(choices, object).reshape(-1, 3)
    if name in ("pairs", "next sentence", "answers", "answers or none"):
        return ["the film"] * len(texts), texts
    return (texts,)


def decoded(array):
    return [text.decode() for text in array]


@pytest.mark.parametrize("name", TASKS)
def test_numbers_are_those_of_the_model(exports, name):
    task, _, loaded = exports(name)
    for signature, inputs, outputs in check_cases(task):
        found = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        assert outputs
        for key, wanted in outputs.items():
            if wanted.dtype.kind == "U":
                assert decoded(found[key].numpy()) == wanted.tolist()
            else:
                np.testing.assert_allclose(found[key], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_names_of_outputs(exports, name):
    _, _, loaded = exports(name)
    texts, ids = (set(names.split()) for names in OUTPUTS[name])
    assert set(loaded.signatures["serving_default"].structured_outputs) == texts
    assert set(loaded.signatures["tokens"].structured_outputs) == (ids or texts)


@pytest.mark.parametrize("name", TASKS)
def test_a_merged_batch_answers_as_its_requests_do(exports, name):
    _, _, loaded = exports(name)
    texts = [text or "tea" for text in TEXTS] if "answers" in name else TEXTS
    columns = inputs_of(name, texts)
    merged = ask(loaded, *columns)
    for i in range(len(texts)):
        single = ask(loaded, *(column[i : i + 1] for column in columns))
        for key, wanted in single.items():
            assert len(wanted) == 1 and len(merged[key]) == len(texts)
            row = merged[key][i]
            if wanted.ndim > 1:  # further pieces are those of longer texts
                row = row[tuple(slice(n) for n in wanted.shape[1:])]
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(row, wanted[0], rtol=0, atol=1e-6)
            else:
                assert np.array_equal(row, wanted[0])


@pytest.mark.parametrize("name", TASKS)
def test_requests_that_are_out_of_the_common(exports, name):
    """An answer or a clear error; and the model lives."""
    _, _, loaded = exports(name)
    odd = [b"", b"\xff\xfe\xe4\xb8", b"\x00", b"tea " * 2500, "\U0001f680".encode() * 50]
    for texts in ([], odd, [b"good film " * (i % 30) for i in range(1000)]):
        try:
            answers = ask(loaded, *inputs_of(name, [*texts]))
        except tf.errors.InvalidArgumentError as error:
            assert "answers" in name and "context is empty" in str(error)
        else:
            assert {len(part) for part in answers.values()} == {len(texts)}
            for part in answers.values():
                assert part.dtype.kind != "f" or np.isfinite(part).all()
    assert len(ask(loaded, *inputs_of(name, ["the film"]))) > 0


@pytest.mark.parametrize("name", ["classes", "pairs", "masks", "vectors", "tags", "answers"])
def test_a_megabyte_of_text(exports, name):
    _, _, loaded = exports(name)
    found = ask(loaded, *inputs_of(name, [b"tea film " * 120_000]))
    if name == "tags":
        assert found["logits"].shape[:2] == (1, 240_000)
        assert found["byte_ends"][0, -1] == 9 * 120_000 - 1
    for part in found.values():
        assert len(part) == 1 and (part.dtype.kind != "f" or np.isfinite(part).all())


@pytest.mark.parametrize("name", ["tags", "answers"])
def test_more_windows_than_are_run_at_once(exports, name):
    task, _, loaded = exports(name)
    texts = ["tea", LONG * 40, "the good film"]
    columns = inputs_of(name, texts)
    found = ask(loaded, *columns)
    wanted = task.served(tuple(columns) if name == "answers" else columns[0])
    assert len(task.encode_texts(tuple(columns) if name == "answers" else texts)) > 128
    for key, array in wanted.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(found[key], array, rtol=0, atol=1e-5)


def test_an_overlong_question(exports):
    _, _, loaded = exports("answers")
    with pytest.raises(tf.errors.InvalidArgumentError, match="A question is too long"):
        ask(loaded, ["tea " * MAX_LENGTH], [LONG])


@pytest.mark.parametrize("name", ["classes", "pairs", "numbered classes", "next sentence"])
def test_classes(exports, name):
    task, _, loaded = exports(name)
    columns = inputs_of(name, TEXTS)
    found = ask(loaded, *columns)
    if name == "next sentence":
        wanted = task.follows(*columns)
        names = ["is_next" if row["is_next"] else "not_next" for row in wanted]
        scores = [max(row["score"], 1 - row["score"]) for row in wanted]
    else:
        wanted = task.classify(columns if name == "pairs" else columns[0])
        names = [str(row["label"]) for row in wanted]
        scores = [row["score"] for row in wanted]
    assert decoded(found["label"]) == names
    np.testing.assert_allclose(found["score"], scores, atol=1e-6)


def test_several_labels(exports):
    task, _, loaded = exports("several labels")
    found = ask(loaded, TEXTS)
    wanted = task.classify(TEXTS)
    assert [[n for n in decoded(row) if n] for row in found["labels"]] == [
        row["labels"] for row in wanted
    ]
    assert {len(row["labels"]) for row in wanted} != {0}


def test_choices(exports):
    task, _, loaded = exports("choices")
    prompts, choices = ["the film was", "tea"], [["good", "bad", "slow"], ["warm", "a cup", ""]]
    found = ask(loaded, prompts, choices)
    wanted = task.choose(prompts, [choices[0], choices[1][:2]])
    assert found["index"].tolist() == [row["index"] for row in wanted]
    assert decoded(found["choice"]) == [row["choice"] for row in wanted]
    np.testing.assert_allclose(found["probabilities"][1, :2], wanted[1]["scores"], atol=1e-6)
    assert found["probabilities"][1, 2] < 1e-9


def test_masks(exports):
    task, _, loaded = exports("masks")
    texts = ["the [MASK] was [MASK] good", "a [MASK]", "tea"]
    found = ask(loaded, texts)
    for row, text in enumerate(texts[:2]):
        guesses = task.fill_mask(text)
        for mask, several in enumerate(guesses if row == 0 else [guesses]):
            assert decoded(found["tokens"][row, mask]) == [g["token"] for g in several]
            assert found["token_ids"][row, mask].tolist() == [g["token_id"] for g in several]
            start, end = found["starts"][row, mask], found["ends"][row, mask]
            assert text[start:end] == "[MASK]"
    assert found["starts"].tolist() == [[4, 15], [2, -1], [-1, -1]]
    assert (found["tokens"][2] == b"").all() and (found["token_ids"][2] == -1).all()


def test_masks_beyond_the_row_are_not_asked_for(exports):
    _, _, loaded = exports("masks")
    found = ask(loaded, ["tea " * (MAX_LENGTH - 3) + "[MASK] [MASK]"])
    assert found["token_ids"].shape[1] == 1


def test_how_many_tokens_for_a_mask(tmp_path):
    task = TASKS["masks"]()
    task.export(tmp_path / "1", self_check=False, top_k=2)
    loaded = tf.saved_model.load(tmp_path / "1")
    assert ask(loaded, ["a [MASK]"])["tokens"].shape == (1, 1, 2)


def test_tags(exports):
    task, _, loaded = exports("tags")
    found = ask(loaded, TEXTS)
    for row, spans in enumerate(task.tag(TEXTS, aggregation="none")):
        pieces = [i for i, label in enumerate(decoded(found["labels"][row])) if label not in "O"]
        assert len(pieces) == len(spans)
        for piece, span in zip(pieces, spans, strict=True):
            assert decoded(found["labels"][row])[piece] == span["label"]
            assert found["starts"][row, piece] == span["start"]
            assert found["ends"][row, piece] == span["end"]
            assert abs(found["scores"][row, piece] - span["score"]) < 1e-5
            where = slice(found["byte_starts"][row, piece], found["byte_ends"][row, piece])
            assert TEXTS[row].encode()[where].decode() == span["text"]


@pytest.mark.parametrize("name", ["tags", "tags with a CRF"])
def test_labels_of_words(exports, name):
    """A word's label is that of its first piece; with a CRF all its pieces bear it."""
    task, _, loaded = exports(name)
    found = ask(loaded, TEXTS)
    for row, words in enumerate(task.predict(TEXTS)):
        labels, numbers = decoded(found["labels"][row]), found["words"][row]
        of_words = {}
        for number, label in zip(numbers, labels, strict=True):
            if number >= 0:
                of_words.setdefault(number, []).append(label)
        wanted = task._decoded([words])[0]
        assert [several[0] for several in of_words.values()] == [
            task.class_names[number] for number in wanted
        ]
        if task.has_crf:
            assert all(len(set(several)) == 1 for several in of_words.values())


@pytest.mark.parametrize("name", ["answers", "answers or none"])
def test_answers(exports, name):
    task, _, loaded = exports(name)
    questions = ["the film ?", "tea", "who saw it again ?"] * 2
    contexts = [LONG, "a cup of tea é", "we saw the film . " * 9, "東京 tea", "good", LONG[30:]]
    found, wanted = ask(loaded, questions, contexts), task.answer(questions, contexts)
    for row, answer in enumerate(wanted):
        assert found["answer"][row].decode() == answer["answer"]
        assert (found["start"][row], found["end"][row]) == (answer["start"], answer["end"])
        assert abs(found["score"][row] - answer["score"]) < 1e-5
        where = slice(found["byte_start"][row], found["byte_end"][row])
        assert contexts[row].encode()[where].decode() == answer["answer"]


@pytest.mark.parametrize("threshold", [-1e4, 1e4])
def test_no_answer_follows_the_threshold(tmp_path, threshold):
    task = TASKS["answers or none"]()
    task.threshold = threshold
    task.export(tmp_path / "1", self_check=False)
    found = ask(tf.saved_model.load(tmp_path / "1"), ["tea ?"], [LONG])
    assert (found["answer"][0] == b"") == (threshold < 0)
    assert found["answer"][0].decode() == task.answer("tea ?", LONG)["answer"]


@pytest.mark.parametrize("name", TASKS)
def test_the_graph_holds_only_ops_that_servers_know(exports, name):
    """All are of TensorFlow itself, and none runs Python or is compiled anew for each shape."""
    _, folder, _ = exports(name)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    ops = {node.op for node in nodes} - functions
    assert len(ops) > 50
    assert ops <= set(ALLOWED_OPS.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", ["classes", "vectors"])
def test_weights_are_stored_once(exports, name):
    task, folder, _ = exports(name)
    weights = sum(4 * np.prod(weight.shape) for weight in task._used(task.weights))
    characters = 300_000
    stored = (folder / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert weights < stored < weights + characters


def test_the_vocabulary_is_an_asset(exports):
    task, folder, _ = exports("classes")
    lines = (folder / "assets" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [task.preprocessor.tokenizer.id_to_token(i) for i in range(len(lines))]


def test_a_moved_folder_still_answers(exports, tmp_path):
    _, folder, loaded = exports("classes")
    moved = folder.rename(tmp_path / "elsewhere")
    try:
        again = tf.saved_model.load(moved)
        assert np.array_equal(ask(again, TEXTS)["logits"], ask(loaded, TEXTS)["logits"])
    finally:
        moved.rename(folder)


def test_a_fit_model_exports_what_it_learned(tmp_path):
    task = TASKS["classes"]()
    before = task.predict(TEXTS)
    task.fit(TEXTS, ["no", "yes", "no", "yes", "maybe"], verbose=0)
    task.export(tmp_path / "1", self_check=False)
    found = ask(tf.saved_model.load(tmp_path / "1"), TEXTS)["logits"]
    assert abs(found - before).max() > 1e-5
    np.testing.assert_allclose(found, task.predict(TEXTS), atol=1e-5)


def test_what_it_was_trained_on_decides_about_pairs(tmp_path):
    task = TASKS["classes"]()
    task.fit((TEXTS, TEXTS[::-1]), ["no", "yes", "no", "yes", "maybe"], verbose=0)
    task.save_to_preset(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "preset.json").read_text())["task"]["config"]["pairs"]
    again = type(task).from_preset(tmp_path / "saved")
    again.classify(TEXTS)  # no training, and so is what follows
    again.evaluate(TEXTS, ["no", "yes", "no", "yes", "maybe"], verbose=0)
    again.export(tmp_path / "1", self_check=False)
    loaded = tf.saved_model.load(tmp_path / "1")
    found = ask(loaded, TEXTS, TEXTS[::-1])["logits"]
    np.testing.assert_allclose(found, task.predict((TEXTS, TEXTS[::-1])), atol=1e-5)
