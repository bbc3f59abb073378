"""Counts where our token ids, offsets and rows differ from transformers' `BertTokenizerFast`.

Run as `python benchmarks/tokenizer_parity.py --data DIR`. DIR holds
`tokenizer/<name>/vocab.txt.gz` and text files (`.txt`, `.tsv` or `.jsonl`, packed with gzip or xz)
in the folders of `FOLDERS`. Prints one markdown row a vocabulary and setting; each mismatch goes to
stderr, and the exit status is 1 where there was one.
"""

import argparse
import gzip
import json
import lzma
import random
import sys
import tempfile
import time
from pathlib import Path

from transformers import BertTokenizerFast

import keras_bert_zoo as kbz

FOLDERS = (
    "pretrain/enwiki_2014",
    "pretrain/zhwiki_2024",
    "classify/ewt_genre",
    "classify/sst2",
    "classify/chnsenticorp",
    "pairs/pubmedqa",
    "pairs/afqmc",
    "longdoc/imdb",
    "multilabel/goemotions",
    "token/btc",
)
# Vocabulary, then what a tokenizer_config.json says.
SETTINGS = (
    ("bert-base-uncased", {"do_lower_case": True}),
    ("bert-base-cased", {"do_lower_case": False}),
    ("bert-base-chinese", {"do_lower_case": True}),
)
# Settings that no released model has; on the generated and the hard strings alone.
ODD_SETTINGS = (
    ("bert-base-uncased", {"do_lower_case": True, "strip_accents": False}),
    ("bert-base-cased", {"do_lower_case": False, "strip_accents": True}),
    ("bert-base-chinese", {"do_lower_case": True, "tokenize_chinese_chars": False}),
)
TRUNCATIONS = ("longest_first", "only_first", "only_second")
LENGTHS = (3, 4, 5, 8, 13, 24, 64, 128, 384, 512)
NAMES = {
    "input_ids": "token_ids",
    "token_type_ids": "segment_ids",
    "attention_mask": "padding_mask",
}
BATCH = 64
HARD_STRINGS = Path(__file__).resolve().parent.parent / "tests" / "data" / "hard_strings.json"


def read_lines(path):
    """The non-empty lines of a packed text file."""
    opener = gzip.open if path.suffix == ".gz" else lzma.open
    with opener(path, "rt", encoding="utf-8") as file:
        return [line for line in file.read().split("\n") if line.strip()]


def draw_lines(data, count, rng):
    """Lines from every folder, the same number of each as far as it has them."""
    pools = []
    for folder in FOLDERS:
        files = sorted(p for p in (data / folder).iterdir() if p.suffix in (".gz", ".xz"))
        lines = [line for path in files for line in read_lines(path)]
        rng.shuffle(lines)
        pools.append(lines)
    pools.sort(key=len)
    drawn = []
    for i, pool in enumerate(pools):
        drawn += pool[: (count - len(drawn)) // (len(pools) - i)]
    rng.shuffle(drawn)
    return drawn


def generate(count, vocabulary, rng):
    """Strings of word pieces, characters of every plane, controls, spaces and special tokens."""
    blocks = (
        (0x20, 0x7F), (0x00, 0x20), (0x7F, 0xA1), (0xA1, 0x250), (0x2B0, 0x370), (0x370, 0x530),
        (0x590, 0x700), (0x900, 0xE80), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x2E80, 0x3100),
        (0x3100, 0x3400), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xE000, 0xE100), (0xF900, 0xFB00),
        (0xFB00, 0x10000), (0x10000, 0x11000), (0x1D400, 0x1D800), (0x1F300, 0x1FB00),
        (0x20000, 0x2FA20), (0xE0000, 0xE01F0), (0x10FF00, 0x110000),
    )  # fmt: skip
    specials = "[MASK] [SEP] [CLS] [PAD] [UNK] [mask] [MASK [[MASK]] [ MASK ] [unused1]".split()
    spaces = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2009", "\u2028", "\u3000", "\u200b", ""]

    def part():
        kind = rng.random()
        if kind < 0.45:
            word = rng.choice(vocabulary).removeprefix("##")
            return rng.choice((word, word.upper(), word.capitalize(), word + "##"))
        if kind < 0.8:
            low, high = rng.choice(blocks)
            return "".join(chr(rng.randrange(low, high)) for _ in range(rng.randint(1, 6)))
        if kind < 0.88:
            return rng.choice(specials)
        if kind < 0.96:
            letter = rng.choice("aeiouAEIOUnNkK가ぱ漢")
            return letter + "".join(chr(rng.randrange(0x300, 0x370)) for _ in range(3))
        length = rng.choice((99, 100, 101, 199, 200, 201))
        return "".join(rng.choice(("a", "b", "é", "ß", "\u0301")) for _ in range(length))

    return [
        "".join(part() + rng.choice(spaces) for _ in range(rng.randint(0, 8))) for _ in range(count)
    ]


def report(kind, text, wanted, got):
    print(f"{kind}: {ascii(text)[:300]}\n  wanted {wanted}\n  got    {got}", file=sys.stderr)


def compare_texts(theirs, ours, texts):
    """How many texts have other ids or other offsets."""
    wrong_ids = wrong_offsets = 0
    for start in range(0, len(texts), 1000):
        batch = texts[start : start + 1000]
        wanted = theirs(batch, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = ours.tokenize_with_offsets(batch)
        quick = ours.tokenize(batch)
        for i, text in enumerate(batch):
            if not wanted["input_ids"][i] == ids[i] == quick[i]:
                wrong_ids += 1
                report("ids", text, wanted["input_ids"][i], ids[i])
            if wanted["offset_mapping"][i] != offsets[i]:
                wrong_offsets += 1
                report("offsets", text, wanted["offset_mapping"][i], offsets[i])
    return wrong_ids, wrong_offsets


def compare_rows(theirs, ours, firsts, seconds, rng):
    """How many rows differ or are refused by one side alone, and how many both refuse."""
    wrong = refused = 0
    for start in range(0, len(firsts), BATCH):
        texts = [firsts[start : start + BATCH]]
        if seconds is not None:
            texts.append(seconds[start : start + BATCH])
        length, strategy = rng.choice(LENGTHS), rng.choice(TRUNCATIONS)
        wanted, got = rows_of(theirs, ours, texts, length, strategy)
        if wanted is not None and wanted == got:
            continue
        for example in zip(*texts, strict=True):
            one = [[text] for text in example]
            wanted, got = rows_of(theirs, ours, one, length, strategy)
            wrong += wanted != got
            refused += wanted is None and got is None
            if wanted != got:
                report(f"rows ({strategy}, {length})", example, wanted, got)
    return wrong, refused


def rows_of(theirs, ours, texts, length, strategy):
    """The rows by transformers and by us, in our names; None where the texts cannot be cut."""
    try:
        rows = theirs(*texts, truncation=strategy, max_length=length, padding="longest")
        wanted = {ours_name: rows[name] for name, ours_name in NAMES.items()}
    except Exception as error:  # the Rust library raises bare Exception
        if "Truncation error" not in str(error):
            raise
        wanted = None
    try:
        preprocess = kbz.Preprocessor(ours, length, strategy)
        rows = preprocess(texts[0] if len(texts) == 1 else tuple(texts))
        got = {name: array.tolist() for name, array in rows.items()}
    except ValueError:
        got = None
    return wanted, got


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--generated", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    rng = random.Random(options.seed)
    lines = draw_lines(options.data, options.lines, rng)
    hard = [entry["text"] for entry in json.loads(HARD_STRINGS.read_text(encoding="utf-8"))]
    print(f"{len(lines)} lines, {sum(map(len, lines))} characters; {len(hard)} hard strings")
    print("| vocabulary | settings | texts | ids | offsets | rows | row mismatches | refused | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    failures = 0
    for name, settings in (*SETTINGS, *ODD_SETTINGS):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            path = options.data / "tokenizer" / name / "vocab.txt.gz"
            (Path(folder) / "vocab.txt").write_bytes(gzip.decompress(path.read_bytes()))
            config = {"tokenizer_class": "BertTokenizer", **settings}
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
            theirs = BertTokenizerFast.from_pretrained(folder)
            ours = kbz.Tokenizer.from_preset(folder)
        if len(theirs) != ours.vocabulary_size:
            raise SystemExit(f"{name}: transformers read {len(theirs)} tokens of the vocabulary.")
        vocabulary = [ours.id_to_token(i) for i in range(ours.vocabulary_size)]
        texts = hard + generate(options.generated, vocabulary, rng)
        if (name, settings) in SETTINGS:
            texts += lines
        wrong_ids, wrong_offsets = compare_texts(theirs, ours, texts)
        rng.shuffle(texts)
        half = len(texts) // 2
        # Singles, then pairs; the longest lines cut to 2,000 characters, far beyond any row.
        texts = [text[:2000] for text in texts]
        wrong_single, refused_single = compare_rows(theirs, ours, texts, None, rng)
        wrong_pair, refused_pair = compare_rows(
            theirs, ours, texts[:half], texts[half : 2 * half], rng
        )
        wrong, refused = wrong_single + wrong_pair, refused_single + refused_pair
        said = ", ".join(f"{key}={value}" for key, value in settings.items())
        print(
            f"| {name} | {said} | {len(texts)} | {wrong_ids} | {wrong_offsets} | "
            f"{len(texts) + half} | {wrong} | {refused} | {time.perf_counter() - began:.0f} |",
            flush=True,
        )
        failures += wrong_ids + wrong_offsets + wrong
    print(f"{failures} mismatches")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
