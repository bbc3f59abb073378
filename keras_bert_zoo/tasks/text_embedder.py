"""A vector for each text, for comparison, search and as features."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo import pretrained
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.data.checks import check_count, check_flag
from keras_bert_zoo.data.nearest import check_vectors, cosines, nearest_texts
from keras_bert_zoo.data.text_pairs import PairedExamples
from keras_bert_zoo.layers.pooling import (
    COMBINATIONS,
    LayerMix,
    TextPooling,
    UnitLength,
    layer_numbers,
)
from keras_bert_zoo.tasks.sentence_transformers import read_settings, write_settings
from keras_bert_zoo.tasks.task import Task
from keras_bert_zoo.tokenizers.texts import check_texts, split_pairs
from keras_bert_zoo.training.optimizers import create_optimizer
from keras_bert_zoo.training.pair_losses import mean_pair_loss


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class TextEmbedder(Task):
    """One vector a text, from the hidden states of any layers.

    `fit((firsts, seconds), scores)` trains on pairs whose cosine should be the score;
    `fit((firsts, seconds))` on pairs that belong together, against the other seconds of the batch.

    Args:
        backbone: Backbone. Its pooler, if it has one, is left alone.
        pooling: str. `"mean"`, `"cls"`, `"max"`, `"mean_sqrt_length"` or `"weighted"`; see
            `layers.TextPooling`.
        layers: int or list of int. Whose hidden states: 0 for the embeddings, 1 for the first
            block; from the end with -1 for the last.
        combine: str. What becomes of several layers: `"mean"`, `"sum"`, `"concatenate"` or
            `"weighted"` (learned); see `layers.LayerMix`.
        normalize: bool. Whether vectors get the length 1.
        preprocessor: Preprocessor or None. Without one the model takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Call arguments:
        inputs: dict, as for `Backbone`.

    Returns:
        float, `(B, D)`; `(B, n * D)` for n layers with `"concatenate"`.

    Raises:
        ValueError: a layer that there is not, or an unknown mode.

    Source: Reimers & Gurevych 2019; Devlin et al. 2018, §5.3.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=8, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=16
    ... )
    >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain", "sun", "wind"]
    >>> preprocessor = kbz.Preprocessor(kbz.Tokenizer.from_vocabulary(tokens), max_length=16)
    >>> embedder = kbz.TextEmbedder(backbone, preprocessor=preprocessor)
    >>> embedder.embed(["rain", "sun and wind"]).shape
    (2, 8)
    >>> embedder.search(["sun"], ["rain", "sun"], top_k=1)[0][0]["text"]
    'sun'
    """

    uses_pooler = False
    needs_labels = False
    own_loss = "chooses its loss by the labels: cosines, or none"

    def __init__(
        self,
        backbone,
        pooling="mean",
        layers=-1,
        combine="mean",
        normalize=True,
        preprocessor=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        if combine not in COMBINATIONS:
            raise ValueError(f"combine must be one of {', '.join(COMBINATIONS)}; got {combine!r}.")
        numbers = layer_numbers(layers, backbone.config.num_layers)

        # === Layers ===
        dtype = backbone.dtype_policy
        pool = TextPooling(pooling, dtype=dtype, name="text_pooling")
        mix = LayerMix(combine, dtype=dtype, name="layer_mix")
        unit = UnitLength(dtype=dtype, name="unit_length")

        # === Functional model ===
        encoded = None
        if numbers == [backbone.config.num_layers]:
            encoded = backbone(backbone.input, only="sequence_output")
            hidden = encoded["sequence_output"]  # (B, L, D)
        else:
            states = backbone.with_outputs(hidden_states=True).output["hidden_states"]
            chosen = [states[number] for number in numbers]
            hidden = mix(chosen) if len(chosen) > 1 else chosen[0]
        embedding = pool(hidden, backbone.input["padding_mask"])
        if normalize:
            embedding = unit(embedding)

        # === Task ===
        self.pooling = pooling
        single = isinstance(layers, (int, np.integer))
        self.chosen_layers = int(layers) if single else [int(layer) for layer in layers]
        self.combine = combine
        self.normalize = check_flag("normalize", normalize)
        super().__init__(
            backbone,
            outputs=embedding,
            encoded=encoded,
            preprocessor=preprocessor,
            frozen=frozen,
            name=name,
            trainable=trainable,
        )

    # === Training ===

    def default_compile(self):
        return {
            "optimizer": create_optimizer(2e-5),
            "loss": keras.losses.MeanSquaredError(),
            "metrics": [],
        }

    def compile(self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs):
        """As `Task.compile`; the loss follows from the labels, and metrics do not know pairs."""
        if (metrics != "auto" and metrics) or kwargs.get("weighted_metrics"):
            raise ValueError(
                "TextEmbedder takes no metrics: its outputs are vectors. Use "
                "metrics.callback.PredictionMetrics."
            )
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        real = ops.any(ops.not_equal(x["padding_mask"], 0), axis=-1)  # (2B,)
        return sum([mean_pair_loss(y_pred, y, sample_weight, real), *self.losses])

    def count_for_loss(self, real, sample_weight):
        return ops.sum(sample_weight)

    @property
    def _unused(self):
        most = max(layer_numbers(self.chosen_layers, self.config.num_layers))
        above = [f"layer_{i}" for i in range(most, self.config.num_layers)]
        return ("pooler", *above) if not self.config.share_layers else ("pooler",)

    def encode_texts(self, x):
        if not isinstance(x, tuple):
            return super().encode_texts(x)
        firsts, seconds = split_pairs(x)
        both = [text for pair in zip(firsts, seconds, strict=True) for text in pair]
        return PairedExamples(super().encode_texts(both))

    def encode_targets(self, examples, y, sample_weight, training, class_weight=None):
        if not isinstance(examples, PairedExamples):
            raise ValueError(
                "TextEmbedder trains on pairs: pass a tuple of two lists of texts, with scores or "
                "without."
            )
        if class_weight is not None:
            raise ValueError("TextEmbedder takes no class_weight.")
        return examples.labelled(y, sample_weight)

    # === Prediction ===

    def predict(
        self, x, batch_size=None, verbose=0, steps=None, callbacks=None, *, pack_examples=False
    ):
        """As `TextModel.predict`, for single texts."""
        if isinstance(x, tuple):
            raise ValueError("Each text gets a vector of its own: pass a list, or two in turn.")
        return super().predict(
            x, batch_size, verbose, steps, callbacks, pack_examples=pack_examples
        )

    def embed(self, texts, batch_size=None):
        """A vector for each text.

        Args:
            texts: list of str.
            batch_size: int. Defaults to 32.

        Returns:
            float32 array, `(N, D)`.
        """
        return self.predict(check_texts(texts), batch_size=batch_size).astype("float32")

    def similarity(self, firsts, seconds, batch_size=None):
        """The cosine of each text with each other.

        Args:
            firsts, seconds: lists of str, or vectors `(N, D)`.
            batch_size: int. Defaults to 32.

        Returns:
            float32 array, `(number of firsts, number of seconds)`.
        """
        return cosines(self._vectors(firsts, batch_size), self._vectors(seconds, batch_size))

    def search(self, queries, corpus, top_k=5, vectors=None, batch_size=None, block_size=65536):
        """The texts of a corpus that come nearest to each query, by cosine.

        Args:
            queries: list of str, or vectors `(N, D)`.
            corpus: list of str.
            top_k: int.
            vectors: array `(len(corpus), D)` or None. What `embed(corpus)` gave, to save its time.
            batch_size: int. Defaults to 32.
            block_size: int. Texts of the corpus that are compared at once.

        Returns:
            list of lists of dicts `index`, `score` and `text`, the nearest first; equal scores in
            the corpus's order.

        Raises:
            ValueError: the vectors are not those of the corpus, or `top_k` or `block_size` is
                below 1.
        """
        check_count("top_k", top_k)
        check_count("block_size", block_size)
        corpus = check_texts(corpus)
        vectors = self.embed(corpus, batch_size) if vectors is None else np.asarray(vectors)
        check_vectors(vectors, len(corpus), self.output.shape[-1])
        asked = self._vectors(queries, batch_size)
        return nearest_texts(asked, vectors, corpus, top_k, block_size)

    def _vectors(self, texts, batch_size):
        if isinstance(texts, np.ndarray) and texts.ndim == 2:
            return texts
        return self.embed(texts, batch_size)

    # === Export ===

    def service(self, folder):
        from keras_bert_zoo.export.services.vectors import VectorService

        return VectorService(self, folder)

    def served(self, x):
        return {"embedding": self.predict(x)}

    def named_outputs(self, outputs):
        return {"embedding": outputs}

    # === In and out ===

    def task_config(self):
        return {
            **super().task_config(),
            "pooling": self.pooling,
            "layers": self.chosen_layers,
            "combine": self.combine,
            "normalize": self.normalize,
        }

    @classmethod
    def from_preset(cls, source, *, load_weights=True, max_length=None, ignore=(), **options):
        """As `Task.from_preset`; a folder of sentence-transformers brings its own pooling.

        Raises:
            CheckpointError: as there; or the folder asks for steps that are not supported.
        """
        found = pretrained.open_pretrained(source, load_weights, tokenizer=True, ignore=ignore)
        settings = read_settings(found.folder) if found.task is None else {}
        length = settings.pop("max_length", None)
        return super().from_preset(
            source,
            load_weights=load_weights,
            max_length=length if max_length is None else max_length,
            ignore=ignore,
            **{**settings, **{k: v for k, v in options.items() if v is not None}},
        )

    def export_to_transformers(self, directory):
        """As `Task.export_to_transformers`; sentence-transformers loads the folder, too.

        Raises:
            CheckpointError: the vectors are not made from the last layer alone.
        """
        if layer_numbers(self.chosen_layers, self.config.num_layers) != [self.config.num_layers]:
            raise CheckpointError(
                "sentence-transformers pools the last layer alone; this embedder has "
                f"layers={self.chosen_layers!r}."
            )
        super().export_to_transformers(directory)

    def write_companions(self, folder):
        super().write_companions(folder)
        length = self.preprocessor and self.preprocessor.max_length
        write_settings(folder, self.pooling, self.normalize, self.config.hidden_dim, length)
