"""A label for each word: named entities, parts of speech, word segmentation."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.data import tagging, tags
from keras_bert_zoo.data.batching import ArrayExamples, Labelled, PositionValues
from keras_bert_zoo.data.checks import check_flag, check_stride
from keras_bert_zoo.data.label_schemes import allowed, scheme_of
from keras_bert_zoo.data.labels import example_weights, label_list
from keras_bert_zoo.data.words import refuse_texts, sentence_windows, words_of
from keras_bert_zoo.export.samples import CONTEXTS, TEXTS
from keras_bert_zoo.layers.crf import LinearChainCRF
from keras_bert_zoo.layers.dropout import Dropout
from keras_bert_zoo.layers.initial_weights import initializer
from keras_bert_zoo.tasks.classification_head import checked_classes
from keras_bert_zoo.tasks.export_cases import padded
from keras_bert_zoo.tasks.filled_batches import ones_for_none
from keras_bert_zoo.tasks.labelled_task import LabelledTask
from keras_bert_zoo.tokenizers.texts import check_texts
from keras_bert_zoo.training.optimizers import create_optimizer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class TokenClassifier(LabelledTask):
    """Labels words, by the hidden state of each word's first piece.

    It takes lists of words, or texts, which are split into words as BERT splits them. Sentences
    that are too long for one row are run in overlapping windows; each word counts in the one that
    has the most context around it.

    Args:
        backbone: Backbone. Its pooler, if it has one, is left alone.
        num_classes: int. Classes, C. Defaults to the number of labels, else 2.
        labels: list of str or None. The names of the classes, in order: BIO (`B-PER`), BIOES, or
            plain names.
        crf: bool. Whether a conditional random field scores whole label sequences, in which only
            those that the labels' scheme allows have a chance. Its likelihood is the loss then,
            and Keras metrics see the logits it starts from: to watch the labels that `tag` gives
            use `metrics.callback.PredictionMetrics`.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        dropout: float or None. Dropout before the last layer; None for the encoder's rate.
        stride: int or None. Most pieces that a window shares with the one before it. None for a
            quarter of `max_length`.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`.

    Returns:
        float, `(B, L, C)`. Logits.

    Raises:
        ValueError: the arguments do not fit together.

    Source: Devlin et al. 2018, §5.3; with `crf`, Lample et al. 2016.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=8, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ada", "saw", "rome"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> tagger = kbz.TokenClassifier(
    ...     backbone, labels=["O", "B-PER", "B-LOC"], preprocessor=preprocessor
    ... )
    >>> history = tagger.fit(
    ...     [["Ada", "saw", "Rome"], ["Rome"]], [["B-PER", "O", "B-LOC"], ["B-LOC"]], verbose=0
    ... )
    >>> [logits.shape for logits in tagger.predict([["Ada", "saw", "Rome"], ["Rome"]])]
    [(3, 3), (1, 3)]
    """

    head_groups = ("token_classifier",)
    own_groups = ("crf",)
    carried = ("dropout", "stride", "frozen")
    uses_pooler = False
    by_position = True

    def __init__(
        self,
        backbone,
        num_classes=None,
        labels=None,
        crf=False,
        preprocessor=None,
        dropout=None,
        stride=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        num_classes, labels = checked_classes(num_classes, labels)
        if stride is not None:
            check_stride(stride)

        # === Layers ===
        config = backbone.config
        rate = config.dropout if dropout is None else dropout
        head_dropout = Dropout(rate, dtype=backbone.dtype_policy, name="head_dropout")
        head = keras.layers.Dense(
            num_classes,
            kernel_initializer=initializer(config.initializer_range),
            dtype=backbone.dtype_policy,
            name="token_classifier",
        )
        rules = allowed(labels or [str(i) for i in range(num_classes)])

        # === Functional model ===
        encoded = backbone(backbone.input, only="sequence_output")
        logits = head(head_dropout(encoded["sequence_output"]))  # (B, L, C)
        field = LinearChainCRF(*rules, name="crf") if crf else None
        if crf:
            logits = field(logits)

        # === Task ===
        self.num_classes = num_classes
        self.labels = labels
        self.dropout = None if dropout is None else float(dropout)
        self.stride = None if stride is None else int(stride)
        self.has_crf = check_flag("crf", crf)
        super().__init__(
            backbone,
            outputs=logits,
            encoded=encoded,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )
        self.crf = field

    # === Training ===

    def default_compile(self):
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return {
            "optimizer": create_optimizer(5e-5),
            # The mean over labelled words.
            "loss": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            "metrics": [] if self.has_crf else [accuracy],
        }

    @property
    def own_loss(self):
        return "with crf=True has the CRF's likelihood as its loss" if self.has_crf else None

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        sample_weight = ones_for_none(sample_weight, y)
        if not self.has_crf:
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)
        likelihood = self.crf.log_likelihood(y_pred, y, sample_weight)  # (B,)
        weight = ops.max(sample_weight, axis=-1)  # one for all words of a sentence
        total = ops.maximum(ops.sum(sample_weight), keras.config.epsilon())
        losses = [-ops.sum(likelihood * weight) / total, *self.losses]
        return sum(losses)

    def count_for_loss(self, real, sample_weight):
        return ops.sum(sample_weight)

    def weights_of_metrics(self, real, y, sample_weight):
        return ops.cast(sample_weight > 0, "float32")

    # === Words to rows, and back ===

    @property
    def window_stride(self):
        """Most pieces that a window shares with the one before it."""
        return self.preprocessor.max_length // 4 if self.stride is None else self.stride

    def encode_texts(self, x):
        tokenizer = self.preprocessor.tokenizer
        if isinstance(x, tuple):
            raise ValueError("TokenClassifier takes sentences, not pairs: pass one list.")
        found, texts = words_of(tokenizer, x)
        max_length, special = self.preprocessor.max_length, tokenizer.special_ids
        sentences = sentence_windows(
            found, texts, max_length, self.window_stride, special["cls"], special["sep"]
        )
        return self.packed(
            sentences.rows, owners=sentences.owners, count=len(sentences), source=sentences
        )

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        if isinstance(examples, ArrayExamples):
            shape = examples.arrays["token_ids"].shape
            classes, weights = tags.from_array(y, shape, self.num_classes)
        else:
            sentences = examples.source
            numbers = tags.encode_tags(label_list(y), sentences, self.labels, self.num_classes)
            if self.has_crf:
                tags.check_sequences(numbers, self.class_names)
            classes, weights = tags.in_rows(numbers, sentences)
        if class_weight is not None:
            if self.has_crf:
                raise ValueError("class_weight does not go with crf=True, which scores sequences.")
            by_class = self.weights_by_class(class_weight)
            weights = [w * by_class[c] for c, w in zip(classes, weights, strict=True)]
        if sample_weight is not None:
            by_row = example_weights(sample_weight, examples.count)[examples.owners]
            weights = [w * of_row for w, of_row in zip(weights, by_row, strict=True)]
        return Labelled(
            examples, PositionValues(classes, "int32"), PositionValues(weights, "float32")
        )

    def assemble(self, examples, outputs):
        if isinstance(examples, ArrayExamples):
            return super().assemble(examples, outputs)
        empty = np.zeros((0, self.num_classes), "float32")
        return [
            np.stack([pieces[0] for pieces in sentence]) if sentence else empty
            for sentence in tagging.pieces_of_words(examples.source, outputs)
        ]

    # === Prediction ===

    def tag(self, texts=None, words=None, aggregation="first", batch_size=None):
        """Labels for words, or labelled spans of texts.

        Args:
            texts: list of str, or None.
            words: list of lists of str, instead of texts.
            aggregation: str. How pieces of texts become spans: `"none"` gives each piece by
                itself; `"simple"` joins pieces by their own labels, so that a span may end within
                a word; `"first"`, `"average"` and `"max"` give each word one label (by its first
                piece; by the mean probabilities of its pieces; by the piece that is surest) and
                join words.
            batch_size: int. Defaults to 32.

        Returns:
            For words, a list with a list of labels for each sentence. For texts, a list with a list
            of spans for each: dicts of `text`, `label`, `score` (the mean probability), `start`
            and `end`, in characters. Spans join by the labels' scheme; words with plain labels
            are spans by themselves. Labels without names are numbers.

        Raises:
            ValueError: both or neither of texts and words, or an unknown aggregation.
        """
        if (texts is None) == (words is None):
            raise ValueError("tag takes either texts, or words=…; pass one of them.")
        if aggregation not in tagging.AGGREGATIONS:
            known = ", ".join(tagging.AGGREGATIONS)
            raise ValueError(f"aggregation must be one of {known}; got {aggregation!r}.")
        if self.has_crf and aggregation in ("none", "simple"):
            raise ValueError(f'aggregation="{aggregation}" labels pieces; a CRF labels words.')
        if words is not None:
            refuse_texts(words)
            found = self._decoded(self.predict(words, batch_size=batch_size))
            return [[self.class_names[number] for number in sentence] for sentence in found]
        texts = [texts] if isinstance(texts, str) else check_texts(texts)
        if not texts:
            return []
        naming = "plain" if self.labels is None else scheme_of(self.labels)
        ((examples, outputs),) = self._run(texts, batch_size)
        sentences = examples.source
        units = tagging.units(
            sentences, tagging.pieces_of_words(sentences, outputs), aggregation, self.num_classes
        )
        labels = self._decoded([logits for _, logits in units])
        if aggregation == "none":
            naming = "plain"
        return tagging.labelled_spans(sentences.texts, units, labels, self.class_names, naming)

    def _decoded(self, logits):
        """The class numbers of each sentence, from its logits `(words, C)`."""
        if not self.has_crf:
            return [sentence.argmax(axis=-1) for sentence in logits]
        return self.crf.decode_each(logits)

    # === Export ===

    def service(self, folder):
        from keras_bert_zoo.export.services.tags import TagService

        decode = self.crf.decode if self.has_crf else None
        return TagService(self, folder, self.class_names, self.window_stride, decode)

    def samples(self):
        return [*TEXTS, CONTEXTS[-1]]

    def served(self, x):
        ((examples, outputs),) = self._run(x)
        sentences = examples.source
        pieces = tagging.pieces_of_words(sentences, outputs)
        units = tagging.units(sentences, pieces, "none", self.num_classes)
        return {
            "logits": padded([logits for _, logits in units]),
            "starts": padded([np.array([s for s, _ in places]) for places, _ in units], -1),
            "ends": padded([np.array([e for _, e in places]) for places, _ in units], -1),
        }

    # === In and out ===

    def task_config(self):
        return {**super().task_config(), "crf": self.has_crf, "stride": self.stride}
