"""Writes a folder that `transformers` loads."""

import json

from keras_bert_zoo.checkpoints import directory as folders
from keras_bert_zoo.checkpoints.config_keys import write_config
from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.readers import save_safetensors
from keras_bert_zoo.checkpoints.transfer import ALWAYS_TRIED, add_prefix, dump


def export_to_transformers(
    directory, family, config, variables, architecture, fields=None, tokenizer=None
):
    """Writes `config.json`, `model.safetensors` and the tokenizer's files.

    Args:
        directory: str or Path. Made if it is not there; other files in it stay.
        family: Family.
        config: EncoderConfig.
        variables: list of Keras variables. All are written.
        architecture: str. The transformers class, such as `"BertForSequenceClassification"`.
        fields: dict or None. More configuration: labels, problem type.
        tokenizer: callable or None. Called with the folder to write the tokenizer's files to.

    Raises:
        CheckpointError: transformers has no place for a weight or a field.
    """
    dialect = family.dialects["transformers"]
    groups = dialect.architectures[architecture]
    written = write_config(config, dialect.config, "transformers")
    tensors = dump(variables, dialect, groups, config.num_heads)
    if architecture != _base_architecture(dialect):
        tensors = add_prefix(tensors, dialect)
    content = {
        "architectures": [architecture],
        **dialect.extra_fields,
        **written,
        **(fields or {}),
    }
    with folders.replace_files(directory, "config.json") as aside:
        save_safetensors(tensors, aside / "model.safetensors", {"format": "pt"})
        if tokenizer is not None:
            tokenizer(aside)
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (aside / "config.json").write_text(text + "\n", encoding="utf-8")


def architecture_of(family, head_groups):
    """The transformers class that has just these heads.

    Raises:
        CheckpointError: there is none.
    """
    architectures = family.dialects["transformers"].architectures
    for name, groups in architectures.items():
        if set(groups) - set(ALWAYS_TRIED) == set(head_groups):
            return name
    raise CheckpointError(f"transformers has no {family.name} class with {', '.join(head_groups)}.")


def _base_architecture(dialect):
    """The architecture without a head, listed first; its tensors carry no prefix."""
    return next(iter(dialect.architectures))
