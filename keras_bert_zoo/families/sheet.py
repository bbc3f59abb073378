"""The form of a family's data sheet."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Family:
    """What sets one family of models apart, as data.

    Args:
        name: str.
        class_prefix: str. What its classes start with, here and in KerasHub.
        model_types: tuple of str. The `model_type` values of Hugging Face configurations.
        dialects: format name -> `Dialect`.
        tokenizer: str. Which tokenizer the family uses.
        special_tokens: role (`cls`, `sep`, `pad`, `mask`, `unk`) -> the token.
    """

    name: str
    class_prefix: str
    model_types: tuple
    dialects: Mapping
    tokenizer: str
    special_tokens: Mapping[str, str]
