"""Where the examples are, and what several tests of them need."""

import gzip
import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = EXAMPLES / "data"


def in_percent(value):
    return 0 <= value <= 100


def printed(pattern, text):
    """The one number in percent that stands after a pattern in what was printed, from 0 to 1."""
    (figure,) = re.findall(pattern + r" +([\d.]+)%", text)
    return float(figure) / 100


def write_splits(folder, header, rows):
    """The same rows as the train and the dev part of a GLUE task."""
    text = "\n".join("\t".join(map(str, row)) for row in [header, *rows]) + "\n"
    (folder / "train.tsv").write_text(text, encoding="utf-8")
    with gzip.open(folder / "dev.tsv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
