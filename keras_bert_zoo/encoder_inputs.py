"""The inputs of every model here: one dict, of which two keys may be left out."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.jax_programs import CompiledModel
from keras_bert_zoo.spelling import did_you_mean


def encoder_inputs():
    """The symbolic inputs of an encoder: three int32 `(B, L)`, by name."""
    names = ("token_ids", "segment_ids", "padding_mask")
    return {name: keras.Input((None,), dtype="int32", name=name) for name in names}


# What tells which examples share a row; see `packed_encoder`.
PACKING = ("packed_rows", "packed_places")

# The shapes of inputs, by their number of axes.
_AXES = {2: "(B, L)", 3: "(B, N, L)"}


def is_packed(inputs):
    """Whether inputs tell which examples share a row."""
    return PACKING[0] in inputs


class EncoderModel(CompiledModel):
    """A functional model over a dict of which `segment_ids` and `padding_mask` may be absent.

    An absent (or None) `segment_ids` is segment 0 everywhere; an absent `padding_mask` counts
    every token as real: it is never guessed from the padding id.

    Args:
        config: EncoderConfig. Its vocabulary and segments bound the ids.
        inputs, outputs, **kwargs: as for a functional `keras.Model`.
    """

    def __init__(self, *args, config, **kwargs):
        super().__init__(*args, **kwargs)
        self.config = config

    # JAX's stateless path enters at `call`, everything else at `__call__`.
    def __call__(self, inputs, *args, **kwargs):
        return super().__call__(self._fill(inputs), *args, **kwargs)

    def call(self, inputs, training=None, mask=None):
        inputs = self._fill(inputs)
        if is_packed(inputs):
            return self.call_packed(inputs, training)
        return super().call(inputs, training=training, mask=mask)

    def call_packed(self, inputs, training=None):
        """As `call`, for examples that share rows.

        Raises:
            ValueError: this model cannot.
        """
        raise ValueError(f"{type(self).__name__} does not pack examples.")

    def _fill(self, inputs):
        packing = {}
        if isinstance(inputs, dict) and any(name in inputs for name in PACKING):
            missing = [name for name in PACKING if inputs.get(name) is None]
            if missing:
                raise ValueError(f"{' and '.join(PACKING)} go together; {missing[0]} is missing.")
            packing = {name: inputs[name] for name in PACKING}
            inputs = {name: value for name, value in inputs.items() if name not in PACKING}
        filled = check_inputs(inputs, self.config, self.input)
        token_ids = filled["token_ids"]
        library = np if isinstance(token_ids, np.ndarray) else ops
        filled.setdefault("segment_ids", library.zeros_like(token_ids))
        filled.setdefault("padding_mask", library.ones_like(token_ids))
        return {**filled, **packing}


def check_inputs(inputs, config, wanted):
    """The inputs without those that are None, lists and numpy arrays as int32.

    The ids of lists and numpy arrays are checked; those of tensors are not, since reading them
    would stop the device.

    Args:
        inputs: dict.
        config: EncoderConfig.
        wanted: dict of symbolic inputs that the model takes, each `(B, L)`, or `(B, N, L)`.

    Returns:
        dict.

    Raises:
        ValueError: no dict, no `token_ids`, an unknown name, another number of axes, or an id out
            of range.
    """
    known = tuple(wanted)
    if not isinstance(inputs, dict):
        raise ValueError(
            f'The inputs must be a dict with "token_ids"; got {type(inputs).__name__}.'
        )
    unknown = [name for name in inputs if name not in known]
    if unknown:
        raise ValueError(
            f'"{unknown[0]}" is no input of this model, which takes {", ".join(known)}.'
            + did_you_mean(unknown[0], known)
        )
    present = {name: value for name, value in inputs.items() if value is not None}
    if "token_ids" not in present:
        raise ValueError('The inputs lack "token_ids".')
    filled = {}
    for name, value in present.items():
        if isinstance(value, (list, tuple, np.ndarray)):
            value = _whole_numbers(name, value, config, _AXES[len(wanted[name].shape)])
        if len(value.shape) != len(wanted[name].shape):
            raise ValueError(
                f"{name} must have the shape {_AXES[len(wanted[name].shape)]}; got "
                f"{tuple(value.shape)}."
            )
        filled[name] = value
    shape = tuple(filled["token_ids"].shape)
    positions = filled.get("mask_positions")
    if isinstance(positions, np.ndarray) and shape[1] is not None:
        _check_range("mask_positions", positions, "the length of token_ids", shape[1])
    for name in ("segment_ids", "padding_mask"):
        if name in filled and _clash(tuple(filled[name].shape), shape):
            raise ValueError(
                f"{name} must have the shape of token_ids, {shape}; got "
                f"{tuple(filled[name].shape)}."
            )
    return filled


def _clash(one, other):
    return any(a != b for a, b in zip(one, other, strict=True) if None not in (a, b))


def _whole_numbers(name, value, config, axes):
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must have the shape {axes}: its rows differ in length."
        ) from error
    if array.dtype.kind not in "iub":
        raise ValueError(f"{name} must hold whole numbers; got the dtype {array.dtype}.")
    limits = {
        "token_ids": ("vocabulary_size", config.vocabulary_size),
        "segment_ids": ("num_segments", max(config.num_segments, 1)),
    }
    if name in limits:
        _check_range(name, array, *limits[name])
    return array.astype("int32")


def _check_range(name, array, limit_name, limit):
    wrong = (array < 0) | (array >= limit)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, where))}] is {array[where]}; {limit_name} is {limit}, "
            f"so ids run from 0 to {limit - 1}."
        )
