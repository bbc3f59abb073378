"""How one checkpoint format names what this package holds: rows for tensors, keys for the config.

A `Dialect` is pure data and reads in both directions, so import and export cannot drift apart.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Layout:
    """An invertible change of shape between a foreign tensor and ours.

    Args:
        name: str. For messages.
        to_ours: callable `(tensor, num_heads) -> tensor`.
        to_theirs: callable `(tensor, num_heads) -> tensor`, its inverse.
    """

    name: str
    to_ours: Callable
    to_theirs: Callable


def _heads_last(tensor, num_heads):
    return tensor.reshape(*tensor.shape[:-1], num_heads, -1)


AS_IS = Layout("as_is", lambda x, _: x, lambda x, _: x)
TRANSPOSE = Layout("transpose", lambda x, _: x.T, lambda x, _: x.T)
# Keras's MultiHeadAttention: (D, H, K) kernels and (H, K) biases, against our (D, D) and (D,).
SPLIT_HEADS = Layout(
    "split_heads", lambda x, _: x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1]), _heads_last
)
# Its output kernel: (H, K, D) against our (D, D).
MERGE_HEADS = Layout(
    "merge_heads",
    lambda x, _: x.reshape(-1, x.shape[-1]),
    lambda x, num_heads: x.reshape(num_heads, -1, x.shape[-1]),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One foreign tensor and the place of ours it fills.

    Args:
        ours: str. Path of a Keras variable; `{i}` stands for the layer number.
        theirs: str. Name of the foreign tensor; `{i}` likewise.
        layout: Layout.
        part: int or None. Which third of a fused query-key-value variable it is (0, 1, 2, along
            the last axis); None for a whole variable.
    """

    ours: str
    theirs: str
    layout: Layout = AS_IS
    part: int | None = None

    def at(self, layer):
        """The row of one layer, with `{i}` filled in."""
        return dataclasses.replace(
            self,
            ours=self.ours.replace("{i}", str(layer)),
            theirs=self.theirs.replace("{i}", str(layer)),
        )

    @property
    def per_layer(self):
        return "{i}" in self.theirs or "{i}" in self.ours


@dataclasses.dataclass(frozen=True)
class Notation:
    """How a framework ends its variable names, and how it lays out a dense kernel."""

    kernel: str
    bias: str
    gamma: str
    beta: str
    kernel_layout: Layout
    separator: str

    def dense(self, ours, theirs, part=None, kernel_layout=None, bias_layout=AS_IS):
        """The two rows of a dense layer."""
        kernel_layout = kernel_layout or self.kernel_layout
        return (
            Row(f"{ours}/kernel", theirs + self.kernel, kernel_layout, part),
            Row(f"{ours}/bias", theirs + self.bias, bias_layout, part),
        )

    def qkv(self, ours, query, key, value, **layouts):
        """The six rows of a fused projection."""
        return tuple(
            row
            for part, theirs in enumerate((query, key, value))
            for row in self.dense(ours, theirs, part, **layouts)
        )

    def norm(self, ours, theirs):
        """The two rows of a LayerNorm."""
        return (Row(f"{ours}/gamma", theirs + self.gamma), Row(f"{ours}/beta", theirs + self.beta))


PYTORCH = Notation(".weight", ".bias", ".weight", ".bias", TRANSPOSE, separator=".")
KERAS = Notation("/kernel", "/bias", "/gamma", "/beta", AS_IS, separator="/")


@dataclasses.dataclass(frozen=True)
class ConfigKeys:
    """How a format spells an `EncoderConfig`.

    Args:
        keys: foreign key -> our field.
        values: our field -> {foreign value: our value}; for fields whose values are spelled
            differently. The first foreign value of ours is the one that is written.
        closed: our fields that take no foreign value but those in `values`.
        defaults: foreign key -> foreign value, where the format lets a key be absent.
        constants: our field -> the value that the format implies and cannot vary.
        copies: our field -> the other of ours that the format uses for it too.
        offsets: our field -> (the other of ours that the format derives it from, the whole number
            that is added to that one).
        includes: our field -> the other of ours that the format's number counts as well.
        required: foreign key -> the values that we can express; any other is an error.
        handed_on: foreign keys that belong to tasks (labels and the like).
        ignored: foreign keys without influence on what an encoder computes.
        unwritten: our fields that may be lost on export, since no number depends on them.
    """

    keys: Mapping[str, str]
    values: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    closed: frozenset = frozenset({"activation"})
    defaults: Mapping[str, object] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, object] = dataclasses.field(default_factory=dict)
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    offsets: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    includes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    required: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    handed_on: frozenset = frozenset()
    ignored: frozenset = frozenset()
    unwritten: frozenset = frozenset()


@dataclasses.dataclass(frozen=True)
class Dialect:
    """One checkpoint format of one family.

    Args:
        config: ConfigKeys.
        groups: group name -> rows. `"encoder"` is always read; `"pooler"` and the heads may be
            absent from a checkpoint, each as a whole.
        prefix: str. What some checkpoints put before the names of the encoder and the pooler.
        aliases: old ending of a tensor name -> its ending today.
        tied: name of a tensor that repeats another -> that other, and the group in which they
            must be equal.
        meaningless: regular expressions of tensors that hold no weights.
        architectures: architecture name -> the groups beside the encoder that it has.
        extra_fields: foreign config keys and values that are written on every export.
    """

    config: ConfigKeys
    groups: Mapping[str, tuple]
    prefix: str = ""
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tied: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    meaningless: tuple = ()
    architectures: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    extra_fields: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def rows(self, groups, num_layers):
        """The rows of some groups, one for each layer where they are by layer."""
        return [
            single
            for group in groups
            for row in self.groups[group]
            for single in ([row.at(i) for i in range(num_layers)] if row.per_layer else [row])
        ]


def split_part(tensor, part):
    """The third `part` of a fused tensor along its last axis."""
    return np.split(tensor, 3, axis=-1)[part]
