"""A small training that can be killed: `python resumable.py FOLDER EPOCHS WEIGHTS [DROPOUT]`.

Its epochs are of five steps. It goes on from what FOLDER holds, and writes its weights and the
losses of its epochs to WEIGHTS when EPOCHS are done.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import support

import keras_bert_zoo as kbz
from keras_bert_zoo.data.pretraining import PretrainingBatches, PretrainingRecipe

STEPS = 5
SENTENCES = (
    "The film was good. It was very warm! We saw it again, not bad. A cup of tea? "
    "The warmest film of it. A slow cup, again and again. Not good, not warm, not tea."
).split(" ")


def batches():
    """The batches of a few made-up documents."""
    random = np.random.default_rng(8)
    documents = [" ".join(random.choice(SENTENCES, 90)) for _ in range(12)]
    recipe = PretrainingRecipe(max_length=24)
    return PretrainingBatches.from_documents(
        documents, support.tiny_tokenizer(), recipe, batch_size=8, steps=STEPS, seed=2
    )


def pretrainer(dropout=0.0, epochs=90):
    """The model before its first step: the same on every backend, but for dropout."""
    keras.utils.set_random_seed(3)
    backbone = support.tiny_backbone(dropout=dropout, attention_dropout=dropout)
    task = kbz.Pretrainer(backbone, kbz.Preprocessor(support.tiny_tokenizer(), 24))
    support.scramble(task, scale=0.3)
    task.compile(kbz.create_optimizer(1e-3, STEPS * epochs))
    return task


def main(folder, epochs, weights, dropout="0"):
    """Trains, and writes what came of it."""
    task = pretrainer(float(dropout))
    history = task.fit(batches(), epochs=int(epochs), checkpoints=folder, verbose=0)
    np.savez(weights, *task.get_weights())
    Path(weights).with_suffix(".json").write_text(json.dumps(history.history["loss"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
