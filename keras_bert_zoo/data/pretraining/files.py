"""Text files to files of pre-training rows, and back: `make_pretraining_data` and its reader."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import threading
from pathlib import Path

from tqdm import tqdm

from keras_bert_zoo.data.pretraining import arrow_shards, tfrecord_shards
from keras_bert_zoo.data.pretraining.batches import JoinedRows, PretrainingBatches
from keras_bert_zoo.data.pretraining.documents import blocks_of, read_documents
from keras_bert_zoo.data.pretraining.recipe import PretrainingRecipe, make_rows
from keras_bert_zoo.text import Tokenizer
from keras_bert_zoo.tokenizer_files import TOKENIZER_FILE

RECIPE_FILE = "recipe.json"
# How the names of files with rows begin, and how those end that are not whole yet.
_NAME, PART = "rows-", ".part"
# Modules of one shape: SUFFIX, write(path, rows, max_length, most_masks) and read(path).
FORMATS = {"arrow": arrow_shards, "tfrecord": tfrecord_shards}


def make_pretraining_data(
    files,
    folder,
    tokenizer,
    recipe=None,
    find_units=None,
    format="arrow",
    processes=None,
    progress=True,
):
    """Text files to files of rows for pre-training.

    The text is worked through in blocks, each of which becomes one file, written aside and renamed.
    Called again after a kill, only what is missing is made; the outcome is the same, for any number
    of processes, but of one call at a time. Memory holds a few blocks, whatever the size of the
    text.

    Args:
        files: list of str or Path. A paragraph or sentence a line, a blank line between documents;
            UTF-8, plain or packed (`.gz`, `.xz`). Known again by their names and their content.
        folder: str or Path. Made if it is not there; `read_pretraining_data` reads it.
        tokenizer: Tokenizer.
        recipe: PretrainingRecipe. Defaults to BERT's.
        find_units: callable or None. From a text to the spans of characters that are hidden
            together, rising; see `JiebaWords` and `Phrases`. With several processes it must be
            picklable. Only for a `mask_unit` of words.
        format: str. `"arrow"`, the faster one, or `"tfrecord"`, with the features of Google's code
            (with `static_masks` it is the file that other BERT trainers read).
        processes: int or None. None for one a core.
        progress: bool. Whether to show a bar.

    Returns:
        dict: `files`, `documents`, `rows` and `tokens`, int.

    Raises:
        ValueError: the folder holds rows of another recipe, text or tokenizer; the text has no
            document; units are found, but single pieces masked; a line is not UTF-8.
        FileNotFoundError: a file is not there.
    """
    recipe = PretrainingRecipe() if recipe is None else recipe
    recipe.check_units(find_units)
    recipe.masker(tokenizer)  # which raises where there is no mask token
    if isinstance(files, (str, os.PathLike)):
        raise ValueError(f"files must be a list of paths; got {files!r}.")
    files, folder = [Path(file) for file in files], Path(folder)
    about = _about(files, tokenizer, recipe, find_units, format)
    before = _begin(folder, about, tokenizer)
    if before is not None:
        return before
    work = functools.partial(
        _make_file,
        folder=folder,
        tokenizer=tokenizer.to_json(),
        recipe=recipe,
        find_units=find_units,
        format=format,
    )
    blocks = enumerate(blocks_of(read_documents(files), recipe.block_characters))
    made = {"files": 0, "documents": 0, "rows": 0, "tokens": 0}
    with tqdm(unit=" tokens", unit_scale=True, disable=not progress) as bar:
        for counts in _worked(work, blocks, os.cpu_count() if processes is None else processes):
            for name, count in counts.items():
                made[name] += count
            bar.update(counts["tokens"])
    if not made["rows"]:
        raise ValueError(f"There is no document with a token in {', '.join(map(str, files))}.")
    _write_json(folder / RECIPE_FILE, {**about, "made": made})
    return made


def read_pretraining_data(folder, batch_size=32, steps=None, shuffle=True, seed=0):
    """The batches of a folder that `make_pretraining_data` made.

    Args:
        folder: str or Path.
        batch_size, steps, shuffle, seed: as for `PretrainingBatches`.

    Returns:
        PretrainingBatches.

    Raises:
        FileNotFoundError: there are no rows.
        ValueError: they are not all made yet, or a file is damaged. (A damaged record of a
            TFRecord file is found when it is read.)
    """
    folder = Path(folder)
    if not (folder / RECIPE_FILE).is_file():
        raise FileNotFoundError(f"{folder} has no pre-training data: no {RECIPE_FILE}.")
    about = _read_about(folder)
    if about["made"] is None:
        raise ValueError(f"The data in {folder} is not finished; make it again, it will go on.")
    shards = FORMATS[about["format"]]
    paths = sorted(folder.glob(f"*{shards.SUFFIX}"))
    if len(paths) != about["made"]["files"]:
        raise ValueError(f"{folder} has {len(paths)} files of {about['made']['files']}.")
    tokenizer = Tokenizer.from_json((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    recipe = PretrainingRecipe(**about["recipe"])
    return PretrainingBatches(
        JoinedRows([part for path in paths for part in shards.read(path)]),
        recipe.masker(tokenizer),
        tokenizer.special_ids["pad"],
        recipe.max_length,
        batch_size,
        steps,
        shuffle,
        seed,
    )


# === What a folder is of ===


def _about(files, tokenizer, recipe, find_units, format):
    if format not in FORMATS:
        raise ValueError(f"The format must be one of {', '.join(FORMATS)}; got {format!r}.")
    return {
        "recipe": dataclasses.asdict(recipe),
        "format": format,
        "text": [[file.name, _sum_of(file)] for file in files],
        "tokenizer": hashlib.sha256(tokenizer.to_json().encode()).hexdigest(),
        "units": _name_of(find_units),
        "made": None,
    }


def _sum_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name_of(find_units):
    """What tells one way of finding units from another, in this process and the next."""
    if find_units is None:
        return None
    kind = find_units if hasattr(find_units, "__qualname__") else type(find_units)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if dataclasses.is_dataclass(find_units):
        name += f" {hashlib.sha256(repr(find_units).encode()).hexdigest()[:16]}"
    return name


def _begin(folder, about, tokenizer):
    """Prepares the folder. Returns what was made where all is made already, else None."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / RECIPE_FILE).is_file():
        before = _read_about(folder)
        for name, value in about.items():
            if name != "made" and before.get(name) != value:
                found, wanted = _first_difference(before.get(name), value)
                raise ValueError(
                    f"{folder} holds rows with another {name}: {found}, not {wanted}. "
                    "Choose another folder, or delete this one."
                )
        if before["made"] is None:
            for left in folder.glob(f"{_NAME}*{PART}"):  # by a kill
                left.unlink()
        return before["made"]
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_json(), encoding="utf-8")
    _write_json(folder / RECIPE_FILE, about)
    return None


def _first_difference(before, now):
    """The first items in which two lists differ, and other values as they are."""
    if isinstance(before, list) and isinstance(now, list):
        pairs = itertools.zip_longest(before, now)
        return next(pair for pair in pairs if pair[0] != pair[1])
    return before, now


def _read_about(folder):
    return json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8"))


def _write_json(path, content):
    aside = path.with_suffix(PART)
    aside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _move(aside, path)


def _move(aside, path):
    """Renames a file that is written, once it is on the disk: a name stands for all of a file."""
    with open(aside, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(aside, path)


# === Blocks ===


def _path(folder, block, shards):
    return folder / f"{_NAME}{block:05d}{shards.SUFFIX}"


def _make_file(block, documents, folder, tokenizer, recipe, find_units, format):
    """Makes the file of a block where it is not there yet, and counts what it holds."""
    shards = FORMATS[format]
    path = _path(folder, block, shards)
    if not path.is_file():
        tokenizer = Tokenizer.from_json(tokenizer)
        rows = make_rows(documents, tokenizer, recipe, block, find_units)
        if rows:
            most_masks = recipe.max_predictions_per_seq
            if most_masks is None:
                most_masks = recipe.masker(tokenizer).most(recipe.max_length)
            aside = path.with_suffix(f".{os.getpid()}{PART}")
            shards.write(aside, rows, recipe.max_length, most_masks)
            _move(aside, path)
    parts = shards.read(path) if path.is_file() else []
    return {
        "files": len(parts) and 1,
        "documents": len(documents),
        "rows": sum(map(len, parts)),
        "tokens": sum(int(part.lengths.sum()) for part in parts),
    }


def _worked(work, blocks, processes):
    """The outcomes of `work(block, documents)`, with few blocks waiting at any time."""
    if processes == 1:
        yield from (work(*block) for block in blocks)
        return
    with concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _end_with_parent
    ) as pool:
        waiting = set()
        for block in blocks:
            waiting.add(pool.submit(work, *block))
            if len(waiting) > processes:
                done, waiting = concurrent.futures.wait(
                    waiting, return_when=concurrent.futures.FIRST_COMPLETED
                )
                yield from (future.result() for future in done)
        yield from (future.result() for future in concurrent.futures.as_completed(waiting))


def _end_with_parent():
    """Sets up a worker: one thread, and an end when its parent is killed."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
