"""What every task is: a backbone, a head and a text part that load and save together."""

import dataclasses
import inspect
import logging
from pathlib import Path

import keras

from keras_bert_zoo import pretrained, transformers_export
from keras_bert_zoo.backbone import BACKBONES
from keras_bert_zoo.preprocessor import Preprocessor
from keras_bert_zoo.tasks.text_model import TextModel
from keras_bert_zoo.text import TOKENIZER_FILE, Tokenizer
from keras_bert_zoo.training.freezing import freeze, frozen_choice

# Arguments of a task's constructor that `from_preset` fills in.
_NOT_OPTIONS = {"self", "backbone", "preprocessor", "name", "trainable"}

logger = logging.getLogger("keras_bert_zoo")


class Task(TextModel):
    """A backbone with a head, from texts to logits. Abstract.

    Args:
        backbone: Backbone.
        outputs: symbolic outputs over the backbone's inputs.
        inputs: dict of symbolic inputs. Defaults to the backbone's.
        preprocessor: Preprocessor or None. Without one the task takes id arrays only.
        frozen: what of the backbone is not trained; see `freeze`.
        name, trainable: as for Keras.

    Raises:
        ValueError: the preprocessor does not fit the backbone.
    """

    # The head's groups in the tables of checkpoints.
    head_groups = ()
    # Whether an output depends on the backbone's pooler.
    uses_pooler = True
    # Longest row where neither the caller nor a saved task says.
    default_max_length = 512

    def __init__(
        self,
        backbone,
        outputs,
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
        if trainable:
            for layer, flag in flags:
                layer.trainable = flag
        if not isinstance(frozen, str) or frozen != "nothing":
            freeze(backbone, frozen, self._unused)
        for layer in backbone.layers:
            if layer.name in self._unused:
                layer.trainable = False
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

    # === Training ===

    @property
    def frozen(self):
        """What of the backbone is not trained, in the form that `freeze` takes."""
        return frozen_choice(self.backbone, self._unused)

    @property
    def _unused(self):
        return () if self.uses_pooler else ("pooler",)

    def freeze(self, frozen):
        """Chooses what of the backbone stays as it is in training, and compiles anew.

        Args:
            frozen: `"nothing"`; `"embeddings"`; an int n, for the embeddings and the lower n
                blocks; `"backbone"`, for everything but the head; or a list of layer names.

        Raises:
            ValueError: none of these.
        """
        freeze(self.backbone, frozen, self._unused)
        self.compile_again()

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
        names = set(inspect.signature(cls.__init__).parameters) - _NOT_OPTIONS
        chosen, heads = {}, cls.head_groups
        if found.task is not None and found.task["class"] == cls.__name__:
            chosen = dict(found.task["config"])
        elif found.foreign is not None:
            heads = tuple(g for g in cls.head_groups if g in found.foreign.head_groups())
        chosen.update({k: v for k, v in options.items() if k in names and v is not None})
        return cls._load(
            found,
            source,
            chosen,
            heads=heads,
            load_weights=load_weights,
            dtype=dtype,
            ignore=ignore,
            max_length=max_length,
            truncation=truncation,
            overrides={k: v for k, v in options.items() if k not in names},
        )

    @classmethod
    def _load(
        cls,
        found,
        source,
        task_config,
        heads,
        load_weights=True,
        dtype=None,
        ignore=(),
        max_length=None,
        truncation=None,
        overrides=None,
    ):
        """The task on an opened model, with the heads that may be taken from it."""
        named = BACKBONES[found.family.name]
        overrides = dict(overrides or {})
        # A pooler that does nothing is left out, but kept where a task was saved with it.
        kept = found.task is not None and found.config.pooler
        overrides.setdefault("pooler", cls.uses_pooler or kept)
        config = found.config_with(overrides)
        saved = (found.task or {}).get("text_settings") or {}
        if max_length is None:
            most = saved.get("max_length", cls.default_max_length)
            max_length = min(most, config.max_sequence_length)
        truncation = truncation or saved.get("truncation", "longest_first")
        try:
            text = Preprocessor(Tokenizer.from_preset(source), max_length, truncation)
        except FileNotFoundError:  # a model without a tokenizer takes id arrays
            text = None
        backbone = named(**config.to_dict(), dtype=found.policy(dtype))
        task = cls(backbone, preprocessor=text, **task_config)
        if load_weights:
            left_out = tuple(f"{group}/" for group in cls.head_groups if group not in heads)
            new = [weight.path for weight in task.weights if weight.path.startswith(left_out)]
            kept = [weight for weight in task.weights if weight.path not in new]
            report = found.load_into(kept, heads, ignore)
            new = sorted({*report.newly_initialised, *new})
            task.transfer_report = dataclasses.replace(report, newly_initialised=tuple(new))
            logger.info("%s: %s", source, task.transfer_report)
        return task

    def save_to_preset(self, directory):
        """Writes a folder that `from_preset` reads back exactly: weights, labels, tokenizer.

        The optimizer's state is not part of it; `task.save("x.keras")` keeps that too.

        Args:
            directory: str or Path. Made if it is not there.
        """
        config = self.get_config()
        pretrained.save_own(
            directory,
            self.backbone.family,
            self.config,
            self.backbone.dtype_policy,
            self.weights,
            task={
                "class": type(self).__name__,
                "config": self.task_config(),
                "text_settings": config["text_settings"],
            },
            tokenizer=self.preprocessor and self.preprocessor.tokenizer.save_to_preset,
        )

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
        unused = tuple(f"{name}/" for name in self._unused)
        weights = [weight for weight in self.weights if not weight.path.startswith(unused)]
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
