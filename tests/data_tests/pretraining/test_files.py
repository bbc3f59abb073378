"""Text files to files of rows: what they hold, formats, going on after a kill."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import support

from keras_bert_zoo.data.pretraining import (
    Phrases,
    PretrainingRecipe,
    arrow_shards,
    make_pretraining_data,
    read_pretraining_data,
)
from keras_bert_zoo.data.pretraining import files as module

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="needs the extra pretraining"
)

SENTENCES = [
    "The film was good.",
    "It was very warm!",
    "We saw it again, not bad.",
    "A cup of tea?",
    "The warmest film of it.",
]
RECIPE = PretrainingRecipe(max_length=24, block_characters=150, dupe_factor=2)


@pytest.fixture
def text(tmp_path):
    """Thirteen documents in two files."""
    random = np.random.default_rng(2)
    paths = []
    for name, count in (("a.txt", 8), ("b.txt", 5)):
        documents = [
            "\n".join(" ".join(random.choice(SENTENCES, 3)) for _ in range(random.integers(1, 4)))
            for _ in range(count)
        ]
        paths.append(tmp_path / name)
        paths[-1].write_text("\n\n".join(documents) + "\n", encoding="utf-8")
    return paths


def make(text, folder, recipe=RECIPE, **options):
    options = {"processes": 1, "progress": False, **options}
    return make_pretraining_data(text, folder, support.tiny_tokenizer(), recipe, **options)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def everything(folder, **settings):
    data = read_pretraining_data(folder, batch_size=4, **settings)
    return [np.asarray(leaf).tolist() for batch in data for leaf in keras.tree.flatten(batch)]


def test_what_is_made(text, tmp_path):
    made = make(text, tmp_path / "rows")
    data = read_pretraining_data(tmp_path / "rows", batch_size=4)
    assert made["documents"] == 13
    assert made["files"] == len(list((tmp_path / "rows").glob("*.arrow"))) > 2
    assert made["rows"] == len(data.rows) > 20
    assert made["tokens"] == data.rows.lengths.sum()
    assert data.max_length == 24
    assert (data.rows.lengths <= 24).all()


def test_what_is_there_is_not_made_again(text, tmp_path, monkeypatch):
    folder = tmp_path / "rows"
    made, before = make(text, folder), content(folder)
    monkeypatch.setattr(module, "make_rows", None)
    assert make(text, folder) == made
    assert content(folder) == before


@pytest.mark.parametrize("lost", ["first", "last", "a part"])
def test_what_a_kill_left_undone_is_made(text, tmp_path, lost):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    made = make(text, whole)
    make(text, broken)
    about = json.loads((broken / "recipe.json").read_text())
    (broken / "recipe.json").write_text(json.dumps({**about, "made": None}))
    paths = sorted(broken.glob("*.arrow"))
    paths[0 if lost == "first" else -1].unlink()
    if lost == "a part":
        (broken / "rows-00000.77.part").write_bytes(b"half")
        (broken / "notes.part").write_text("not ours")
    with pytest.raises(ValueError, match="is not finished; make it again"):
        read_pretraining_data(broken)
    assert make(text, broken) == made
    assert everything(whole) == everything(broken)
    arrows = [{k: v for k, v in content(f).items() if "arrow" in k} for f in (whole, broken)]
    assert arrows[0] == arrows[1]
    assert not list(broken.glob("rows-*.part"))
    assert (broken / "notes.part").is_file() == (lost == "a part")


def test_files_get_their_name_once_they_are_on_the_disk(text, tmp_path, monkeypatch):
    synced, replace = set(), module.os.replace

    def checked_replace(aside, path):
        assert aside.stat().st_ino in synced
        replace(aside, path)

    monkeypatch.setattr(module.os, "fsync", lambda file: synced.add(os.fstat(file).st_ino))
    monkeypatch.setattr(module.os, "replace", checked_replace)
    assert make(text, tmp_path / "rows")["files"] <= len(synced)


def test_several_processes_make_the_same(text, tmp_path):
    made = make(text, tmp_path / "one")
    assert make(text, tmp_path / "two", processes=2) == made
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
@pytest.mark.parametrize("units", [None, Phrases(("was good", "cup of tea"))], ids=["", "phrases"])
def test_formats_hold_the_same(text, tmp_path, static, units):
    recipe = PretrainingRecipe(
        max_length=24, static_masks=static, mask_unit="word" if units else "piece"
    )
    found = {}
    for format in module.FORMATS:
        make(text, tmp_path / format, recipe, find_units=units, format=format)
        found[format] = everything(tmp_path / format)
    assert found["arrow"] == found["tfrecord"]
    again = everything(tmp_path / "arrow", seed=1)
    assert again != found["arrow"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="reads with TensorFlow")
def test_tensorflow_reads_the_records(text, tmp_path):
    import tensorflow as tf

    recipe = PretrainingRecipe(max_length=24, static_masks=True, max_predictions_per_seq=5)
    make(text, tmp_path / "rows", recipe, format="tfrecord")
    paths = [str(path) for path in sorted((tmp_path / "rows").glob("*.tfrecord"))]
    rows = read_pretraining_data(tmp_path / "rows").rows
    features = {
        "input_ids": tf.io.FixedLenFeature([24], tf.int64),
        "input_mask": tf.io.FixedLenFeature([24], tf.int64),
        "segment_ids": tf.io.FixedLenFeature([24], tf.int64),
        "masked_lm_positions": tf.io.FixedLenFeature([5], tf.int64),
        "masked_lm_ids": tf.io.FixedLenFeature([5], tf.int64),
        "masked_lm_weights": tf.io.FixedLenFeature([5], tf.float32),
        "next_sentence_labels": tf.io.FixedLenFeature([1], tf.int64),
    }
    records = list(tf.data.TFRecordDataset(paths))
    assert len(records) == len(rows)
    for number, record in enumerate(records):
        found, row = tf.io.parse_single_example(record, features), rows[number]
        length, masks = len(row), len(row.mask_ids)
        assert found["input_ids"][:length].numpy().tolist() == row.token_ids.tolist()
        assert int(tf.reduce_sum(found["input_mask"])) == length
        assert int(tf.reduce_sum(found["segment_ids"])) == length - row.first_length
        assert found["masked_lm_ids"][:masks].numpy().tolist() == row.mask_ids.tolist()
        assert float(tf.reduce_sum(found["masked_lm_weights"])) == masks
        assert int(found["next_sentence_labels"][0]) == row.label


@pytest.mark.parametrize("format", module.FORMATS)
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_is_named(text, tmp_path, format, damage):
    folder = tmp_path / "rows"
    make(text, folder, format=format)
    path = min(folder.glob(f"*.{format}"))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-40]
    elif format == "arrow":
        data[-6:] = b"nothin"  # Arrow sums up nothing: what it sees is its own marks
    else:
        data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=path.name):
        everything(folder)


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="counts what /dev/fd lists")
@pytest.mark.parametrize("format", module.FORMATS)
def test_no_file_stays_open(text, tmp_path, format):
    made = make(text, tmp_path / "rows", format=format)
    assert made["files"] > 2
    list(read_pretraining_data(tmp_path / "rows"))  # a library may open something for good
    before = len(os.listdir("/dev/fd"))
    assert len(list(read_pretraining_data(tmp_path / "rows"))) > 0
    assert len(os.listdir("/dev/fd")) == before


def pairs_of_letters(text):
    return [(start, start + 2) for start in range(0, len(text) - 1, 2)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"recipe": PretrainingRecipe(max_length=32, mask_unit="word")},
            "holds rows with another recipe",
        ),
        ({"text": 1}, "holds rows with another text"),
        ({"format": "tfrecord"}, "holds rows with another format"),
        ({"find_units": Phrases(("cup of tea",))}, "holds rows with another units"),
        ({"find_units": pairs_of_letters}, "holds rows with another units"),
    ],
)
def test_rows_of_something_else_are_not_mixed_in(text, tmp_path, changes, message):
    words = dataclasses.replace(RECIPE, mask_unit="word")
    make(text, tmp_path / "rows", words, find_units=Phrases(("was good",)))
    # The same phrases, in another object, are the same.
    make(text, tmp_path / "rows", words, find_units=Phrases(("was good",)))
    given = {"text": text, "recipe": words, "find_units": Phrases(("was good",)), **changes}
    if given["text"] == 1:
        given["text"] = text[:1]
    with pytest.raises(ValueError, match=message):
        make(given.pop("text"), tmp_path / "rows", **given)


def test_text_that_was_edited_is_another_text(text, tmp_path):
    folder = tmp_path / "rows"
    made, names = make(text, folder), [path.name for path in text]
    moved = [path.rename(path.parent / "rows" / path.name) for path in text]
    assert make(moved, folder) == made
    moved[1].write_bytes(moved[1].read_bytes().replace(b"film", b"firm"))
    with pytest.raises(ValueError, match=rf"another text: \['{names[1]}', '\w+'\], not \['b"):
        make(moved, folder)


def test_folders_that_know_a_text_by_its_size_are_read_but_not_added_to(text, tmp_path):
    """As they were made before the content counted."""
    folder = tmp_path / "rows"
    make(text, folder)
    about = json.loads((folder / "recipe.json").read_text())
    about["text"] = [[path.name, path.stat().st_size] for path in text]
    (folder / "recipe.json").write_text(json.dumps(about))
    assert everything(folder)
    with pytest.raises(ValueError, match=r"another text: \['a\.txt', \d+\], not .*another folder"):
        make(text, folder)


def test_bad_input(text, tmp_path):
    with pytest.raises(ValueError, match='find_units needs a mask_unit of words, such as "word"'):
        make(text, tmp_path / "a", find_units=Phrases(("tea",)))
    with pytest.raises(ValueError, match="files must be a list of paths"):
        make(str(text[0]), tmp_path / "b")
    with pytest.raises(ValueError, match="The format must be one of arrow, tfrecord; got 'csv'"):
        make(text, tmp_path / "c", format="csv")
    with pytest.raises(FileNotFoundError):
        make([tmp_path / "none.txt"], tmp_path / "d")
    with pytest.raises(ValueError, match="dupe_factor must be at least 1; got 0"):
        PretrainingRecipe(dupe_factor=0)
    with pytest.raises(ValueError, match="The masking unit must be one of"):
        PretrainingRecipe(mask_unit="wrod")
    with pytest.raises(ValueError, match="pairs must be one of"):
        PretrainingRecipe(pairs="next")
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(ValueError, match=r"There is no document with a token in .*empty\.txt"):
        make([tmp_path / "empty.txt"], tmp_path / "e")
    with pytest.raises(FileNotFoundError, match=r"no recipe\.json"):
        read_pretraining_data(tmp_path)


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    """The command is killed at random moments; what it makes in the end is the same."""
    random = np.random.default_rng(6)
    text = tmp_path / "text.txt"
    lines = [" ".join(random.choice(SENTENCES, 60)) for _ in range(1500)]
    text.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    support.tiny_tokenizer().save_to_preset(tokenizer)

    def start(folder):
        command = [sys.executable, "-m", "keras_bert_zoo.cli", "pretrain-data", folder, text]
        command += ["--tokenizer", tokenizer, "--block-characters", "3000", "--processes", "1"]
        return subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait() == 0
    kills, folder = 0, tmp_path / "broken"
    while kills < 20:
        process, before = start(folder), len(list(folder.glob("*.arrow")))
        while process.poll() is None and len(list(folder.glob("*.arrow"))) == before:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        if process.wait() == 0:
            break
        kills += 1
        assert all(len(arrow_shards.read(path)) == 1 for path in folder.glob("*.arrow"))
    assert kills >= 15
    assert start(folder).wait() == 0
    assert content(tmp_path / "whole") == content(folder)
