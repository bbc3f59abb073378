"""The encoder as a Keras model, and the named classes of its families."""

import keras

from keras_bert_zoo import pretrained, transformers_export
from keras_bert_zoo.config import EncoderConfig
from keras_bert_zoo.encoder_inputs import EncoderModel, encoder_inputs, is_packed
from keras_bert_zoo.extended_backbone import ExtendedBackbone
from keras_bert_zoo.families import FAMILIES
from keras_bert_zoo.keras_hub_conversion import KerasHubConversion
from keras_bert_zoo.layers import AttentionMask, EncoderBlock, Pooler
from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.embeddings import EncoderEmbeddings
from keras_bert_zoo.layers.initial_weights import initializer, weights_follow
from keras_bert_zoo.packed_encoder import encode_packed
from keras_bert_zoo.plain_encoder import encode_plainly


class Backbone(KerasHubConversion, EncoderModel):
    """An encoder: token ids in, hidden states out. Use a named class, or `Backbone.from_preset`.

    Args:
        dtype: dtype policy of every layer: `"float32"`, `"bfloat16"`, `"mixed_bfloat16"`,
            `"mixed_float16"` … Defaults to Keras's own.
        name: str or None.
        trainable: bool.
        frozen_layers: iterable of str. Names of layers that are not trained.
        remat: bool. Whether training keeps each block's input alone and computes the rest again
            for the gradients: less memory, more time. `backbone.remat = True` does it later too,
            for a model that is not in training yet.
        **fields: the fields of `EncoderConfig`.

    Call arguments:
        inputs: dict of
            token_ids: int, `(B, L)`. Ids in `[0, vocabulary_size)`.
            segment_ids: int, `(B, L)`, optional. Defaults to segment 0.
            padding_mask: int or bool, `(B, L)`, optional. 1 at real tokens; defaults to all real.
            packed_rows, packed_places: int, both or neither. For examples that share rows while
                they are encoded; see `packed_encoder`.
        only: str or None. The one output that is wanted; for the pooled one the last block does a
            quarter of its work. Defaults to None: all.

    Returns:
        dict: `sequence_output`, float, `(B, L, D)`; with a pooler `pooled_output`, float, `(B, D)`;
        or `only` one of them.

    Raises:
        ValueError: a field or an input is wrong; the message says which.

    Source: Devlin et al. 2018, §3; google-research/bert, `modeling.py`.
    """

    family = None

    def __init__(
        self,
        *,
        dtype=None,
        name=None,
        trainable=True,
        frozen_layers=(),
        remat=False,
        **fields,
    ):
        if self.family is None:
            raise TypeError("Backbone is abstract; use BertBackbone or Backbone.from_preset.")
        config = EncoderConfig.from_dict(fields)

        # === Layers ===
        dtype = keras.dtype_policies.get(dtype)
        embeddings = EncoderEmbeddings(
            vocabulary_size=config.vocabulary_size,
            embedding_dim=config.embedding_dim,
            max_sequence_length=config.max_sequence_length,
            num_segments=config.num_segments,
            position_offset=config.position_offset,
            dropout=config.dropout,
            layer_norm_epsilon=config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            dtype=dtype,
            name="embeddings",
        )
        blocks = [
            EncoderBlock(
                num_heads=config.num_heads,
                intermediate_dim=config.intermediate_dim,
                activation=config.activation,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                layer_norm_epsilon=config.layer_norm_epsilon,
                initializer_range=config.initializer_range,
                dtype=dtype,
                name=f"layer_{i}",
            )
            for i in range(1 if config.share_layers else config.num_layers)
        ]

        # === Functional model ===
        inputs = encoder_inputs()
        attention_mask = AttentionMask(name="attention_mask")(inputs["padding_mask"])
        hidden = embeddings(inputs["token_ids"], inputs["segment_ids"])  # (B, L, E)
        projection = None
        if config.embedding_dim != config.hidden_dim:
            projection = Dense(
                config.hidden_dim,
                kernel_initializer=initializer(config.initializer_range),
                dtype=dtype,
                name="embedding_projection",
            )
            hidden = projection(hidden)  # (B, L, D)
        hidden_states = [hidden]
        for i in range(config.num_layers):
            hidden = blocks[i % len(blocks)](hidden, attention_mask=attention_mask)
            hidden_states.append(hidden)
        outputs, pooler = {"sequence_output": hidden}, None
        if config.pooler:
            pooler = Pooler(config.initializer_range, dtype=dtype, name="pooler")
            outputs["pooled_output"] = pooler(hidden)

        super().__init__(
            inputs=inputs, outputs=outputs, config=config, name=name, trainable=trainable
        )
        self.dtype_policy = dtype
        self.embeddings = embeddings
        self.embedding_projection = projection
        self.blocks = tuple(blocks)
        self.pooler = pooler
        self._attention_mask = attention_mask
        self._hidden_states = hidden_states
        self.remat = remat
        self.transfer_report = None
        # Keras's own setting does not reach the layers on every backend.
        for layer in self.layers:
            layer.trainable = trainable and layer.name not in frozen_layers

    # === Config ===

    def get_config(self):
        return {
            **self.config.to_dict(),
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
            "frozen_layers": [layer.name for layer in self.layers if not layer.trainable],
            "remat": self.remat,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    # === Call ===

    def call(self, inputs, training=None, mask=None, only=None):
        self._check_output(only)
        inputs = self._fill(inputs)
        if is_packed(inputs):
            return encode_packed(self, inputs, training, only)
        if only or keras.backend.backend() == "torch":
            return encode_plainly(self, inputs, training, only)
        return super().call(inputs, training=training, mask=mask)

    def compute_output_spec(self, inputs, training=None, mask=None, only=None):
        self._check_output(only)
        spec = super().compute_output_spec(inputs, training=training, mask=mask)
        return {only: spec[only]} if only else spec

    def _check_output(self, only):
        if only == "pooled_output" and self.pooler is None:
            raise ValueError("The pooled output needs a backbone with pooler=True.")
        if only not in (None, *self.output):
            raise ValueError(f"only must be one of {', '.join(self.output)}; got {only!r}.")

    # === Training ===

    @property
    def remat(self):
        """Whether training computes what lies within a block twice rather than keep it."""
        return all(block.remat for block in self.blocks)

    @remat.setter
    def remat(self, remat):
        for block in self.blocks:
            block.remat = remat

    # === More outputs ===

    def with_outputs(self, hidden_states=False, attentions=False):
        """A model that shares this one's weights and shows more of what happens inside.

        Args:
            hidden_states: bool. Adds `hidden_states`, a list of `num_layers + 1` float
                `(B, L, D)`: the embeddings, then each block's output.
            attentions: bool. Adds `attentions`, a list of `num_layers` float `(B, H, L, L)`; each
                row sums to 1.

        Returns:
            `keras.Model` over the same inputs; its outputs are this model's and the added ones.
        """
        return ExtendedBackbone(self, hidden_states, attentions)

    # === In and out ===

    @classmethod
    def from_preset(cls, source, load_weights=True, dtype=None, ignore=(), **overrides):
        """A backbone with the configuration and the weights of a model.

        Args:
            source: str or Path. A preset's name (`list_presets()`); `hf://org/name[@revision]`;
                `kaggle://…` (through keras-hub); or a folder: our own, Hugging Face's, Google's
                TF1 checkpoint, or KerasHub's.
            load_weights: bool. False builds the same model with fresh random weights; a preset
                then needs no download.
            dtype: dtype policy, or None for the saved one, else Keras's own.
            ignore: iterable of str. Names of configuration keys, and glob patterns of tensors,
                that may be dropped although this package does not know them.
            **overrides: fields of `EncoderConfig` to change. With weights only those that leave
                the weights alone (`dropout`, `activation` …), `pooler`, and a lower `num_layers`,
                which keeps the lower blocks.

        Returns:
            Backbone, of the named class of the model's family. `transfer_report` tells what was
            loaded.

        Raises:
            ValueError: no such preset or folder (with a near name), or an override does not fit.
            FileNotFoundError: the files are neither here nor to be downloaded.
            CheckpointError: the files are damaged, or hold what would be dropped silently.
        """
        found = pretrained.open_pretrained(source, weights=load_weights, ignore=ignore)
        return cls.from_pretrained(found, dtype, ignore, **overrides)

    @classmethod
    def from_pretrained(cls, found, dtype=None, ignore=(), **overrides):
        """As `from_preset`, for a model that is opened already (`pretrained.open_pretrained`)."""
        named = BACKBONES[found.family.name]
        if not issubclass(named, cls):
            raise ValueError(
                f"{found.source} is of the family {found.family.name}; use {named.__name__} or "
                "Backbone."
            )
        config = found.config_with(overrides)
        backbone = named.for_weights(found, config, dtype)
        if found.has_weights:
            backbone.transfer_report = found.load_into(backbone.weights, heads=(), ignore=ignore)
        return backbone

    @classmethod
    def for_weights(cls, found, config, dtype=None):
        """A backbone for the weights of an opened model, which are still to be loaded, if any."""
        with weights_follow(*found.backbone_parts):
            return cls(**config.to_dict(), dtype=found.policy(dtype))

    def save_to_preset(self, directory, weights_dtype=None):
        """Writes a folder that `from_preset` reads back.

        Args:
            directory: str or Path. Made if it is not there.
            weights_dtype: str or None. `"float16"` halves the file, and rounds to 11 bits; None
                keeps every bit.

        Raises:
            ValueError: `weights_dtype` is none of these, or a weight is beyond its range.
        """
        content = pretrained.description(self.family, self.config, self.dtype_policy)
        pretrained.save_own(directory, content, self.weights, weights_dtype=weights_dtype)

    def export_to_transformers(self, directory):
        """Writes a folder that the family's base class in `transformers` loads.

        Args:
            directory: str or Path. Made if it is not there.

        Raises:
            CheckpointError: transformers has no place for a field of this encoder.
        """
        architecture = transformers_export.architecture_of(self.family, ())
        transformers_export.export_to_transformers(
            directory, self.family, self.config, self.weights, architecture
        )


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class BertBackbone(Backbone):
    """BERT's encoder (Devlin et al. 2018). See `Backbone` for arguments, inputs and outputs.

    >>> import keras_bert_zoo as kbz
    >>> backbone = kbz.BertBackbone(
    ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=32
    ... )
    >>> backbone({"token_ids": [[2, 10, 11, 3]]})["pooled_output"].shape[1]
    16
    """

    family = FAMILIES["bert"]


BACKBONES = {named.family.name: named for named in (BertBackbone,)}
