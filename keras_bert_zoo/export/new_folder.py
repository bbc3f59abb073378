"""Writes a folder aside, and puts it in place once it is whole."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def new_folder(directory, files):
    """A folder beside the one that is wanted, which takes its place at once when all is well.

    Args:
        directory: str or Path; `~` is the home folder. An earlier export there is replaced.
        files: tuple of str. Names of the files and folders that an export consists of; the first
            of them tells that there is one.

    Yields:
        Path. An empty folder to write to.

    Raises:
        FileExistsError: something else is there.
    """
    directory = Path(directory).expanduser().resolve()
    _check(directory, files)
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield aside
        aside.chmod(0o755)  # a server may run as another user
        _check(directory, files)
        if directory.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
            os.replace(directory, old / "old")
            os.replace(aside, directory)
            shutil.rmtree(old)
        else:
            os.replace(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check(directory, files):
    """Raises where anything but an earlier export, or an empty folder, would be lost."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise FileExistsError(f"{directory} is a file; name a folder.")
    there = {path.name for path in directory.iterdir()}
    strange = sorted(there - set(files))
    if strange or (there and files[0] not in there):
        raise FileExistsError(
            f"{directory} is there and is no earlier export of this format: it holds "
            f"{', '.join(strange or sorted(there))}. Name another folder."
        )
