"""What every task is: a backbone, a head and a text part that load and save together."""

import logging
from pathlib import Path

import keras

from keras_bert_zoo import pretrained, transformers_export
from keras_bert_zoo.preprocessor import Preprocessor
from keras_bert_zoo.tasks.exporting import Exportable
from keras_bert_zoo.tasks.loading import build_task, split_options
from keras_bert_zoo.tasks.packable import Packable
from keras_bert_zoo.tasks.text_model import TextModel
from keras_bert_zoo.tasks.trained_parts import PartlyTrained
from keras_bert_zoo.text import Tokenizer
from keras_bert_zoo.tokenizer_files import TOKENIZER_FILE
from keras_bert_zoo.training.freezing import freeze

logger = logging.getLogger("keras_bert_zoo")


class Task(Exportable, Packable, PartlyTrained, TextModel):
    """A backbone with a head, from texts to logits. Abstract.

    Args:
        backbone: Backbone.
        outputs: symbolic outputs over the backbone's inputs.
        encoded: dict of symbolic outputs of the backbone, or None; see `Packable`.
        inputs: dict of symbolic inputs. Defaults to the backbone's.
        preprocessor: Preprocessor or None. Without one the task takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Raises:
        ValueError: the preprocessor does not fit the backbone.
    """

    # The head's groups in the tables of checkpoints.
    head_groups = ()
    # Its parts that only our own format knows, and that go with the head.
    own_groups = ()
    # Longest row where neither the caller nor a saved task says.
    default_max_length = 512

    def __init__(
        self,
        backbone,
        outputs,
        encoded=None,
        inputs=None,
        preprocessor=None,
        frozen="nothing",
        name=None,
        trainable=True,
    ):
        # Keras would set these by the task's own `trainable`.
        flags = [(layer, layer.trainable) for layer in (backbone, *backbone.layers)]
        super().__init__(
            inputs=dict(inputs or backbone.input),
            outputs=outputs,
            config=backbone.config,
            name=name,
            trainable=trainable,
        )
        self.backbone = backbone
        # Keras scales the loss by this policy where it is mixed_float16.
        self.dtype_policy = backbone.dtype_policy
        self._text_settings = {}
        self.set_preprocessor(preprocessor)
        self.transfer_report = None
        self.set_encoded(encoded)
        if trainable:
            for layer, flag in flags:
                layer.trainable = flag
        if not isinstance(frozen, str) or frozen != "nothing":
            freeze(backbone, frozen)
        self.compile()

    # === Text ===

    def set_preprocessor(self, preprocessor):
        """Gives the task its text part.

        Args:
            preprocessor: Preprocessor or None.

        Raises:
            ValueError: its ids or its longest row do not fit the backbone.
        """
        if preprocessor is not None:
            config = self.config
            if preprocessor.max_length > config.max_sequence_length:
                raise ValueError(
                    f"max_length is {preprocessor.max_length}; the backbone's "
                    f"max_sequence_length is {config.max_sequence_length}."
                )
            if preprocessor.tokenizer.vocabulary_size > config.vocabulary_size:
                raise ValueError(
                    f"The tokenizer has {preprocessor.tokenizer.vocabulary_size} tokens; the "
                    f"backbone's vocabulary_size is {config.vocabulary_size}."
                )
        self.preprocessor = preprocessor

    def save_assets(self, directory):
        """Called by Keras while it writes a `.keras` file: adds the tokenizer."""
        if self.preprocessor is not None:
            path = Path(directory) / TOKENIZER_FILE
            path.write_text(self.preprocessor.tokenizer.to_json(), encoding="utf-8")

    def load_assets(self, directory):
        """Called by Keras while it reads a `.keras` file."""
        path = Path(directory) / TOKENIZER_FILE
        if path.is_file():
            tokenizer = Tokenizer.from_json(path.read_text(encoding="utf-8"))
            self.set_preprocessor(Preprocessor(tokenizer, **self._text_settings))

    # === Config ===

    def task_config(self):
        """The constructor's arguments beside `backbone` and `preprocessor`, as plain data."""
        return {"frozen": self.frozen}

    def get_config(self):
        text = None
        if self.preprocessor is not None:
            text = {
                "max_length": self.preprocessor.max_length,
                "truncation": self.preprocessor.truncation,
            }
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self.task_config(),
            "text_settings": text,
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        backbone = keras.saving.deserialize_keras_object(config.pop("backbone"), custom_objects)
        settings = config.pop("text_settings", None)
        task = cls(backbone, **config)
        task._text_settings = settings or {}
        return task

    # === In and out ===

    @classmethod
    def from_preset(
        cls,
        source,
        *,
        load_weights=True,
        dtype=None,
        max_length=None,
        truncation=None,
        ignore=(),
        **options,
    ):
        """The task on a pre-trained model, with its head where the model has one.

        Args:
            source, load_weights, dtype, ignore: as for `Backbone.from_preset`.
            max_length: int or None. Longest row in tokens. None for the saved one, else the task's
                usual one or the backbone's longest.
            truncation: str or None. See `Preprocessor`.
            **options: the task's own arguments, such as `frozen`, and fields of `EncoderConfig`,
                as for `Backbone.from_preset`. What a saved task says is kept where nothing is
                given.

        Returns:
            the task. `transfer_report` tells which weights are new.

        Raises:
            ValueError, FileNotFoundError, CheckpointError: as for `Backbone.from_preset`.
        """
        found = pretrained.open_pretrained(source, load_weights, tokenizer=True, ignore=ignore)
        own, overrides = split_options(cls, options)
        chosen, heads = {}, cls.head_groups
        if found.task is not None and found.task["class"] == cls.__name__:
            chosen = dict(found.task["config"])
        elif found.foreign is not None:
            heads = tuple(g for g in cls.head_groups if g in found.foreign.head_groups())
        chosen.update({name: value for name, value in own.items() if value is not None})
        return build_task(
            cls,
            found,
            source,
            chosen,
            heads=heads,
            load_weights=load_weights,
            dtype=dtype,
            ignore=ignore,
            max_length=max_length,
            truncation=truncation,
            overrides=overrides,
        )

    def save_to_preset(self, directory, weights_dtype=None):
        """Writes a folder that `from_preset` reads back: weights, labels, tokenizer.

        The optimizer's state is not part of it; `task.save("x.keras")` keeps that too.

        Args:
            directory: str or Path. Made if it is not there.
            weights_dtype: str or None. `"float16"` halves the file, and rounds to 11 bits; None
                keeps every bit.

        Raises:
            ValueError: the model is quantized, or a weight is beyond the range of
                `weights_dtype`.
        """
        pretrained.save_own(
            directory,
            self.description(),
            self.weights,
            tokenizer=self.preprocessor and self.preprocessor.tokenizer.save_to_preset,
            weights_dtype=weights_dtype,
        )

    def description(self):
        """The content of `preset.json`."""
        task = {
            "class": type(self).__name__,
            "config": self.task_config(),
            "text_settings": self.get_config()["text_settings"],
        }
        backbone = self.backbone
        return pretrained.description(backbone.family, self.config, backbone.dtype_policy, task)

    def transformers_fields(self):
        """What the task adds to a `config.json` of transformers."""
        return {}

    def export_to_transformers(self, directory):
        """Writes a folder that the matching class of `transformers` loads, head included.

        Args:
            directory: str or Path. Made if it is not there.

        Raises:
            CheckpointError: transformers has no class for this task, or no place for a field.
        """
        weights = self._used(self.weights)
        if len(weights) < len(self.weights):
            logger.warning("The pooler, which no output depends on, is not exported.")
        transformers_export.export_to_transformers(
            directory,
            self.backbone.family,
            self.config,
            weights,
            transformers_export.architecture_of(self.backbone.family, self.head_groups),
            self.transformers_fields(),
            self.write_companions,
        )

    def write_companions(self, folder):
        """Writes what an export to transformers holds beside configuration and weights."""
        if self.preprocessor is not None:
            self.preprocessor.tokenizer.save_to_preset(folder)
