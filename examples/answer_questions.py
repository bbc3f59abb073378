"""Fine-tunes a reader that finds answers in a text, and measures it on texts it never saw.

    python examples/answer_questions.py [--no-answer] [--small]
    python examples/answer_questions.py --data train-v2.0.json dev-v2.0.json --no-answer

`examples/data/handbook_en.jsonl` holds 205 passages about a town that does not exist, with three
questions each, written for this project; 61 passages are held back. Exact match and F1 are those
of SQuAD, or with `--cmrc` those of CMRC 2018.

With `--no-answer` the reader may say that a text holds no answer. For that every third question of
the handbook is put to a passage that cannot answer it, and the threshold is tuned on a part of the
training questions that is set aside.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
from checkpoint import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats
from keras_bert_zoo.metrics.cmrc import cmrc_scores
from keras_bert_zoo.metrics.squad import squad_scores

HANDBOOK = Path(__file__).parent / "data" / "handbook_en.jsonl"
NEW_TEXT = (
    "The repair café meets in the old fire station on the first Saturday of the month. Bring a "
    "toaster, a torn coat or a silent radio, and somebody will mend it with you. Tools are free; a "
    "jar at the door takes coins for coffee. Wojtek, who looks after the sewing machines, learned "
    "the trade from his grandmother."
)
NEW_QUESTIONS = [
    "Where does the repair café take place?",
    "Who takes care of the sewing machines?",
    "What does it cost to use the tools?",
    "How many bicycles were sold last year?",
]


def read_handbook(path, split):
    """The questions of one split, in the form of `formats.read_squad`."""
    return [
        {
            "question": one["question"],
            "context": passage["text"],
            "answers": [(one["answer"], passage["text"].find(one["answer"]))],
        }
        for passage in formats.read_jsonl(path)
        if passage["split"] == split
        for one in passage["questions"]
    ]


def with_unanswerable(examples):
    """Every third question moves to a context some passages away, and has no answer there."""
    return [
        {**one, "context": examples[(i + 21) % len(examples)]["context"], "answers": []}
        if i % 3 == 2
        else one
        for i, one in enumerate(examples)
    ]


def fine_tune(model, train, epochs, rate=2e-4, no_answer=False):
    """A reader after fine-tuning on examples."""
    reader = kbz.QuestionAnswerer.from_preset(model, no_answer=no_answer, max_length=256, stride=64)
    pairs, answers = formats.columns(train, ("question", "context"), "answers")
    steps = epochs * -(-len(train) // 16)
    reader.compile(optimizer=kbz.create_optimizer(rate, steps))
    reader.fit(pairs, answers, batch_size=16, epochs=epochs, verbose=2)
    print(reader.alignment_report)
    return reader


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    if arguments.data:
        # read_cmrc reads SQuAD's layout, too, and looks for answers that are not where it says.
        train, test = (list(formats.read_cmrc(path)) for path in arguments.data)
    else:
        train, test = (read_handbook(HANDBOOK, split) for split in ("train", "held_back"))
        if arguments.no_answer:
            train, test = with_unanswerable(train), with_unanswerable(test)
    if not arguments.no_answer:  # a file of SQuAD 2.0 holds such questions
        train, test = ([one for one in part if one["answers"]] for part in (train, test))
    if arguments.small:
        train, test = train[:24], test[:24]
    # For the threshold alone.
    development = train[-(len(train) // 8) :] if arguments.no_answer else []
    train = train[: len(train) - len(development)]
    print(f"backend {keras.backend.backend()}: {len(train)} to train on, {len(test)} to test")

    model = arguments.model or minilm_folder()
    reader = fine_tune(model, train, arguments.epochs, no_answer=arguments.no_answer)
    if development:
        tuned = reader.tune_threshold(
            *formats.columns(development, ("question", "context"), "answers")
        )
        print(f"threshold {tuned['threshold']:.2f}, tuned on {len(development)} questions")

    found = reader.answer(*formats.columns(test, "question", "context"))
    scores = (cmrc_scores if arguments.cmrc else squad_scores)(
        [one["answer"] for one in found],
        [[text for text, _ in one["answers"]] for one in test],
    )
    print(", ".join(f"{name} {value:.1f}" for name, value in scores.items() if name != "total"))

    folder = arguments.save or Path(tempfile.mkdtemp()) / "reader"
    reader.save_to_preset(folder)
    restored = kbz.QuestionAnswerer.from_preset(folder)
    asked = (NEW_QUESTIONS, [NEW_TEXT] * len(NEW_QUESTIONS))
    answers = restored.answer(*asked)
    same = [one["answer"] for one in answers] == [one["answer"] for one in reader.answer(*asked)]
    print(f"saved to {folder}, reloaded; the same answers: {same}")
    for question, found in zip(NEW_QUESTIONS, answers, strict=True):
        print(f"  {question:42} {found['answer'] or '(no answer)'}  ({found['score']:.2f})")
    print(f"{time.perf_counter() - started:.0f} s")
    return {**scores, "same": same}


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument(
        "--data",
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="two json files of SQuAD 1.1, SQuAD 2.0 or CMRC 2018, plain or .gz",
    )
    parser.add_argument("--cmrc", action="store_true", help="score as CMRC does, for Chinese")
    parser.add_argument("--no-answer", action="store_true", help="a text may hold no answer")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the reader")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
