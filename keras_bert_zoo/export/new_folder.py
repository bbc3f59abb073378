"""Writes a folder aside, and puts it in place once it is whole."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def new_folder(directory, marker):
    """A folder beside the one that is wanted, which takes its place at once when all is well.

    Args:
        directory: str or Path. An earlier folder with the marker is replaced.
        marker: str. Name of the file that tells what the folder is.

    Yields:
        Path. An empty folder to write to.

    Raises:
        FileExistsError: something else is there.
    """
    directory = Path(directory)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
    if directory.exists() and not (directory / marker).is_file():
        raise FileExistsError(
            f"{directory} is there and holds no {marker} to be replaced; name another folder."
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield aside
        aside.chmod(0o755)  # a server may run as another user
        if directory.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
            os.replace(directory, old / "old")
            os.replace(aside, directory)
            shutil.rmtree(old)
        else:
            os.replace(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
