"""A robot that answers questions about a handbook: it looks passages up, reads and quotes them.

    python examples/question_answering_robot.py                        # asks for questions
    python examples/question_answering_robot.py --ask "Who runs the music school?"
    python examples/question_answering_robot.py --measure [--language zh]
    python examples/question_answering_robot.py --data train.json dev.json --limit 500 --measure

The retriever is a TextEmbedder (`search`) or, for comparison, BM25; the reader is a
QuestionAnswerer, trained here on the questions of the training passages unless `--reader` names a
folder that `--save` has written. It sees each question with its passage, and every second question
also with one that looks alike but has no answer. The probability of an answer is that of its
passage (a softmax of the retrieval scores) times that of the answer within it. `--measure` puts the
questions of the held-back passages, which the reader never saw, to all passages.

In English both start from MiniLM-L6. With `--language zh` the reader starts from the bundled
`bert_l4_h128_zh_reader`, and BM25 looks the passages up: the bundled `bert_tiny_zh_wiki` was never
trained to embed. With `--model` (such as `bert_base_zh`) both start from that.
"""

import argparse
import collections
import itertools
import re
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from answer_questions import fine_tune, read_handbook
from checkpoint import minilm_folder

import keras_bert_zoo as kbz
from keras_bert_zoo.data import formats
from keras_bert_zoo.metrics.cmrc import cmrc_scores
from keras_bert_zoo.metrics.squad import squad_scores

DATA = Path(__file__).parent / "data"
# What retriever and reader start from, how fast the reader learns, and who looks passages up.
MODELS = {
    "en": (minilm_folder, minilm_folder),
    "zh": (lambda: "bert_tiny_zh_wiki", lambda: "bert_l4_h128_zh_reader"),
}
RATES = {"en": 2e-4, "zh": 3e-4}
RETRIEVERS = {"en": "embedder", "zh": "bm25"}
WELCOME = {
    "en": "Ask me about the town of Merrowby. An empty line ends.",
    "zh": "请问关于槐汀镇的问题。空行结束。",
}
TRIALS = {
    "en": ["What does the return trip to Veer Island cost?", "Who is the vet in Tanner's Yard?"],
    "zh": ["东码头的老槐树要几个人才抱得过来？", "修一块手表多少钱？"],
}


class EmbeddingSearch:
    """Passages by the cosine of their vectors with the question's."""

    # How far a difference of scores is trusted; so the training questions' passages are likeliest.
    sharpness = 30.0

    def __init__(self, passages, model):
        self.passages = passages
        self.embedder = kbz.TextEmbedder.from_preset(model, max_length=256)
        self.vectors = self.embedder.embed(passages)

    def search(self, questions, top_k):
        return self.embedder.search(questions, self.passages, top_k, vectors=self.vectors)


class BM25:
    """Passages by the words they share with the question. Source: Robertson & Zaragoza 2009, §3."""

    sharpness = 1.0
    k1, b = 1.5, 0.75

    def __init__(self, passages, language):
        self.passages = passages
        self.words = {"en": english_words, "zh": chinese_words}[language]
        self.counts = [collections.Counter(self.words(passage)) for passage in passages]
        self.passages_with = collections.Counter(word for count in self.counts for word in count)
        lengths = np.array([count.total() for count in self.counts])
        self.damping = self.k1 * (1 - self.b + self.b * lengths / lengths.mean())

    def search(self, questions, top_k):
        found = []
        for question in questions:
            scores = np.zeros(len(self.passages))
            for word in set(self.words(question)):
                n = self.passages_with[word]
                rarity = np.log(1 + (len(self.passages) - n + 0.5) / (n + 0.5))
                often = np.array([count[word] for count in self.counts])
                scores += rarity * often * (self.k1 + 1) / (often + self.damping)
            best = np.argsort(-scores, kind="stable")[:top_k]
            found.append([{"index": int(i), "score": float(scores[i])} for i in best])
        return found


def english_words(text):
    return re.findall(r"\w+", text.lower())


def chinese_words(text):
    """Single characters and pairs of neighbours."""
    signs = [sign for sign in text if sign.isalnum()]
    return signs + [a + b for a, b in itertools.pairwise(signs)]


class Robot:
    """A retriever and a reader over passages."""

    def __init__(self, passages, retriever, reader, top_k=5):
        self.passages, self.retriever, self.reader, self.top_k = passages, retriever, reader, top_k

    def answer(self, questions):
        """The best answer to each question, with its passage and the passages that were read."""
        hits = self.retriever.search(questions, self.top_k)
        asked = [question for question, found in zip(questions, hits, strict=True) for _ in found]
        numbers = [hit["index"] for found in hits for hit in found]
        # Two answers, since the first may be that there is none.
        read = iter(self.reader.answer(asked, [self.passages[i] for i in numbers], top_k=2))
        answers = []
        for found in hits:
            chances = np.exp(self.retriever.sharpness * np.array([hit["score"] for hit in found]))
            chances /= chances.sum()
            candidates = [
                {
                    **next(answer for answer in next(read) if answer["answer"]),
                    "passage": hit["index"],
                }
                for hit in found
            ]
            for candidate, chance in zip(candidates, chances, strict=True):
                candidate["score"] *= float(chance)
            best = max(candidates, key=lambda candidate: candidate["score"])
            answers.append({**best, "read": [hit["index"] for hit in found]})
        return answers

    def say(self, question):
        """Prints the answer and what stands around it."""
        (found,) = self.answer([question])
        text, start, end = self.passages[found["passage"]], found["start"], found["end"]
        before, after = text[max(start - 40, 0) : start], text[end : end + 40]
        print(f"  {found['answer']}   ({found['score']:.2f})")
        print(f"    …{before}[{found['answer']}]{after}…")
        return found

    def converse(self, welcome):
        """Answers what is typed, until an empty line."""
        print(welcome)
        try:
            while question := input("> ").strip():
                self.say(question)
        except EOFError:  # Ctrl-D, or the end of a file that was piped in
            print()


def with_distractors(examples, retriever):
    """The examples, and every second question with a passage that only looks like the right one.

    Args:
        examples: list of dicts, as `formats.read_squad` yields them.
        retriever: callable that makes a retriever of passages.
    """
    passages = list(dict.fromkeys(one["context"] for one in examples))
    hits = retriever(passages).search([one["question"] for one in examples[::2]], top_k=5)
    distractors = []
    for one, found in zip(examples[::2], hits, strict=True):
        alike = [passages[hit["index"]] for hit in found]
        wrong = [text for text in alike if one["answers"][0][0] not in text]
        distractors += [{**one, "context": text, "answers": []} for text in wrong[:1]]
    return examples + distractors


def measure(robot, test, language):
    """How often the right passage is found, and how good the answers are, in percent."""
    scores = cmrc_scores if language == "zh" else squad_scores
    answers = robot.answer([one["question"] for one in test])
    right = [robot.passages.index(one["context"]) for one in test]
    found = [number in one["read"] for one, number in zip(answers, right, strict=True)]
    texts = [[text for text, _ in one["answers"]] for one in test]
    result = scores([one["answer"] for one in answers], texts)
    return {"recall": 100 * np.mean(found), "exact": result["exact"], "f1": result["f1"]}


def main(arguments):
    started = time.perf_counter()
    keras.utils.set_random_seed(arguments.seed)
    language = arguments.language
    if arguments.data:
        train, test = (list(formats.read_cmrc(path)) for path in arguments.data)
    else:
        path = DATA / f"handbook_{language}.jsonl"
        train, test = (read_handbook(path, split) for split in ("train", "held_back"))
    passages = list(dict.fromkeys(one["context"] for one in train + test))
    limit = 24 if arguments.small else arguments.limit
    train, test = ([one for one in part if one["answers"]][:limit] for part in (train, test))
    print(f"backend {keras.backend.backend()}: {len(passages)} passages")

    to_embed, to_read = (arguments.model or source() for source in MODELS[language])
    retrievers = {
        "embedder": lambda passages: EmbeddingSearch(passages, to_embed),
        "bm25": lambda passages: BM25(passages, language),
    }
    retriever = retrievers[arguments.retriever or RETRIEVERS[language]]
    saved = arguments.reader
    if not saved:
        print(f"the reader learns from {len(train)} questions")
        examples = with_distractors(train, retriever)
        saved = arguments.save or Path(tempfile.mkdtemp()) / "reader"
        reader = fine_tune(to_read, examples, arguments.epochs, RATES[language], no_answer=True)
        reader.save_to_preset(saved)
    reader = kbz.QuestionAnswerer.from_preset(saved)

    figures = {}
    if arguments.measure:
        print(f"{len(test)} questions on held-back passages:  recall@{arguments.top_k}, exact, F1")
        for name, kind in retrievers.items():
            robot = Robot(passages, kind(passages), reader, arguments.top_k)
            figures[name] = measure(robot, test, language)
            print(f"  {name:36}", *(f"{value:8.1f}" for value in figures[name].values()))
    robot = Robot(passages, retriever(passages), reader, arguments.top_k)
    trials = TRIALS[language] if arguments.measure and not arguments.data else []
    for question in arguments.ask or trials:
        print(question)
        figures[question] = robot.say(question)["answer"]
    print(f"{time.perf_counter() - started:.0f} s")
    if not arguments.measure and not arguments.ask:
        robot.converse(WELCOME[language])
    return figures


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--ask", action="append", help="a question; may be given several times")
    parser.add_argument("--measure", action="store_true", help="how good it is, beside BM25")
    parser.add_argument("--model", help="any source of from_preset; see above for the defaults")
    parser.add_argument("--reader", help="a folder with a trained QuestionAnswerer")
    parser.add_argument("--retriever", choices=("embedder", "bm25"))
    parser.add_argument("--top-k", type=int, default=5, help="passages that are read")
    parser.add_argument(
        "--data",
        nargs=2,
        metavar=("TRAIN", "TEST"),
        help="two json files of SQuAD or CMRC 2018, plain or .gz, instead of the handbook",
    )
    parser.add_argument("--limit", type=int, help="most questions of each file")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few examples, to see it run")
    parser.add_argument("--save", type=Path, help="where to keep the reader")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
