"""Moves weights between a foreign checkpoint and Keras variables, by the rows of a `Dialect`."""

import dataclasses
import fnmatch
import re

import numpy as np
from keras import ops

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.table import Row, split_part
from keras_bert_zoo.checkpoints.variables import fill

ALWAYS_TRIED = ("encoder", "pooler")
_ENCODER_PATH = re.compile(r"embeddings/|embedding_projection/|layer_\d+/")


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What became of each tensor of a checkpoint and of each weight of the model.

    Args:
        loaded: tuple of str. The checkpoint's names of the tensors that were read.
        newly_initialised: tuple of str. Paths of the model's weights that the checkpoint lacks;
            they hold fresh random values and want training.
        unused: tuple of str. The checkpoint's names of tensors that this model has no place for
            (another task's head, upper layers, a pooler).
    """

    loaded: tuple = ()
    newly_initialised: tuple = ()
    unused: tuple = ()

    def __str__(self):
        parts = [f"{len(self.loaded)} tensors loaded"]
        for title in ("newly_initialised", "unused"):
            names = getattr(self, title)
            parts.append(f"{title.replace('_', ' ')}: {', '.join(names) if names else 'none'}")
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
    """The tensors of a checkpoint under the canonical names of its dialect.

    Args:
        tensors: mapping of str to array. As the checkpoint's file has them; read one by one.
        dialect: Dialect.
        num_layers: int. Encoder layers that the checkpoint holds.
        num_heads: int. Its attention heads.
        architectures: tuple of str. The architectures that its configuration names.
        source: str. Where it came from, for messages.
    """

    tensors: object
    dialect: object
    num_layers: int
    num_heads: int
    architectures: tuple
    source: str

    def names(self):
        """Canonical name -> the checkpoint's own name; tensors without weights left out."""
        canonical = {}
        for name in self.tensors:
            clean = name.removeprefix(self.dialect.prefix)
            for old, new in self.dialect.aliases.items():
                if clean.endswith(old):
                    clean = clean.removesuffix(old) + new
            if not any(re.fullmatch(p, clean) for p in self.dialect.meaningless):
                canonical[clean] = name
        return canonical

    def has_group(self, group):
        """Whether the checkpoint holds at least one tensor of a group."""
        names = self.names()
        return any(row.theirs in names for row in self.dialect.rows([group], self.num_layers))

    def head_groups(self):
        """The heads of the checkpoint: those of its architecture, else those its tensors fit."""
        known = [a for a in self.architectures if a in self.dialect.architectures]
        if known:
            groups = self.dialect.architectures[known[0]]
        else:
            groups = [group for group in self.dialect.groups if self.has_group(group)]
        return tuple(group for group in groups if group not in ALWAYS_TRIED)


def load(variables, weights, heads=None, ignore=()):
    """Fills Keras variables from a checkpoint.

    Args:
        variables: list of Keras variables. Their paths are matched with the rows.
        weights: ForeignWeights.
        heads: iterable of str or None. Groups beside the encoder and the pooler that may be read;
            None for those of the checkpoint's architecture.
        ignore: iterable of str. Glob patterns of tensors that may stay unread though unknown.

    Returns:
        TransferReport.

    Raises:
        CheckpointError: a tensor is unknown, a needed one is missing, or a shape does not fit.
    """
    dialect, names = weights.dialect, weights.names()
    _check_known(names, weights, ignore)
    heads = weights.head_groups() if heads is None else tuple(heads)
    ours = {variable.path: variable for variable in variables}
    layers = _layers_of(ours, dialect, weights.num_layers)

    values, consumed = {}, []
    _check_placed(names, weights, ours, layers)
    for group in (*ALWAYS_TRIED, *heads):
        rows = [row for row in dialect.rows([group], layers) if row.ours in ours]
        missing = [row.theirs for row in rows if row.theirs not in names]
        if group != "encoder" and len(missing) == len(rows):
            continue
        if missing:
            raise CheckpointError(
                f"{weights.source}: {len(missing)} tensors are missing: {_short_list(missing)}."
            )
        _check_tied(names, weights, group)
        for row in rows:
            tensor = np.asarray(weights.tensors[names[row.theirs]])
            values.setdefault(row.ours, {})[row.part] = (
                row,
                row.layout.to_ours(tensor, weights.num_heads),
            )
            consumed.append(names[row.theirs])

    fill(
        [(ours[path], _parts(ours[path], parts, weights.source)) for path, parts in values.items()]
    )
    return TransferReport(
        loaded=tuple(sorted(consumed)),
        newly_initialised=tuple(sorted(set(ours) - set(values))),
        unused=tuple(sorted(set(names.values()) - set(consumed))),
    )


def dump(variables, dialect, groups, num_heads):
    """The tensors of a foreign checkpoint, from Keras variables.

    Args:
        variables: list of Keras variables.
        dialect: Dialect.
        groups: iterable of str. The groups to write beside the encoder.
        num_heads: int. Attention heads of the encoder.

    Returns:
        dict of str to numpy array, under the dialect's canonical names (no prefix).

    Raises:
        CheckpointError: a variable has no row in these groups, and so would be lost.
    """
    ours = {variable.path: variable for variable in variables}
    layers = _layers_of(ours, dialect, upper=None)
    tensors, written = {}, set()
    for row in dialect.rows(("encoder", *groups), layers):
        if row.ours not in ours:
            continue
        value = ops.convert_to_numpy(ours[row.ours])
        if row.part is not None:
            value = split_part(value, row.part)
        tensors[row.theirs] = np.ascontiguousarray(row.layout.to_theirs(value, num_heads))
        written.add(row.ours)
    lost = sorted(set(ours) - written)
    if lost:
        raise CheckpointError(f"This format has no place for: {_short_list(lost)}.")
    return tensors


def load_own(variables, tensors, source):
    """Fills Keras variables from tensors that are named by their variable paths.

    Args:
        variables: list of Keras variables.
        tensors: mapping of path to numpy array.
        source: str. For messages.

    Returns:
        TransferReport.

    Raises:
        CheckpointError: a weight of the encoder, or part of a head, is missing; or a shape does
            not fit.
    """
    ours = {variable.path: variable for variable in variables}
    there = {path.split("/")[0] for path in tensors}
    missing = [
        path
        for path in ours
        if path not in tensors and (_ENCODER_PATH.match(path) or path.split("/")[0] in there)
    ]
    if missing:
        raise CheckpointError(
            f"{source}: {len(missing)} weights are missing: {_short_list(missing)}."
        )
    shared = sorted(set(ours) & set(tensors))
    fill(
        (ours[path], _parts(ours[path], {None: (Row(path, path), tensors[path])}, source))
        for path in shared
    )
    return TransferReport(
        loaded=tuple(shared),
        newly_initialised=tuple(sorted(set(ours) - set(shared))),
        unused=tuple(sorted(set(tensors) - set(shared))),
    )


def add_prefix(tensors, dialect):
    """The tensors with the dialect's prefix before the names of the encoder and the pooler."""
    layers = 1 + max(
        (int(n) for name in tensors for n in re.findall(r"\.(\d+)\.", name)), default=0
    )
    base = {row.theirs for row in dialect.rows(ALWAYS_TRIED, layers)}
    return {(dialect.prefix + name if name in base else name): t for name, t in tensors.items()}


def _layers_of(ours, dialect, upper):
    """How many layers the model has, by its variable paths; at most `upper`."""
    numbers = [int(n) for path in ours for n in re.findall(r"^layer_(\d+)/", path)]
    layers = 1 + max(numbers, default=-1)
    return layers if upper is None else min(layers, upper)


def _check_known(names, weights, ignore):
    known = {row.theirs for row in weights.dialect.rows(weights.dialect.groups, weights.num_layers)}
    known.update(weights.dialect.tied)
    unknown = [
        original
        for canonical, original in names.items()
        if canonical not in known and not any(fnmatch.fnmatch(original, p) for p in ignore)
    ]
    if unknown:
        raise CheckpointError(
            f"{weights.source}: {len(unknown)} tensors are unknown, and are not dropped silently: "
            f"{_short_list(unknown)}. Pass ignore=[…] with their names to leave them out."
        )


def _check_placed(names, weights, ours, layers):
    """The encoder must have a place for all that the checkpoint has of these layers."""
    rows = weights.dialect.rows(["encoder"], layers)
    lost = [names[row.theirs] for row in rows if row.theirs in names and row.ours not in ours]
    if lost:
        raise CheckpointError(
            f"{weights.source}: this configuration has no place for {_short_list(lost)}."
        )


def _check_tied(names, weights, group):
    """A tensor that should repeat another must do so, where a group that ties them is read."""
    for copy, (original, tying_group) in weights.dialect.tied.items():
        if tying_group != group or copy not in names or original not in names:
            continue
        if not np.array_equal(weights.tensors[names[copy]], weights.tensors[names[original]]):
            raise CheckpointError(
                f"{weights.source}: {names[copy]} differs from {names[original]}; this model ties "
                "the two, so the decoder would be lost."
            )


def _parts(variable, parts, source):
    """The arrays that make up a variable: a whole tensor, or all parts of one, in their order."""
    wanted = tuple(variable.shape)
    if None not in parts:
        wanted = (*wanted[:-1], wanted[-1] // len(parts))
    for row, value in parts.values():
        if tuple(value.shape) != wanted:
            raise CheckpointError(
                f"{source}: {row.theirs} gives the shape {tuple(value.shape)}; {variable.path} "
                f"needs {wanted}{'' if row.part is None else ' there'}."
            )
    return [value for _, (_, value) in sorted(parts.items())]


def _short_list(names, most=6):
    shown = ", ".join(sorted(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
