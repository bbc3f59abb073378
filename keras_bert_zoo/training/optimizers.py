"""The optimizer of BERT's fine-tuning: AdamW, warm-up, linear decay, clipping."""

import re

import keras
from keras import ops

# Neither LayerNorms nor biases are decayed (Google's `AdamWeightDecayOptimizer`).
NO_DECAY = ("norm", "bias", "gamma", "beta")


# How deep a weight lies, by its path; all else (pooler, heads) lies on top.
_BLOCK = re.compile(r"(?:^|/)layer_(\d+)/")
_BELOW_BLOCKS = re.compile(r"(?:^|/)(?:embeddings|embedding_projection)/")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class AdamW(keras.optimizers.AdamW):
    """Keras's AdamW, sparing some weights from decay, and slower in the lower layers if told so.

    Both survive saving and loading.

    Args:
        *args, **kwargs: as for `keras.optimizers.AdamW`.
        no_decay: iterable of str. Weights with one of these in their path are not decayed.
            Defaults to LayerNorms and biases.
        layer_decay: float in `(0, 1]`, or None. Factor on the learning rate for each layer below
            the heads; see `layer_rates`.

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

    def _apply_weight_decay(self, variables):
        """Does nothing: `update_step` decays, since it knows each weight's own rate."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._rates[index]
        decays = self._use_weight_decay(variable) and not self._spared[index]
        if keras.backend.backend() == "torch" and not self.amsgrad:
            self._update_in_place(gradient, variable, rate, decays)
            return
        if decays:
            self.assign_sub(variable, ops.multiply(variable, rate * self.weight_decay))
        super().update_step(gradient, variable, rate)

    def _update_in_place(self, gradient, variable, rate, decays):
        from keras_bert_zoo.training import torch_adamw

        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        unbiased = ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))
        torch_adamw.update(
            variable.value,
            self._momentums[index].value,
            self._velocities[index].value,
            ops.cast(gradient, variable.dtype),
            alpha=rate * unbiased,
            decay=rate * self.weight_decay if decays else None,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "no_decay": list(self.no_decay),
            "layer_decay": self.layer_decay,
        }


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


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to the peak, then falls linearly to 0.

    Args:
        peak: float. The highest learning rate.
        num_train_steps: int. Steps until it is 0 again.
        warmup_steps: int. Steps until the peak.

    Source: Devlin et al. 2018, A.2; Google's `optimization.create_optimizer`.
    """

    def __init__(self, peak, num_train_steps, warmup_steps):
        self.peak = peak
        self.num_train_steps = num_train_steps
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rising = step / max(self.warmup_steps, 1)
        falling = (self.num_train_steps - step) / max(self.num_train_steps - self.warmup_steps, 1)
        return self.peak * ops.maximum(0.0, ops.where(step < self.warmup_steps, rising, falling))

    def get_config(self):
        return {
            "peak": self.peak,
            "num_train_steps": self.num_train_steps,
            "warmup_steps": self.warmup_steps,
        }


def create_optimizer(
    learning_rate,
    num_train_steps=None,
    warmup_ratio=0.1,
    weight_decay=0.01,
    layer_decay=None,
    **kwargs,
):
    """AdamW as BERT is fine-tuned with it.

    Args:
        learning_rate: float. The peak; the paper tries 5e-5, 3e-5 and 2e-5.
        num_train_steps: int or None. Batches in the whole training. None keeps the rate constant.
        warmup_ratio: float in `[0, 1]`. Share of the steps that rise to the peak.
        weight_decay: float. Decoupled; LayerNorms and biases are spared.
        layer_decay: float in `(0, 1]`, or None. Factor on the learning rate for each layer below
            the heads; ELECTRA takes 0.8 and 0.9. None for one rate.
        **kwargs: for `AdamW`; `global_clipnorm` defaults to 1.

    Returns:
        AdamW.

    Raises:
        ValueError: the number of steps, the ratio or `layer_decay` is out of range.

    Source: Devlin et al. 2018, A.3.
    """
    if num_train_steps is not None:
        if num_train_steps < 1:
            raise ValueError(f"num_train_steps must be at least 1; got {num_train_steps!r}.")
        if not 0 <= warmup_ratio <= 1:
            raise ValueError(f"warmup_ratio must lie in [0, 1]; got {warmup_ratio!r}.")
        warmup_steps = int(num_train_steps * warmup_ratio)
        learning_rate = WarmupLinearDecay(learning_rate, num_train_steps, warmup_steps)
    kwargs.setdefault("global_clipnorm", 1.0)
    return AdamW(learning_rate, weight_decay=weight_decay, layer_decay=layer_decay, **kwargs)
