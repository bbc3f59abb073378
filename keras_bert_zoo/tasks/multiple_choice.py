"""The best of several choices that could follow a prompt."""

import keras
import numpy as np

from keras_bert_zoo.data.batching import ArrayExamples
from keras_bert_zoo.data.choices import ChoiceExamples, check_choices, encode_choices
from keras_bert_zoo.data.labels import label_list
from keras_bert_zoo.data.probabilities import softmax
from keras_bert_zoo.export.samples import CHOICES, PROMPTS
from keras_bert_zoo.layers.choices import ABSENT, FlattenChoices, GroupChoices
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.tokenizers.texts import check_texts
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class MultipleChoice(Task):
    """Scores each choice by the pair of prompt and choice, and compares.

    Prompts may differ in their number of choices.

    Args:
        backbone: Backbone with a pooler.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        dropout: float or None. Dropout before the last layer; None for the encoder's rate.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`, but each `(B, N, L)`: N choices a prompt. A choice without
            a real token is absent.

    Returns:
        float, `(B, N)`. Logits.

    Raises:
        ValueError: the backbone has no pooler.

    Source: Devlin et al. 2018, §4.4.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=9, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "rains", "wet", "dry"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> model = kbz.MultipleChoice(backbone, preprocessor=preprocessor)
    >>> history = model.fit((["It rains"], [["wet", "dry"]]), [0], verbose=0)
    >>> sorted(model.choose("It rains", ["wet", "dry"]))
    ['choice', 'index', 'score', 'scores']
    """

    head_groups = ("multiple_choice",)
    text_inputs = ("prompt", "choices")

    def __init__(
        self,
        backbone,
        preprocessor=None,
        dropout=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        if not backbone.config.pooler:
            raise ValueError("MultipleChoice needs a backbone with pooler=True.")

        # === Layers ===
        config = backbone.config
        rate = config.dropout if dropout is None else dropout
        head_dropout = Dropout(rate, dtype=backbone.dtype_policy, name="head_dropout")
        head = keras.layers.Dense(
            1,
            kernel_initializer=initializer(config.initializer_range),
            dtype=backbone.dtype_policy,
            name="multiple_choice",
        )

        # === Functional model ===
        inputs = {
            name: keras.Input((None, None), dtype="int32", name=name) for name in backbone.input
        }
        flat = {name: FlattenChoices(name=f"flat_{name}")(ids) for name, ids in inputs.items()}
        pooled = backbone(flat, only="pooled_output")["pooled_output"]  # (B * N, D)
        scores = head(head_dropout(pooled))  # (B * N, 1)
        group = GroupChoices(dtype=backbone.dtype_policy, name="group_choices")
        logits = group(scores, inputs["padding_mask"])  # (B, N)

        # === Task ===
        self.dropout = None if dropout is None else float(dropout)
        super().__init__(
            backbone,
            outputs=logits,
            inputs=inputs,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    # === Training ===

    def default_compile(self):
        return {
            "optimizer": create_optimizer(5e-5),
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def encode_texts(self, x):
        if not isinstance(x, tuple) or len(x) != 2:
            raise ValueError(
                "MultipleChoice takes a tuple of two lists: (prompts, choices), with a list of "
                f"texts for each prompt; got {type(x).__name__}."
            )
        prompts = check_texts(x[0])
        choices = check_choices(x[1], len(prompts))
        counts = np.array([len(texts) for texts in choices], "int64")
        packed = self.preprocessor.encode(
            (
                [prompt for prompt, n in zip(prompts, counts, strict=True) for _ in range(n)],
                [text for texts in choices for text in texts],
            )
        )
        ends = np.cumsum(counts)
        groups = [packed[end - n : end] for end, n in zip(ends, counts, strict=True)]
        return self.packed(groups, form=ChoiceExamples, counts=counts, most=max(counts, default=2))

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        y = label_list(y)
        if len(y) != len(examples):
            raise ValueError(f"There are {len(examples)} examples but {len(y)} labels.")
        if isinstance(examples, ArrayExamples):
            present = examples.arrays["padding_mask"].any(axis=-1)
        else:
            present = [np.ones(count, bool) for count in examples.counts]
        y = encode_choices(y, present)
        return super().encode_targets(examples, y, sample_weight, training, class_weight)

    def encode_labels(self, y):
        return y

    # === Prediction ===

    def join(self, parts):
        widest = max(part.shape[1] for part in parts)
        return np.concatenate(
            [
                np.pad(part, ((0, 0), (0, widest - part.shape[1])), constant_values=ABSENT)
                for part in parts
            ]
        )

    def choose(self, prompt, choices, batch_size=None):
        """The likeliest choice.

        Args:
            prompt: str with `choices` a list of str; or a list of prompts with a list of lists.
            choices: list.
            batch_size: int. Defaults to 32.

        Returns:
            dict of `choice`, its `index`, its `score` (probability) and the `scores` of all; for
            lists, a list of these.
        """
        single = isinstance(prompt, str)
        prompts, several = ([prompt], [choices]) if single else (prompt, choices)
        x = list(prompts), [check_texts(texts) for texts in several]
        logits = self.predict(x, batch_size=batch_size)
        found = []
        for row, texts in zip(logits, x[1], strict=True):
            scores = softmax(row[: len(texts)].astype("float32"))
            best = int(scores.argmax())
            found.append(
                {
                    "choice": texts[best],
                    "index": best,
                    "score": float(scores[best]),
                    "scores": [float(score) for score in scores],
                }
            )
        return found[0] if single else found

    # === Export ===

    def service(self, folder):
        from keras_bert_zoo.export.services.choices import ChoiceService

        return ChoiceService(self, folder)

    def samples(self):
        return list(PROMPTS), [list(choices) for choices in CHOICES]

    def served(self, x):
        logits = self.predict(x)
        chosen = logits.argmax(axis=-1)
        texts = [choices[number] for choices, number in zip(x[1], chosen, strict=True)]
        return {"logits": logits, "index": chosen, "choice": np.array(texts)}

    @property
    def input_axes(self):
        return dict.fromkeys(self.input, ("batch", "choices", "length"))

    # === In and out ===

    def task_config(self):
        return {**super().task_config(), "dropout": self.dropout}

    def transformers_fields(self):
        return {"classifier_dropout": self.dropout}
