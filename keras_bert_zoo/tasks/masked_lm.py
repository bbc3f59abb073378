"""Words for the gaps of a text, and how likely a text is."""

import random

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.data.batching import ArrayExamples, Labelled
from keras_bert_zoo.data.checks import check_count, check_flag
from keras_bert_zoo.data.labels import example_weights
from keras_bert_zoo.data.mask_filling import guesses, mask_spans, target_ids
from keras_bert_zoo.data.masking import FoundMasks, MaskedExamples, Masker
from keras_bert_zoo.data.probabilities import log_softmax, softmax
from keras_bert_zoo.export.samples import MASKED
from keras_bert_zoo.layers.heads import MaskedLMHead
from keras_bert_zoo.tasks.export_cases import padded
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.tokenizers.packing import PackedText
from keras_bert_zoo.tokenizers.texts import check_texts
from keras_bert_zoo.training.optimizers import create_optimizer

# Rows of `score` that are run at once: each gives one number for every token of the vocabulary.
_SCORED_ROWS = 256


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class MaskedLM(Task):
    """Finds hidden tokens. `fit(texts)` hides them on the fly, anew in each epoch.

    Args:
        backbone: Backbone. Its pooler, if it has one, is left alone.
        mask_rate: float. Share of the tokens that training hides.
        whole_words: bool. Whether training hides all pieces of a word together.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`, and
            mask_positions: int, `(B, P)`. Where tokens are asked for.

    Returns:
        float, `(B, P, V)`. Logits.

    Raises:
        ValueError: an argument is out of range.

    Source: Devlin et al. 2018, §3.1; `score`: Salazar et al. 2020.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=9, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "rains", "snows", "often"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> model = kbz.MaskedLM(backbone, preprocessor=preprocessor)
    >>> history = model.fit(["it rains often", "it snows"], verbose=0)
    >>> guesses = model.fill_mask("it [MASK] often", targets=["rains", "snows"])
    >>> sorted(guess["token"] for guess in guesses)
    ['rains', 'snows']
    """

    head_groups = ("masked_lm",)
    uses_pooler = False
    by_position = True
    needs_labels = False

    def __init__(
        self,
        backbone,
        mask_rate=0.15,
        whole_words=False,
        preprocessor=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        if not isinstance(mask_rate, (int, float, np.floating)) or not 0 < mask_rate < 1:
            raise ValueError(f"mask_rate must lie between 0 and 1; got {mask_rate!r}.")
        config = backbone.config

        # === Layers ===
        head = MaskedLMHead.for_encoder(
            config, backbone.embeddings, dtype=backbone.dtype_policy, name="masked_lm"
        )

        # === Functional model ===
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        encoded = backbone(backbone.input, only="sequence_output")
        logits = head(encoded["sequence_output"], positions)  # (B, P, V)

        # === Task ===
        self.mask_rate = float(mask_rate)
        self.whole_words = check_flag("whole_words", whole_words)
        super().__init__(
            backbone,
            outputs=logits,
            encoded=encoded,
            inputs={**backbone.input, "mask_positions": positions},
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    # === Training ===

    def default_compile(self):
        return {
            "optimizer": create_optimizer(5e-5),
            # The mean over hidden tokens.
            "loss": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def count_for_loss(self, real, sample_weight):
        return ops.sum(sample_weight)

    def weights_of_metrics(self, real, y, sample_weight):
        return ops.cast(sample_weight > 0, "float32")

    def encode_texts(self, x):
        packed = self.preprocessor.encode(x)
        mask_id = self.preprocessor.tokenizer.special_ids["mask"]
        positions = [np.flatnonzero(row.token_ids == mask_id) for row in packed]
        return FoundMasks(self.packed(packed), positions)

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        if class_weight is not None:
            raise ValueError("MaskedLM takes no class_weight.")
        if isinstance(examples, ArrayExamples):
            return _array_targets(examples, y, sample_weight, self.config.vocabulary_size)
        if y is not None:
            raise ValueError("MaskedLM takes no labels beside texts: it hides tokens itself.")
        unit = "word" if self.whole_words else "piece"
        masker = Masker.for_tokenizer(self.preprocessor.tokenizer, self.mask_rate, unit)
        weights = example_weights(sample_weight, examples.count)
        seed = random.randrange(2**32) if training else 0
        return MaskedExamples(examples.examples, masker, weights, seed, fixed=not training)

    # === Prediction ===

    def assemble(self, examples, outputs):
        if isinstance(examples, ArrayExamples):
            return super().assemble(examples, outputs)
        positions = getattr(examples, "positions", [])
        return [row[: len(places)] for row, places in zip(outputs, positions, strict=True)]

    def fill_mask(self, text, top_k=5, targets=None, batch_size=None):
        """The likeliest tokens for each `[MASK]` of a text.

        Args:
            text: str, or list of str.
            top_k: int. How many for each mask.
            targets: list of str or None. The only words to choose among, each one token; a piece
                of a word is written `"##er"`.
            batch_size: int. Defaults to 32.

        Returns:
            For a text with one mask, a list of dicts `token`, `token_id`, `score` (probability;
            with targets among all tokens, too) and `text` (with that mask filled in); for several
            masks, a list of such lists; for a list of texts, a list with either for each.

        Raises:
            ValueError: a text has no mask, or not all of its masks fit into `max_length`; or a
                target is no single token.
        """
        if isinstance(text, str):
            return self.fill_mask([text], top_k, targets, batch_size)[0]
        texts = check_texts(text)
        check_count("top_k", top_k)
        tokenizer = self.preprocessor.tokenizer
        spans = [mask_spans(tokenizer, one, f"Item {i}") for i, one in enumerate(texts)]
        allowed = None if targets is None else target_ids(tokenizer, targets)
        found = []
        for one, places, logits in zip(
            texts, spans, self.predict(texts, batch_size=batch_size), strict=True
        ):
            if len(logits) < len(places):
                raise ValueError(
                    f"{one!r} has {len(places)} masks, of which {len(places) - len(logits)} lie "
                    f"beyond max_length={self.preprocessor.max_length}."
                )
            filled = [
                guesses(tokenizer, one, place, row, top_k, allowed)
                for place, row in zip(places, logits, strict=True)
            ]
            found.append(filled[0] if len(filled) == 1 else filled)
        return found

    def score(self, texts, batch_size=None):
        """How likely texts are: the log-probability of each token given all others, added up.

        Args:
            texts: list of str.
            batch_size: int. Defaults to 32.

        Returns:
            float64 array, `(N,)`. Pseudo-log-likelihoods, at most 0; the higher the likelier. They
            fall with every token: compare texts of like length.

        Raises:
            ValueError: a text does not fit into `max_length`.
        """
        texts = check_texts(texts)
        tokenizer, most = self.preprocessor.tokenizer, self.preprocessor.max_length
        special = tokenizer.special_ids
        rows, targets, owners = [], [], []
        for i, ids in enumerate(tokenizer.tokenize(texts)):
            if len(ids) + 2 > most:
                raise ValueError(
                    f"Item {i} has {len(ids)} tokens; max_length={most} leaves room for {most - 2}."
                )
            whole = np.array([special["cls"], *ids, special["sep"]], "int32")
            for place, token in enumerate(ids, start=1):
                hidden = whole.copy()
                hidden[place] = special["mask"]
                rows.append((PackedText(hidden, len(hidden)), place))
                targets.append(token)
                owners.append(i)
        scores = np.zeros(len(texts))
        for start in range(0, len(rows), _SCORED_ROWS):
            part = slice(start, start + _SCORED_ROWS)
            packed, places = zip(*rows[part], strict=True)
            examples = FoundMasks(self.packed(list(packed)), [np.array([p]) for p in places])
            logits = np.stack([row[0] for row in self._outputs_of(examples, batch_size)])
            chances = log_softmax(logits.astype("float64"))
            np.add.at(
                scores, owners[part], chances[np.arange(len(logits)), np.array(targets[part])]
            )
        return scores

    # === Export ===

    def service(self, folder, top_k=5):
        """As for Task.

        Args:
            folder: Path.
            top_k: int. How many tokens to answer for each mask.
        """
        check_count("top_k", top_k)
        from keras_bert_zoo.export.services.masks import MaskService

        return MaskService(self, folder, top_k)

    def samples(self, top_k=5):
        mask = self.preprocessor.tokenizer.special_tokens["mask"]
        return [text.replace("[MASK]", mask) for text in MASKED]

    def served(self, x, top_k=5):
        scores = [np.sort(softmax(row))[:, ::-1][:, :top_k] for row in self.predict(x)]
        return {"scores": padded(scores)}

    @property
    def input_axes(self):
        return {**super().input_axes, "mask_positions": ("batch", "masks")}

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "mask_rate": self.mask_rate,
            "whole_words": self.whole_words,
        }


def _array_targets(examples, y, sample_weight, vocabulary_size):
    """Labels for id arrays: the token at each of `mask_positions`, negative where none counts."""
    shape = examples.arrays["mask_positions"].shape
    y = np.asarray(y)
    if y.shape != shape or y.dtype.kind not in "iu":
        raise ValueError(
            f"With id arrays y needs a token id for each of mask_positions, of the shape {shape}, "
            f"negative where none counts; got {y.dtype} of the shape {y.shape}."
        )
    wrong = np.argwhere(y >= vocabulary_size)
    if len(wrong):
        where = ", ".join(map(str, wrong[0]))
        raise ValueError(
            f"y[{where}] is {y[tuple(wrong[0])]}; the tokens are numbered 0 to "
            f"{vocabulary_size - 1}."
        )
    weights = (y >= 0).astype("float32")
    if sample_weight is not None:
        if sample_weight.shape != shape:
            sample_weight = example_weights(sample_weight, shape[0])[:, None]
        weights = weights * sample_weight
    return Labelled(examples, np.maximum(y, 0).astype("int32"), weights)
