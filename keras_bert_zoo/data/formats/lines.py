"""Text files, plain or compressed, line by line."""

import codecs
import gzip
import io
import json
import lzma
import zlib
from pathlib import Path

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)


def read_lines(path):
    """The lines of a UTF-8 file, without their ends.

    Args:
        path: str or path. A name that ends in `.gz` or `.xz` is unpacked on the way.

    Yields:
        `(number, line)`: int from 1, and str.

    Raises:
        ValueError: a line is not UTF-8, or the compressed file is damaged.
    """
    number = 0
    with _open_bytes(path) as file:
        try:
            # Bytes end a line at b"\n" alone; str would also end one at "\x85" or "\u2028".
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                yield number, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: byte {error.start} is {error.object[error.start]:#04x}, "
                "which is not UTF-8; convert the file, for example with `iconv -t utf-8`."
            ) from error
        except DAMAGE as error:
            raise ValueError(
                f"{path}, line {number + 1}: the compressed file is damaged or cut short "
                f"({error}); fetch it again."
            ) from error


def _open_bytes(path):
    opener = OPENERS.get(Path(path).suffix.lower())
    # gzip and lzma files read lines slowly by themselves.
    return open(path, "rb") if opener is None else io.BufferedReader(opener(path, "rb"))


def parse_json(text, path, line=1):
    """The value of a JSON text.

    Args:
        text: str.
        path: str or path. The file it is from.
        line: int. The number of the text's first line in the file.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {line + error.lineno - 1}, column {error.colno}: not JSON "
            f"({error.msg}); is the file whole?"
        ) from error


def read_json(path):
    """The value in a JSON file, which is read as a whole.

    Args:
        path: str or path.

    Raises:
        ValueError: the file is not UTF-8, not JSON, or damaged.
    """
    return parse_json("\n".join(line for _, line in read_lines(path)), path)
