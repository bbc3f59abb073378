"""Writes the models of this folder's docker-compose.yml to ./models.

    python examples/serving/export_models.py

`embedder` is MiniLM-L6 as it is; `sentiment` and `answers` are what the examples
`finetune_text_classifier.py` and `answer_questions.py` fine-tune, if `--sentiment` and `--answers`
name the folders that these saved with `--save`; else they have heads that are not trained, and show
no more than how to ask.
"""

import argparse
import sys
from pathlib import Path

import keras_bert_zoo as kbz

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from checkpoint import minilm_folder  # noqa: E402


def main(arguments):
    start = arguments.model or minilm_folder()
    tasks = {
        "embedder": kbz.TextEmbedder.from_preset(start),
        "sentiment": kbz.TextClassifier.from_preset(
            arguments.sentiment or start,
            **({} if arguments.sentiment else {"labels": ["bad", "good"]}),
        ),
        "answers": kbz.QuestionAnswerer.from_preset(arguments.answers or start),
    }
    for name, task in tasks.items():
        task.export(arguments.target / name / "1")
        print(f"{name}: {arguments.target / name / '1'}")
    return sorted(tasks)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="any source of from_preset; MiniLM-L6 from PyPI if absent")
    parser.add_argument("--sentiment", help="a folder of a TextClassifier's save_to_preset")
    parser.add_argument("--answers", help="a folder of a QuestionAnswerer's save_to_preset")
    parser.add_argument("--target", type=Path, default=HERE / "models")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
