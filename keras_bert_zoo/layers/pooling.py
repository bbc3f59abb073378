"""From the hidden states of a text to one vector."""

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.layers.dense import Dense
from keras_bert_zoo.layers.initial_weights import initializer


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Pooler(keras.layers.Layer):
    """A dense tanh layer over the first token's hidden state.

    Args:
        initializer_range: float. Standard deviation of new weights. Defaults to 0.02.

    Call arguments:
        sequence_output: float, `(B, L, D)`.

    Returns:
        float, `(B, D)`.

    Source: Google's `modeling.BertModel`, scope `pooler`.
    """

    def __init__(self, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.initializer_range = initializer_range

    def build(self, sequence_shape):
        self.dense = Dense(
            sequence_shape[-1],
            activation="tanh",
            kernel_initializer=initializer(self.initializer_range, part="pooler"),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((sequence_shape[0], sequence_shape[-1]))
        self.built = True

    def call(self, sequence_output):
        return self.dense(sequence_output[:, 0])  # (B, D)

    def compute_output_shape(self, sequence_shape):
        return (sequence_shape[0], sequence_shape[-1])

    def get_config(self):
        return {**super().get_config(), "initializer_range": self.initializer_range}


POOLINGS = ("cls", "mean", "max", "mean_sqrt_length", "weighted")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class TextPooling(keras.layers.Layer):
    """Makes one vector of the hidden states of a text's tokens, special tokens included.

    Args:
        mode: str. `"cls"` takes the first token's; `"mean"`; `"max"`, for each number the largest;
            `"mean_sqrt_length"`, the sum over the square root of the length; `"weighted"`, a mean
            in which the n-th token weighs n.

    Call arguments:
        hidden: float, `(B, L, D)`.
        padding_mask: `(B, L)`. 1 at real tokens.

    Returns:
        float, `(B, D)`. Zeros for a row without real tokens.

    Raises:
        ValueError: an unknown mode.

    Source: Reimers & Gurevych 2019, §3; sentence-transformers, `Pooling`; for the weighted mean
    Muennighoff 2022.
    """

    def __init__(self, mode="mean", **kwargs):
        super().__init__(**kwargs)
        if mode not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}; got {mode!r}.")
        self.mode = mode

    def call(self, hidden, padding_mask):
        if self.mode == "cls":
            return hidden[:, 0]
        # Sums over a text are taken in float32: float16 overflows, bfloat16 forgets.
        real = ops.cast(ops.expand_dims(ops.not_equal(padding_mask, 0), -1), "float32")  # (B, L, 1)
        states = ops.cast(hidden, "float32")
        count = ops.sum(real, axis=1)  # (B, 1)
        if self.mode == "max":
            largest = ops.max(ops.where(real > 0, states, -1e9), axis=1)
            return ops.cast(ops.where(count > 0, largest, 0.0), hidden.dtype)
        weights = ops.cumsum(real, axis=1) * real if self.mode == "weighted" else real
        total = ops.sum(states * weights, axis=1)  # (B, D)
        share = ops.sqrt(count) if self.mode == "mean_sqrt_length" else ops.sum(weights, axis=1)
        return ops.cast(total / ops.maximum(share, 1e-9), hidden.dtype)

    def compute_output_shape(self, hidden_shape, padding_mask_shape):
        return (hidden_shape[0], hidden_shape[-1])

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


COMBINATIONS = ("mean", "sum", "concatenate", "weighted")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class LayerMix(keras.layers.Layer):
    """Makes one of the hidden states of several encoder layers.

    Args:
        mode: str. `"mean"`, `"sum"`, `"concatenate"`, or `"weighted"`: a learned scale times a
            mean with learned softmax weights, which starts as the mean.

    Call arguments:
        states: list of n float, `(B, L, D)`.

    Returns:
        float, `(B, L, D)`; `(B, L, n * D)` for `"concatenate"`.

    Raises:
        ValueError: an unknown mode.

    Source: Devlin et al. 2018, §5.3; the weighted sum is that of ELMo (Peters et al. 2018, §3.2).
    """

    def __init__(self, mode="mean", **kwargs):
        super().__init__(**kwargs)
        if mode not in COMBINATIONS:
            raise ValueError(f"combine must be one of {', '.join(COMBINATIONS)}; got {mode!r}.")
        self.mode = mode

    def build(self, states_shape):
        if self.mode == "weighted":
            count = len(states_shape)
            self.weights_of_layers = self.add_weight((count,), initializer="zeros", name="weights")
            self.scale = self.add_weight((), initializer="ones", name="scale")
        self.built = True

    def call(self, states):
        if self.mode == "concatenate":
            return ops.concatenate(states, axis=-1)
        if self.mode == "weighted":
            weights = self.scale * ops.softmax(self.weights_of_layers)
            return sum(weights[i] * state for i, state in enumerate(states))
        total = sum(states)
        return total / len(states) if self.mode == "mean" else total

    def compute_output_shape(self, states_shape):
        *outer, width = states_shape[0]
        return (*outer, width * len(states_shape) if self.mode == "concatenate" else width)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class UnitLength(keras.layers.Layer):
    """Scales vectors to the length 1.

    Call arguments:
        vectors: float, `(B, D)`.

    Returns:
        float, `(B, D)`.
    """

    def call(self, vectors):
        return ops.cast(to_unit_length(ops.cast(vectors, "float32")), vectors.dtype)

    def compute_output_shape(self, vectors_shape):
        return vectors_shape


def to_unit_length(vectors):
    """Vectors along the last axis with the length 1; those that are zero, with zero gradients."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # Not sqrt(0), whose gradient is infinite.
    return vectors * ops.rsqrt(ops.maximum(squares, 1e-24))


def layer_numbers(layers, count):
    """Layers as numbers from 0 (the embeddings) to `count`.

    Raises:
        ValueError: there is no such layer, or none is asked for.
    """
    several = list(layers) if isinstance(layers, (list, tuple, range, np.ndarray)) else [layers]
    numbers = []
    for layer in several:
        whole = isinstance(layer, (int, np.integer)) and not isinstance(layer, bool)
        if not whole or not -count - 1 <= layer <= count:
            raise ValueError(
                f"layers holds {layer!r}; the encoder has the layers 0 (embeddings) to {count}, "
                f"or -1 to {-count - 1} from the end."
            )
        numbers.append(int(layer) % (count + 1))
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"layers must be distinct numbers, at least one; got {layers!r}.")
    return numbers
