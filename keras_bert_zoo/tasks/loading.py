"""A task from a pre-trained model: backbone, text part, weights, and the report of them."""

import dataclasses
import inspect
import logging

from keras_bert_zoo.backbone import BACKBONES
from keras_bert_zoo.preprocessor import Preprocessor
from keras_bert_zoo.text import Tokenizer

# Arguments of a task's constructor that `from_preset` fills in.
_NOT_OPTIONS = {"self", "backbone", "preprocessor", "name", "trainable"}

logger = logging.getLogger("keras_bert_zoo")


def split_options(task_class, options):
    """The task's own arguments, None where nothing is given, and the encoder's fields.

    Args:
        task_class: type. A subclass of Task.
        options: dict. What `from_preset` was given.

    Returns:
        tuple of two dicts.
    """
    names = set(inspect.signature(task_class.__init__).parameters) - _NOT_OPTIONS
    own = {name: options.get(name) for name in names}
    return own, {name: value for name, value in options.items() if name not in names}


def build_task(
    task_class,
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
    """The task on an opened model, with the heads that may be taken from it.

    Args:
        task_class: type. A subclass of Task.
        found: Pretrained.
        source: str or Path. Where the tokenizer is looked for.
        task_config: dict. Arguments of the task.
        heads: tuple of str. Head groups whose weights are taken over.
        load_weights, dtype, ignore, max_length, truncation: as for `Task.from_preset`.
        overrides: dict or None. Fields of `EncoderConfig`.

    Returns:
        the task.
    """
    overrides = dict(overrides or {})
    # A pooler that does nothing is left out, but kept where a task was saved with it.
    kept = found.task is not None and found.config.pooler
    overrides.setdefault("pooler", task_class.uses_pooler or kept)
    config = found.config_with(overrides)
    saved = (found.task or {}).get("text_settings") or {}
    if max_length is None:
        most = saved.get("max_length", task_class.default_max_length)
        max_length = min(most, config.max_sequence_length)
    truncation = truncation or saved.get("truncation", "longest_first")
    try:
        text = Preprocessor(Tokenizer.from_preset(source), max_length, truncation)
    except FileNotFoundError:  # a model without a tokenizer takes id arrays
        text = None
    backbone = BACKBONES[found.family.name].for_weights(found, config, dtype)
    task = task_class(backbone, preprocessor=text, **task_config)
    if load_weights:
        task.transfer_report = _load_weights(task, found, heads, ignore)
        logger.info("%s: %s", source, task.transfer_report)
    return task


def _load_weights(task, found, heads, ignore):
    """Fills the task's weights; those of heads that are left out count as new."""
    groups = [group for group in task.head_groups if group not in heads]
    groups += () if heads else task.own_groups
    left_out = tuple(f"{group}/" for group in groups)
    new = [weight.path for weight in task.weights if weight.path.startswith(left_out)]
    kept = [weight for weight in task.weights if weight.path not in new]
    report = found.load_into(kept, heads, ignore)
    new = sorted({*report.newly_initialised, *new})
    return dataclasses.replace(report, newly_initialised=tuple(new))
