"""Pictures of a pre-training: its curves, and where the model looks in a sentence of yours.

python examples/pretrain/draw.py runs/en --sentence "The river froze before the bridge did."
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

import keras_bert_zoo as kbz

# The first that is installed; the others have no Chinese.
plt.rcParams["font.sans-serif"] = ["Noto Sans CJK SC", "Source Han Sans SC", "DejaVu Sans"]

CURVES = (("masked_lm", "masked tokens"), ("next_sentence", "next sentence"))


def draw_curves(history, path):
    """Loss and accuracy of each objective, on the text that is learned and on held-out text.

    Args:
        history: list of dict. What was logged, an epoch each.
        path: Path. The picture.
    """
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    for column, (name, title) in zip(axes.T, CURVES, strict=True):
        for axis, what in zip(column, ("loss", "accuracy"), strict=True):
            for prefix, label in (("", "training"), ("val_", "held out")):
                values = [logs[f"{prefix}{name}_{what}"] for logs in history]
                axis.plot(epochs, values, label=label)
            lengths = [logs.get("max_length") for logs in history]
            for change in np.flatnonzero(np.array(lengths[1:]) != np.array(lengths[:-1])):
                axis.axvline(change + 1.5, color="grey", linestyle=":")
            axis.set_ylabel(what)
        column[0].set_title(title)
        column[1].set_xlabel("epoch (dotted: longer rows from here)")
    axes[0, 0].legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_attention(backbone, preprocessor, sentence, path):
    """How much each token (row) looks at each other one (column), for every block and head.

    Args:
        backbone: Backbone.
        preprocessor: Preprocessor.
        sentence: str.
        path: Path. The picture.
    """
    x = preprocessor([sentence])
    maps = [
        np.asarray(each)[0]
        for each in backbone.with_outputs(attentions=True).predict(x, verbose=0)["attentions"]
    ]  # a block: (heads, L, L)
    tokens = [preprocessor.tokenizer.id_to_token(number) for number in x["token_ids"][0]]
    heads = maps[0].shape[0]
    side = 1.2 + 0.25 * len(tokens)
    figure, axes = plt.subplots(
        len(maps),
        heads,
        figsize=(side * heads, side * len(maps)),
        squeeze=False,
        layout="constrained",
    )
    for block, row in enumerate(axes):
        for head, axis in enumerate(row):
            axis.imshow(maps[block][head], cmap="Blues", vmin=0, vmax=1)
            axis.set_title(f"block {block}, head {head}", fontsize=9)
            axis.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
            axis.set_yticks(range(len(tokens)), tokens, fontsize=7)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments):
    run = arguments.run
    written = []
    if (run / "history.json").is_file():
        written.append(run / "curves.png")
        draw_curves(json.loads((run / "history.json").read_text()), written[-1])
    folder = run / "preset" if (run / "preset").is_dir() else run
    preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_preset(folder), max_length=64)
    written.append(run / "attention.png")
    draw_attention(kbz.Backbone.from_preset(folder), preprocessor, arguments.sentence, written[-1])
    print(*written, sep="\n")
    return written


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of pretrain.py, or of a model")
    parser.add_argument("--sentence", default="The river froze before the bridge did.")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
