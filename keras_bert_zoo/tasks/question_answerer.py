"""Answers as spans of a given context."""

import logging

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.data.alignment import answer_labels, position_labels
from keras_bert_zoo.data.answers import reference_texts
from keras_bert_zoo.data.batching import ArrayExamples, Labelled
from keras_bert_zoo.data.best_spans import answers_and_margin, logits_of_tokens
from keras_bert_zoo.data.checks import check_count, check_flag, check_stride
from keras_bert_zoo.data.contexts import context_windows
from keras_bert_zoo.data.labels import example_weights, label_list
from keras_bert_zoo.export.samples import CONTEXTS, QUESTIONS
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.metrics.squad import tuned_threshold
from keras_bert_zoo.tasks.export_cases import clear_answers, padded
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.tokenizers.texts import one_or_many, split_pairs
from keras_bert_zoo.training.optimizers import create_optimizer

logger = logging.getLogger("keras_bert_zoo")

# How many spans an answer's probability is taken among (Google's `n_best_size`).
CANDIDATES = 20


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class QuestionAnswerer(Task):
    """Finds the answer to a question in a context, or that there is none.

    Contexts that are too long for one row are run in overlapping windows.

    Args:
        backbone: Backbone. Its pooler, if it has one, is left alone.
        no_answer: bool. Whether a context may hold no answer (SQuAD 2.0).
        threshold: float. With `no_answer`, by how much the score of no answer must exceed that of
            the best span; `tune_threshold` sets it.
        stride: int. Tokens that neighbouring windows share.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`.

    Returns:
        dict of `start` and `end`, each float, `(B, L)`. Logits of the answer's first and last
        token.

    Raises:
        ValueError: an argument is out of range.

    Source: Devlin et al. 2018, §4.2 and §4.3; Google's `run_squad.py`.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=9, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "saw", "ada", "rome"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=32)
    >>> reader = kbz.QuestionAnswerer(backbone, preprocessor=preprocessor)
    >>> history = reader.fit((["Who saw Rome"], ["Ada saw Rome"]), ["Ada"], verbose=0)
    >>> sorted(reader.answer("Who saw Rome", "Ada saw Rome"))
    ['answer', 'end', 'score', 'start']
    """

    head_groups = ("question_answerer",)
    text_inputs = ("question", "context")
    uses_pooler = False
    by_position = True
    default_max_length = 384

    def __init__(
        self,
        backbone,
        no_answer=False,
        threshold=0.0,
        stride=128,
        preprocessor=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        check_stride(stride)
        if not isinstance(threshold, (int, float, np.floating)) or not np.isfinite(threshold):
            raise ValueError(f"threshold must be a finite number; got {threshold!r}.")

        # === Layers ===
        config = backbone.config
        head = keras.layers.Dense(
            2,
            kernel_initializer=initializer(config.initializer_range),
            dtype=backbone.dtype_policy,
            name="question_answerer",
        )

        # === Functional model ===
        encoded = backbone(backbone.input, only="sequence_output")
        logits = head(encoded["sequence_output"])  # (B, L, 2)

        # === Task ===
        self.no_answer = check_flag("no_answer", no_answer)
        self.threshold = float(threshold)
        self.stride = int(stride)
        self.alignment_report = None
        super().__init__(
            backbone,
            outputs={"start": logits[:, :, 0], "end": logits[:, :, 1]},
            encoded=encoded,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    # === Training ===

    def default_compile(self):
        return {
            "optimizer": create_optimizer(5e-5),
            "loss": {
                name: keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, reduction="mean_with_sample_weight"
                )
                for name in ("start", "end")
            },
            "loss_weights": {"start": 0.5, "end": 0.5},
            "metrics": {
                name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
                for name in ("start", "end")
            },
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y_pred = _of_real_tokens(x, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, _of_real_tokens(x, y_pred), sample_weight)

    def count_for_loss(self, real, sample_weight):
        return ops.sum(sample_weight["start"])

    def weights_of_metrics(self, real, y, sample_weight):
        return sample_weight

    def encode_texts(self, x):
        if not isinstance(x, tuple):
            raise ValueError(
                "QuestionAnswerer takes a tuple of two lists: (questions, contexts); got "
                f"{type(x).__name__}."
            )
        questions, contexts = split_pairs(x)
        preprocessor = self.preprocessor
        found = context_windows(
            preprocessor.tokenizer, questions, contexts, preprocessor.max_length, self.stride
        )
        return self.packed(found.rows, owners=found.owners, count=len(found), source=found)

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        if class_weight is not None:
            raise ValueError("QuestionAnswerer takes no class_weight.")
        weights = example_weights(sample_weight, examples.count)
        if isinstance(examples, ArrayExamples):
            labels = position_labels(y, examples.arrays["token_ids"].shape)
        else:
            start, end, aligned, report = answer_labels(
                label_list(y), examples.source, self.no_answer
            )
            if training:
                self.alignment_report = report
            if report.misaligned or report.divided or report.widened:
                logger.warning("%s", report)
            labels = {"start": start, "end": end}
            weights = weights * aligned
            if not training:  # each example counts once, whatever its windows
                weights = weights / np.bincount(examples.owners, minlength=examples.count)
        by_row = weights[examples.owners].astype("float32")
        return Labelled(examples, labels, {"start": by_row, "end": by_row})

    # === Prediction ===

    def assemble(self, examples, outputs):
        if isinstance(examples, ArrayExamples):
            return super().assemble(examples, outputs)
        contexts = examples.source or ()
        return [logits_of_tokens(contexts, example, outputs) for example in range(len(contexts))]

    def answer(self, question, context, top_k=1, max_answer_length=30, batch_size=None):
        """Answers to one question or to many.

        Args:
            question, context: two texts, or two lists of texts.
            top_k: int. With more than 1, the best answers of each, as a list.
            max_answer_length: int. Longest answer, in tokens.
            batch_size: int. Defaults to 32.

        Returns:
            dict of `answer`, `start`, `end` (characters: `answer == context[start:end]`) and
            `score`, its probability among the likeliest answers; where there is none, the answer
            is "" with 0 and 0. For lists, a list of these.

        Raises:
            ValueError: an item is no text, a context is empty, or a question too long.
        """
        single, x = one_or_many(question, context)
        ranked = self._ranked(x, max_answer_length, batch_size, top_k)
        answers = [best[:top_k] for best, _ in ranked]
        if top_k == 1:
            answers = [best for (best,) in answers]
        return answers[0] if single else answers

    def _ranked(self, x, max_answer_length=30, batch_size=None, top_k=1):
        """For each example the answers, the best first, and how much better none would be."""
        check_count("max_answer_length", max_answer_length)
        check_count("top_k", top_k)
        settings = (max_answer_length, CANDIDATES, self.threshold if self.no_answer else None)
        found = []
        for examples, outputs in self._run(x, batch_size):
            logits = [(output["start"], output["end"]) for output in outputs]
            contexts = examples.source
            for example in range(len(contexts)):
                found.append(answers_and_margin(contexts, example, logits, *settings))
        return found

    def tune_threshold(self, x, y, batch_size=None):
        """Sets `threshold` to what gives the best F1 on a development set.

        Args:
            x: tuple of two lists, questions and contexts.
            y: list of answers; for each a text or a list of texts that all count, None for none.
            batch_size: int. Defaults to 32.

        Returns:
            dict of `exact` and `f1` in percent, and `threshold`.

        Raises:
            ValueError: the model was made without `no_answer`.
        """
        if not self.no_answer:
            raise ValueError("tune_threshold needs a model that was made with no_answer=True.")
        ranked = self._ranked(x, batch_size=batch_size)
        texts = [next((a["answer"] for a in answers if a["answer"]), "") for answers, _ in ranked]
        margins = [margin for _, margin in ranked]
        tuned = tuned_threshold(texts, reference_texts(y), margins)
        self.threshold = tuned["threshold"]
        return tuned

    # === Export ===

    def service(self, folder, max_answer_length=30):
        """As for Task.

        Args:
            folder: Path.
            max_answer_length: int. Longest answer, in tokens.
        """
        from keras_bert_zoo.export.services.answers import AnswerService

        threshold = self.threshold if self.no_answer else None
        return AnswerService(self, folder, self.stride, CANDIDATES, threshold, max_answer_length)

    def samples(self, max_answer_length=30):
        return list(QUESTIONS), list(CONTEXTS)

    def served(self, x, max_answer_length=30):
        logits = self.predict(x)
        ranked = self.answer(*x, max_answer_length=max_answer_length, top_k=2)
        return {
            "start_logits": padded([row[:, 0] for row in logits], -1e9),
            "end_logits": padded([row[:, 1] for row in logits], -1e9),
            "score": np.array([two[0]["score"] for two in ranked]),
            **clear_answers(ranked),
        }

    def named_outputs(self, outputs):
        return {f"{name}_logits": outputs[name] for name in ("start", "end")}

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "no_answer": self.no_answer,
            "threshold": self.threshold,
            "stride": self.stride,
        }


def _of_real_tokens(x, y_pred):
    """Logits that leave padding no chance, so that they do not hang on how far a row is padded."""
    if x.get("padding_mask") is None:
        return y_pred
    real = ops.not_equal(x["padding_mask"], 0)  # (B, L)
    return {
        name: ops.where(real, ops.cast(logits, "float32"), -1e9) for name, logits in y_pred.items()
    }
