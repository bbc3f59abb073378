"""The architecture of an encoder: one frozen dataclass, the only list of its fields."""

import dataclasses
import math
import operator

from keras_bert_zoo.spelling import did_you_mean

ACTIVATIONS = ("gelu", "gelu_approximate", "relu", "silu", "tanh")

_SIZES = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "max_sequence_length",
    "embedding_dim",
)
_COUNTS = ("num_segments", "position_offset", "pad_token_id")
_RATES = ("dropout", "attention_dropout")
_SWITCHES = ("pooler", "share_layers")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Every field that shapes a post-LayerNorm encoder, checked when it is made.

    Args:
        vocabulary_size: int. Number of token ids, V.
        num_layers: int. Number of encoder blocks.
        num_heads: int. Attention heads a block, H; must divide `hidden_dim`.
        hidden_dim: int. Width of the hidden states, D.
        intermediate_dim: int. Width of the feed-forward layer, F.
        dropout: float in `[0, 1)`. Dropout after the embeddings and after each sublayer.
        attention_dropout: float in `[0, 1)`. Dropout on the attention probabilities.
        max_sequence_length: int. Longest input, in tokens.
        num_segments: int. Number of segment ids; 0 for an encoder without segments.
        activation: str. `"gelu"` (the exact one, by the error function),
            `"gelu_approximate"` (by tanh, as in Google's code), `"relu"`, `"silu"` or `"tanh"`.
        layer_norm_epsilon: float. Added to the variance in every LayerNorm.
        initializer_range: float. Standard deviation of the truncated normal for new weights.
        embedding_dim: int. Width of the embeddings, E. Defaults to `hidden_dim`; where it
            differs a projection follows the embeddings (ALBERT, ELECTRA).
        share_layers: bool. Whether one block is applied `num_layers` times (ALBERT).
        position_offset: int. Row of the position table that belongs to the first token
            (RoBERTa and XLM-R: `pad_token_id + 1`).
        pooler: bool. Whether a dense tanh layer over the first token gives `pooled_output`.
        pad_token_id: int. Id that fills up short rows. It has no part in the computation;
            it travels with the checkpoint.

    Raises:
        ValueError: a field is out of its range, or two fields do not fit together.

    Source: Devlin et al. 2018, §3; Hugging Face's `BertConfig` for the field by field meaning.
    """

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    dropout: float = 0.1
    attention_dropout: float = 0.1
    max_sequence_length: int = 512
    num_segments: int = 2
    activation: str = "gelu"
    layer_norm_epsilon: float = 1e-12
    initializer_range: float = 0.02
    embedding_dim: int | None = None
    share_layers: bool = False
    position_offset: int = 0
    pooler: bool = True
    pad_token_id: int = 0

    def __post_init__(self):
        if self.embedding_dim is None:
            object.__setattr__(self, "embedding_dim", self.hidden_dim)
        for names, least in ((_SIZES, 1), (_COUNTS, 0)):
            for name in names:
                object.__setattr__(self, name, _whole_number(name, getattr(self, name), least))
        for name in _RATES:
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and below 1; got {value!r}.")
            object.__setattr__(self, name, float(value))
        for name in ("layer_norm_epsilon", "initializer_range"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value < math.inf:
                raise ValueError(f"{name} must be a finite number above 0; got {value!r}.")
            object.__setattr__(self, name, float(value))
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False; got {getattr(self, name)!r}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}."
                + did_you_mean(self.activation, ACTIVATIONS)
            )
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim must divide by num_heads; got {self.hidden_dim} and {self.num_heads}."
            )
        if self.pad_token_id >= self.vocabulary_size:
            raise ValueError(
                f"pad_token_id must be below vocabulary_size; got {self.pad_token_id} and "
                f"{self.vocabulary_size}."
            )

    @classmethod
    def names(cls):
        """The field names, in order."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def from_dict(cls, fields):
        """An `EncoderConfig` from a dict.

        Args:
            fields: dict. Field name to value.

        Raises:
            ValueError: a name is unknown (with the nearest known one), or is missing.
        """
        cls.check_names(fields)
        required = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
        missing = [name for name in required if name not in fields]
        if missing:
            raise ValueError(f"An encoder also needs: {', '.join(missing)}.")
        return cls(**fields)

    @classmethod
    def check_names(cls, fields):
        """Raises a ValueError, with the nearest known name, where a name is not a field."""
        for name in fields:
            if name not in cls.names():
                raise ValueError(
                    f'"{name}" is not a field of EncoderConfig.{did_you_mean(name, cls.names())}'
                )

    def to_dict(self):
        """The fields as a plain dict, ready for JSON."""
        return dataclasses.asdict(self)

    def replace(self, **changes):
        """A copy with some fields changed; unknown names raise as in `from_dict`."""
        return type(self).from_dict({**self.to_dict(), **changes})


def _whole_number(name, value, least):
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}.")
    return number


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
