"""How fast pre-training data are made, and in how much memory.

Run as `python benchmarks/pretraining_speed.py --data DIR` for tokens a second and peak memory. A
corpus is cut off, or repeated, at each size, and each run is a process of its own, whose memory and
whose children's is read from `/proc` (Linux). The start of the workers counts in the time. Up to
3 GB are written to the folder for temporary files.
"""

import argparse
import contextlib
import itertools
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

from pretraining_parity import print_row, write_documents, write_vocabulary

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import make_pretraining_data
from keras_bert_zoo.data.pretraining.documents import read_documents

# Name, corpus and vocabulary.
CORPORA = {
    "English": ("enwiki_2014", "bert-base-uncased"),
    "Chinese": ("zhwiki_2024", "bert-base-chinese"),
}
COLUMNS = (
    "text",
    "MB",
    "processes",
    "documents",
    "rows",
    "tokens",
    "s",
    "tokens a second",
    "MB a second",
    "rows on disk, MB",
    "peak memory, MB",
    "of it no file, MB",
)


def make(text, vocabulary, folder, processes, answer):
    """Makes the rows of a text with BERT's recipe, and answers with the counts and the time."""
    tokenizer = kbz.Tokenizer.from_vocabulary(vocabulary)
    began = time.perf_counter()
    counts = make_pretraining_data([text], folder, tokenizer, processes=processes, progress=False)
    answer.send((counts, time.perf_counter() - began))


def processes_below(process):
    """The ids of a process and of all that come from it."""
    yield process
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            for child in path.read_text().split():
                yield from processes_below(child)


def memory(process):
    """Megabytes that a process and its children hold: all, and what is not pages of files."""
    held, of_files = 0, 0
    for one in processes_below(process):
        with contextlib.suppress(OSError):
            _, resident, shared, *_ = map(int, Path(f"/proc/{one}/statm").read_text().split())
            held, of_files = held + resident, of_files + shared
    page = os.sysconf("SC_PAGE_SIZE") / 1e6
    return held * page, (held - of_files) * page


def watched(*arguments):
    """Runs `make` in a process, and adds the most memory that was seen: all, and not of files."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=make, args=(*arguments, sender))
    process.start()
    sender.close()
    peaks = (0, 0)
    while not receiver.poll(0.2):
        peaks = tuple(map(max, peaks, memory(process.pid)))
    counts, seconds = receiver.recv()  # EOFError where the process failed
    process.join()
    return counts, seconds, *peaks


def measure_speed(data, corpora, sizes, numbers):
    """Prints one markdown row a corpus, size and number of processes."""
    print_row(*COLUMNS)
    print("|---" * len(COLUMNS) + "|")
    for name, wanted in itertools.product(corpora, sizes):
        corpus, vocabulary_name = CORPORA[name]
        for processes in numbers:
            with tempfile.TemporaryDirectory() as folder:
                text, vocabulary = Path(folder) / "text.txt", Path(folder) / "vocab.txt"
                rows = Path(folder) / "rows"
                write_vocabulary(data, vocabulary_name, vocabulary)
                path = data / "pretrain" / corpus / "train.txt.xz"
                again = read_documents(itertools.repeat(path))
                size = write_documents(text, again, wanted * 1e6) / 1e6
                counts, seconds, peak, own = watched(text, vocabulary, rows, processes)
                disk = sum(file.stat().st_size for file in rows.iterdir()) / 1e6
            print_row(
                name,
                f"{size:,.0f}",
                processes,
                *(f"{counts[count]:,}" for count in ("documents", "rows", "tokens")),
                f"{seconds:.1f}",
                f"{counts['tokens'] / seconds:,.0f}",
                f"{size / seconds:.2f}",
                f"{disk:,.0f}",
                f"{peak:,.0f}",
                f"{own:,.0f}",
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--megabytes", nargs="+", type=float, default=[1, 100, 300, 1000])
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    measure_speed(options.data, options.corpora, options.megabytes, options.processes)


if __name__ == "__main__":
    main()
