"""Translates a foreign configuration to the fields of `EncoderConfig`, and back."""

import dataclasses

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.config import EncoderConfig
from keras_bert_zoo.spelling import did_you_mean


def read_config(foreign, config_keys, source):
    """Reads a foreign configuration to the letter.

    Args:
        foreign: dict. What the checkpoint's own configuration file says.
        config_keys: ConfigKeys. How that format spells the fields.
        source: str. Where it came from, for messages.

    Returns:
        tuple of `EncoderConfig` and a dict of the foreign keys that belong to tasks.

    Raises:
        CheckpointError: a key is unknown, or holds a value that this encoder cannot express.
    """
    known = {*config_keys.keys, *config_keys.required, *config_keys.handed_on}
    for key, value in foreign.items():
        if key not in known and key not in config_keys.ignored:
            raise CheckpointError(
                f'{source}: the configuration key "{key}" (= {value!r}) is unknown, and is not '
                f"dropped silently.{did_you_mean(key, known)} Remove it if it does not matter."
            )
        accepted = config_keys.required.get(key)
        if accepted is not None and value not in accepted:
            raise CheckpointError(
                f"{source}: this encoder cannot express {key} = {value!r}; "
                f"only {' or '.join(map(repr, accepted))}."
            )

    fields = dict(config_keys.constants)
    for key, field in config_keys.keys.items():
        if key not in foreign and key not in config_keys.defaults:
            raise CheckpointError(f'{source}: the configuration lacks "{key}".')
        value = foreign.get(key, config_keys.defaults.get(key))
        translation = config_keys.values.get(field)
        if translation is not None and _hashable(value) in translation:
            value = translation[value]
        elif field in config_keys.closed:
            raise CheckpointError(
                f"{source}: {key} = {value!r} is not supported; known are "
                f"{', '.join(map(str, translation))}."
            )
        fields[field] = value
    for field, other in config_keys.copies.items():
        fields[field] = fields[other]
    try:
        for field, (other, added) in config_keys.offsets.items():
            fields[field] = fields[other] + added
        for field, other in config_keys.includes.items():
            fields[field] = fields[field] - fields[other]
        config = EncoderConfig.from_dict(fields)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{source}: {error}") from error
    return config, {key: foreign[key] for key in config_keys.handed_on if key in foreign}


def write_config(config, config_keys, target):
    """The foreign configuration of an `EncoderConfig`.

    Args:
        config: EncoderConfig.
        config_keys: ConfigKeys.
        target: str. The format's name, for messages.

    Returns:
        dict. Foreign keys and values.

    Raises:
        CheckpointError: the format cannot express a field.
    """
    foreign = {}
    written = set(config_keys.unwritten)
    for key, field in config_keys.keys.items():
        value = getattr(config, field)
        if field in config_keys.includes:
            value += getattr(config, config_keys.includes[field])
        translation = config_keys.values.get(field, {})
        spelled = [theirs for theirs, ours in translation.items() if ours == value]
        foreign[key] = spelled[0] if spelled and value not in translation else value
        written.add(field)
    expected = {f.name: f.default for f in dataclasses.fields(EncoderConfig)}
    expected["embedding_dim"] = config.hidden_dim
    expected.update(config_keys.constants)
    expected.update({field: getattr(config, o) for field, o in config_keys.copies.items()})
    expected.update({f: getattr(config, o) + n for f, (o, n) in config_keys.offsets.items()})
    for field, value in config.to_dict().items():
        if field not in written and value != expected[field]:
            raise CheckpointError(
                f"{target} cannot express {field} = {value!r}, only {expected[field]!r}."
            )
    return foreign


def _hashable(value):
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
