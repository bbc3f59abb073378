"""From KerasHub's backbones to ours, and back."""

from keras_bert_zoo import pretrained
from keras_bert_zoo.checkpoints import keras_hub
from keras_bert_zoo.checkpoints.config_keys import write_config
from keras_bert_zoo.checkpoints.transfer import dump


class KerasHubConversion:
    """A mixin for backbones."""

    @classmethod
    def from_keras_hub(cls, backbone, dtype=None, **overrides):
        """A backbone with the weights of a KerasHub backbone object.

        Args:
            backbone: a `keras_hub.models.BertBackbone`.
            dtype: dtype policy, or None for Keras's own.
            **overrides: as for `from_preset`.
        """
        return cls.from_pretrained(pretrained.from_keras_hub(backbone), dtype, **overrides)

    def to_keras_hub(self):
        """A KerasHub backbone with these weights.

        Raises:
            ImportError: keras-hub is not installed.
            CheckpointError: KerasHub cannot express a field; its BERT always has
                `activation="gelu_approximate"`, a pooler, and one dropout rate.
        """
        dialect = self.family.dialects["keras_hub"]
        config = write_config(self.config, dialect.config, "KerasHub")
        groups = [group for group in dialect.groups if group != "encoder"]
        tensors = dump(self.weights, dialect, groups, self.config.num_heads)
        class_name = f"{self.family.class_prefix}Backbone"
        return keras_hub.build_backbone(class_name, config, tensors, self.dtype_policy)
