"""An encoder that shows its hidden states and its attention."""

import keras

from keras_bert_zoo.encoder_inputs import EncoderModel
from keras_bert_zoo.layers import AttentionMap


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class ExtendedBackbone(EncoderModel):
    """What `Backbone.with_outputs` gives; its weights are the backbone's own.

    Args:
        backbone: Backbone.
        hidden_states, attentions: bool. As for `with_outputs`.
        name: str or None.
    """

    def __init__(self, backbone, hidden_states=False, attentions=False, name=None):
        states = backbone._hidden_states
        outputs = dict(backbone.output)
        if hidden_states:
            outputs["hidden_states"] = list(states)
        if attentions:
            blocks = backbone.blocks
            outputs["attentions"] = [
                AttentionMap(blocks[i % len(blocks)], name=f"attention_{i}")(
                    hidden, backbone._attention_mask
                )
                for i, hidden in enumerate(states[:-1])
            ]
        super().__init__(inputs=backbone.input, outputs=outputs, config=backbone.config, name=name)
        # The configuration alone: the backbone itself would be tracked as one more layer.
        self._parts = {
            "backbone": keras.saving.serialize_keras_object(backbone),
            "hidden_states": hidden_states,
            "attentions": attentions,
        }

    def get_config(self):
        return {**self._parts, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        backbone = keras.saving.deserialize_keras_object(config.pop("backbone"), custom_objects)
        return cls(backbone, **config)
