"""What BERT's optimizers share: weights spared from decay, and slower rates in lower layers."""

import re

import keras
from keras import ops

# Neither LayerNorms nor biases are decayed (Google's `AdamWeightDecayOptimizer`).
NO_DECAY = ("norm", "bias", "gamma", "beta")

# How deep a weight lies, by its path; all else (pooler, heads) lies on top.
_BLOCK = re.compile(r"(?:^|/)layer_(\d+)/")
_BELOW_BLOCKS = re.compile(r"(?:^|/)(?:embeddings|embedding_projection)/")


class Sparing:
    """A base beside a Keras optimizer, whose `update_step` has to decay. Survives saving.

    Args:
        *args, **kwargs: as for the optimizer.
        no_decay: iterable of str. Weights with one of these in their path are not decayed.
        layer_decay: float in `(0, 1]`, or None; see `layer_rates`.

    Raises:
        ValueError: `layer_decay` is out of range.
    """

    def __init__(self, *args, no_decay=NO_DECAY, layer_decay=None, **kwargs):
        if layer_decay is not None and not 0 < layer_decay <= 1:
            raise ValueError(f"layer_decay must lie in (0, 1], or be None; got {layer_decay!r}.")
        super().__init__(*args, **kwargs)
        self.no_decay = tuple(no_decay)
        self.layer_decay = layer_decay

    def build(self, variables):
        if not self.built:
            paths = [variable.path for variable in variables]
            self._rates = layer_rates(paths, self.layer_decay)
            self._spared = [any(name in path for name in self.no_decay) for path in paths]
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        super().apply([_dense(gradient) for gradient in grads], trainable_variables)

    def _clip_gradients(self, grads):
        steps, limit = backend_steps(), self.global_clipnorm or 0
        if steps is None or self.clipnorm or limit <= 0:
            return super()._clip_gradients(grads)
        return steps.clip_by_global_norm(grads, limit)

    def _apply_weight_decay(self, variables):
        """Does nothing: `update_step` decays, since it knows each weight's own rate."""

    def rate_of(self, variable, learning_rate):
        """The learning rate of one weight."""
        rate = self._rates[self._get_variable_index(variable)]
        return ops.cast(learning_rate, variable.dtype) * rate

    def decays(self, variable):
        """Whether a weight is decayed."""
        spared = self._spared[self._get_variable_index(variable)]
        return self._use_weight_decay(variable) and not spared

    def bias_corrections(self, dtype):
        """What Adam's two running means are divided by, as they begin at 0."""
        step = ops.cast(self.iterations + 1, dtype)
        return 1 - ops.power(self.beta_1, step), 1 - ops.power(self.beta_2, step)

    def get_config(self):
        return {
            **super().get_config(),
            "no_decay": list(self.no_decay),
            "layer_decay": self.layer_decay,
        }


def backend_steps(dtype="float32"):
    """The module of steps that the backend has operators for, or None.

    Args:
        dtype: str or `tf.DType`. Of the weights. TensorFlow's operators are for wide numbers.
    """
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.training import torch_steps

        return torch_steps
    wide = keras.backend.standardize_dtype(dtype) in ("float32", "float64")
    if keras.backend.backend() == "tensorflow" and wide:
        from keras_bert_zoo.training import tensorflow_steps

        return tensorflow_steps
    return None


def _dense(gradient):
    """A gradient with each row once.

    TensorFlow gives that of a table by the rows that were looked up, a row as often as it was.
    Keras would square and clip each by itself, so that (a + b)^2 became a^2 + b^2.
    """
    if not hasattr(gradient, "dense_shape"):
        return gradient
    return ops.segment_sum(gradient.values, gradient.indices, gradient.dense_shape[0])


def layer_rates(paths, layer_decay):
    """The factor on the learning rate of each weight.

    Args:
        paths: list of str. Paths of the weights, of which `layer_{i}/…` belongs to block i.
        layer_decay: float or None. None for 1 everywhere.

    Returns:
        list of float: 1 for heads and pooler, `layer_decay ** (L - i)` for block i of L (counted
        from 0), and `layer_decay ** (L + 1)` for the embeddings.

    Source: Clark et al. 2020, A.2; ELECTRA's `optimization._get_layer_lrs`.

    >>> layer_rates(["embeddings/x", "layer_0/x", "layer_1/x", "text_classifier/x"], 0.5)
    [0.125, 0.25, 0.5, 1.0]
    """
    if layer_decay is None:
        return [1.0] * len(paths)
    found = [_BLOCK.search(path) for path in paths]
    layers = 1 + max((int(block[1]) for block in found if block), default=-1)
    depths = [
        layers - int(block[1]) if block else (layers + 1) * bool(_BELOW_BLOCKS.search(path))
        for path, block in zip(paths, found, strict=True)
    ]
    return [float(layer_decay**depth) for depth in depths]
