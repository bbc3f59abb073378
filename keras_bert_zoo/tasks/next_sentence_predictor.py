"""Whether one sentence follows another in its document."""

import keras
import numpy as np

from keras_bert_zoo.data import labels as label_data
from keras_bert_zoo.data.probabilities import softmax
from keras_bert_zoo.export.samples import SECOND_TEXTS, TEXTS
from keras_bert_zoo.layers.heads import NextSentenceHead
from keras_bert_zoo.tasks.export_cases import best_names
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.tokenizers.texts import one_or_many
from keras_bert_zoo.training.optimizers import create_optimizer

LABELS = ("is_next", "not_next")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class NextSentencePredictor(Task):
    """Tells whether the second text of a pair follows the first.

    Labels are True for "follows"; or the names `"is_next"` and `"not_next"`; or class numbers, of
    which, as in Google's code, 0 is "is the next".

    Args:
        backbone: Backbone with a pooler.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`.

    Returns:
        float, `(B, 2)`. Logits; class 0 is "is the next".

    Raises:
        ValueError: the backbone has no pooler.

    Source: Devlin et al. 2018, §3.1.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=8, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "rained", "then"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> model = kbz.NextSentencePredictor(backbone, preprocessor=preprocessor)
    >>> pairs = (["it rained", "then"], ["then it", "rained"])
    >>> history = model.fit(pairs, [True, False], verbose=0)
    >>> sorted(model.follows(["it rained"], ["then it"])[0])
    ['is_next', 'score']
    """

    head_groups = ("next_sentence",)
    text_inputs = ("text", "text_pair")

    def __init__(self, backbone, preprocessor=None, frozen="nothing", name=None, trainable=True):
        if not backbone.config.pooler:
            raise ValueError("NextSentencePredictor needs a backbone with pooler=True.")

        # === Layers ===
        head = NextSentenceHead(
            backbone.config.initializer_range, dtype=backbone.dtype_policy, name="next_sentence"
        )

        # === Functional model ===
        encoded = backbone(backbone.input, only="pooled_output")
        logits = head(encoded["pooled_output"])  # (B, 2)

        super().__init__(
            backbone,
            outputs=logits,
            encoded=encoded,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    def default_compile(self):
        return {
            "optimizer": create_optimizer(5e-5),
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def encode_texts(self, x):
        if not isinstance(x, tuple):
            raise ValueError(
                "NextSentencePredictor takes pairs: a tuple of two lists of texts; got "
                f"{type(x).__name__}."
            )
        return super().encode_texts(x)

    def encode_labels(self, y):
        y = label_data.label_list(y)
        numbers = [int(not item) if isinstance(item, (bool, np.bool_)) else item for item in y]
        return label_data.encode_classes(numbers, LABELS, len(LABELS))

    # === Export ===

    def service(self, folder):
        from keras_bert_zoo.export.services.classes import ClassService

        return ClassService(self, folder, LABELS, pairs=True)

    def served(self, x):
        logits = self.predict(x)
        return {"logits": logits, **best_names(logits, LABELS)}

    def samples(self):
        return list(TEXTS), list(SECOND_TEXTS)

    # === Prediction ===

    def follows(self, firsts, seconds, batch_size=None):
        """Whether texts follow others.

        Args:
            firsts, seconds: two texts, or two lists of texts.
            batch_size: int. Defaults to 32.

        Returns:
            dict of `is_next` (bool) and `score`, the probability that it is; for lists, a list of
            these.
        """
        single, pairs = one_or_many(firsts, seconds)
        chances = softmax(self.predict(pairs, batch_size=batch_size).astype("float32"))[:, 0]
        found = [{"is_next": bool(p >= 0.5), "score": float(p)} for p in chances]
        return found[0] if single else found
