"""Teaches a reader on questions that plain text asks about itself, and then on real ones.

    python examples/pretrain/reader.py zh --text train.txt --output runs/reader
    python examples/pretrain/reader.py zh --text train.txt --output runs/reader \\
        --questions cmrc2018_train.json cmrc2018_dev.json

The bundled `bert_l4_h128_zh_reader` is what the first command makes. A small model does not find
out from real questions that it must look for their words in the text: there are too few. Here its
embeddings are those of a trained model, its blocks begin by looking for equal tokens
(`match_tokens`), and clozes ask it first about two or three sentences, then about whole paragraphs.
Run the same command again after an interruption, and it goes on after the last stage that was
finished.
"""

import argparse
import dataclasses
import itertools
from pathlib import Path

import keras
from pretrain import LANGUAGES, in_scripts

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats
from keras_bert_zoo.data.cloze import ClozeRecipe, cloze_questions
from keras_bert_zoo.data.pretraining.documents import read_documents
from keras_bert_zoo.metrics.cmrc import cmrc_scores
from keras_bert_zoo.metrics.squad import squad_scores

SCORES = {"en": squad_scores, "zh": cmrc_scores}
BATCH_SIZE = 32
ROUND = 500  # steps between two lines of the log


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the training on clozes.

    Args:
        steps: int. Batches.
        words: int. About the longest context, in words; a Chinese character is one.
        forget: float. See `ClozeRecipe`.
        max_length: int. Longest row in tokens.
        learning_rate: float. Its peak.
    """

    steps: int
    words: int
    forget: float
    max_length: int
    learning_rate: float


STAGES = (
    Stage(2000, 55, 0.0, 96, 1e-3),
    Stage(1000, 120, 0.25, 160, 1e-3),
    Stage(4000, 300, 0.25, 352, 7e-4),
)
MAX_LENGTH, STRIDE = 384, 128  # of what it reads afterwards
CHARACTERS = {"en": 6, "zh": 1}  # of a word and the space after it


def main(arguments):
    folder, language = arguments.output, arguments.language
    folder.mkdir(parents=True, exist_ok=True)
    text = in_scripts(arguments.text, LANGUAGES[language].scripts, folder / "text")
    keras.utils.set_random_seed(arguments.seed)
    model = folder / "new"
    if not model.is_dir():
        known = arguments.model or f"bert_tiny_{language}_wiki"
        new_reader(known, arguments.blocks).save_to_preset(model)
    for number, stage in enumerate(STAGES, start=1):
        stage = dataclasses.replace(stage, steps=max(1, round(stage.steps * arguments.share)))
        target = folder / f"stage_{number}"
        if not target.is_dir():
            reader = kbz.QuestionAnswerer.from_preset(model, max_length=stage.max_length)
            learn_clozes(reader, clozes(text, stage, language, number), stage)
            reader.save_to_preset(target)
        model = target
    reader = kbz.QuestionAnswerer.from_preset(
        model, max_length=MAX_LENGTH, stride=STRIDE, dropout=0.1, attention_dropout=0.1
    )
    reader.save_to_preset(folder / "preset", weights_dtype="float16")
    if not arguments.questions:
        return {}
    train, test = (
        [one for one in formats.read_cmrc(path) if one["answers"]] for path in arguments.questions
    )
    print("before real questions:", measure(reader, test, language), flush=True)
    learn_questions(reader, train, arguments)
    figures = measure(reader, test, language)
    print("after them:", figures, flush=True)
    reader.save_to_preset(folder / "tuned")
    return figures


def new_reader(model, blocks):
    """A reader of so many new blocks over a model's embeddings; its own blocks are left behind.

    It sees no cloze twice: no dropout.
    """
    known = kbz.Backbone.from_preset(model)
    settings = known.config.to_dict()
    settings |= {"num_layers": blocks, "pooler": False, "dropout": 0.0, "attention_dropout": 0.0}
    backbone = kbz.BertBackbone(**settings)
    backbone.embeddings.set_weights(known.embeddings.get_weights())
    kbz.match_tokens(backbone)
    return kbz.QuestionAnswerer(
        backbone, preprocessor=kbz.Preprocessor(kbz.Tokenizer.from_preset(model))
    )


def clozes(files, stage, language, seed):
    """Questions without end: those of all documents, then others of the same."""
    recipe = ClozeRecipe(
        language, stage.words * CHARACTERS[language], max_answer_words=8, forget=stage.forget
    )
    for turn in itertools.count():
        # A document in each script, one after the other.
        together = zip(*(read_documents([file]) for file in files), strict=False)
        documents = itertools.chain.from_iterable(together)
        asked = False
        for question in cloze_questions(documents, recipe, seed=1000 * seed + turn):
            asked = True
            yield question
        if not asked:
            raise ValueError(f"No paragraph of {', '.join(map(str, files))} has a question to ask.")


def learn_clozes(reader, questions, stage):
    reader.compile(kbz.create_optimizer(stage.learning_rate, stage.steps))
    for done in range(0, stage.steps, ROUND):
        steps = min(ROUND, stage.steps - done)
        found = list(itertools.islice(questions, BATCH_SIZE * steps))
        pairs, answers = formats.columns(found, ("question", "context"), "answers")
        logs = reader.fit(pairs, answers, batch_size=BATCH_SIZE, verbose=0).history
        print(f"{stage.words} words, step {done + steps}: loss {logs['loss'][-1]:.3f}", flush=True)


def learn_questions(reader, train, arguments):
    pairs, answers = formats.columns(train, ("question", "context"), "answers")
    steps = arguments.epochs * -(-len(train) // BATCH_SIZE)
    reader.compile(kbz.create_optimizer(arguments.learning_rate, steps))
    reader.fit(pairs, answers, batch_size=BATCH_SIZE, epochs=arguments.epochs, verbose=2)


def measure(reader, test, language):
    answers = reader.answer(*formats.columns(test, "question", "context"))
    true = [[text for text, _ in one["answers"]] for one in test]
    scores = SCORES[language]([one["answer"] for one in answers], true)
    return {name: round(value, 1) for name, value in scores.items()}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language", choices=SCORES)
    parser.add_argument(
        "--model", help="any source of from_preset, for its embeddings; by default the bundled one"
    )
    parser.add_argument("--blocks", type=int, default=4, help="new ones over them")
    text = "files: a paragraph a line, a blank line between documents; .gz and .xz too"
    parser.add_argument("--text", type=Path, nargs="+", required=True, help=text)
    parser.add_argument(
        "--questions", nargs=2, metavar=("TRAIN", "TEST"), help="files of SQuAD 1.1 or CMRC 2018"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1.0, help="of the steps on clozes")
    parser.add_argument("--learning-rate", type=float, default=3e-4, help="on real questions")
    parser.add_argument("--epochs", type=int, default=3, help="over the real questions")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
