"""A small task of each kind, to export."""

from support import scramble, tiny_backbone, tiny_tokenizer

import keras_bert_zoo as kbz

MAX_LENGTH = 24


def _made(task, *, max_length=MAX_LENGTH, backbone=None, **settings):
    backbone = tiny_backbone(dropout=0.0, attention_dropout=0.0, **(backbone or {}))
    text = kbz.Preprocessor(tiny_tokenizer(), max_length)
    return scramble(task(backbone, preprocessor=text, **settings))


NAMES = ["no", "maybe", "yes"]
TAGS = ["O", "B-tea", "I-tea", "B-film", "I-film"]

# Name -> a function that makes the task.
TASKS = {
    "classes": lambda: _made(kbz.TextClassifier, labels=NAMES),
    "pairs": lambda: _made(kbz.TextClassifier, labels=NAMES, pairs=True),
    "numbered classes": lambda: _made(kbz.TextClassifier, num_classes=4),
    "several labels": lambda: _made(
        kbz.TextClassifier, labels=NAMES, multi_label=True, threshold=0.5
    ),
    "regression": lambda: _made(kbz.TextClassifier, num_classes=1),
    "one segment": lambda: _made(kbz.TextClassifier, labels=NAMES, backbone={"num_segments": 1}),
    "next sentence": lambda: _made(kbz.NextSentencePredictor),
    "vectors": lambda: _made(kbz.TextEmbedder),
    "vectors of layers": lambda: _made(
        kbz.TextEmbedder, layers=[0, 1, 2], combine="weighted", pooling="max", normalize=False
    ),
    "choices": lambda: _made(kbz.MultipleChoice),
    "masks": lambda: _made(kbz.MaskedLM),
    "tags": lambda: _made(kbz.TokenClassifier, labels=TAGS, stride=5),
    "tags with a CRF": lambda: _made(kbz.TokenClassifier, labels=TAGS, stride=5, crf=True),
    "answers": lambda: _made(kbz.QuestionAnswerer, stride=4),
    "answers or none": lambda: _made(kbz.QuestionAnswerer, stride=4, no_answer=True),
}
