"""The optimizers of BERT's training: AdamW, warm-up, linear decay, clipping."""

import keras
from keras import ops

from keras_bert_zoo.spelling import did_you_mean
from keras_bert_zoo.training.lamb import Lamb
from keras_bert_zoo.training.sparing import Sparing, backend_steps


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class AdamW(Sparing, keras.optimizers.AdamW):
    """Keras's AdamW, sparing some weights from decay, and slower in the lower layers if told so.

    Both survive saving and loading.

    Args:
        *args, **kwargs: as for `keras.optimizers.AdamW`.
        no_decay: iterable of str. Weights with one of these in their path are not decayed.
            Defaults to LayerNorms and biases.
        layer_decay: float in `(0, 1]`, or None. Factor on the learning rate for each layer below
            the heads; see `layer_rates`.
        bias_correction: bool. False leaves Adam's correction of its first steps out, as Google's
            code does (with an epsilon of 1e-6). Defaults to True.

    Raises:
        ValueError: `layer_decay` is out of range.

    Source: Loshchilov & Hutter 2017; Google's `optimization.AdamWeightDecayOptimizer`.
    """

    def __init__(self, *args, bias_correction=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.bias_correction = bias_correction

    def update_step(self, gradient, variable, learning_rate):
        rate = self.rate_of(variable, learning_rate)
        decays = self.decays(variable)
        first, second = self.bias_corrections(variable.dtype)
        correction = ops.sqrt(second) / first
        steps = backend_steps(variable.dtype)
        if steps is not None and not self.amsgrad:
            index = self._get_variable_index(variable)
            steps.update(
                # On TensorFlow Keras passes its own.
                variable.value if isinstance(variable, keras.Variable) else variable,
                self._momentums[index].value,
                self._velocities[index].value,
                ops.cast(gradient, variable.dtype),
                alpha=rate * correction if self.bias_correction else rate,
                decay=rate * self.weight_decay if decays else None,
                beta_1=self.beta_1,
                beta_2=self.beta_2,
                epsilon=self.epsilon,
            )
            return
        if decays:
            self.assign_sub(variable, ops.multiply(variable, rate * self.weight_decay))
        # Keras's own step corrects.
        super().update_step(gradient, variable, rate if self.bias_correction else rate / correction)

    def get_config(self):
        return {**super().get_config(), "bias_correction": self.bias_correction}


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


# What each algorithm is made of.
_ALGORITHMS = {
    "adamw": (AdamW, {}),
    "google": (AdamW, {"bias_correction": False, "epsilon": 1e-6}),
    "lamb": (Lamb, {"epsilon": 1e-6}),
}


def create_optimizer(
    learning_rate,
    num_train_steps=None,
    warmup_ratio=0.1,
    weight_decay=0.01,
    layer_decay=None,
    algorithm="adamw",
    **kwargs,
):
    """The optimizer that BERT is fine-tuned and pre-trained with.

    Args:
        learning_rate: float. The peak; for fine-tuning the paper tries 5e-5, 3e-5 and 2e-5, for
            pre-training it takes 1e-4.
        num_train_steps: int or None. Batches in the whole training. None keeps the rate constant.
        warmup_ratio: float in `[0, 1]`. Share of the steps that rise to the peak.
        weight_decay: float. Decoupled; LayerNorms and biases are spared.
        layer_decay: float in `(0, 1]`, or None. Factor on the learning rate for each layer below
            the heads; ELECTRA takes 0.8 and 0.9. None for one rate.
        algorithm: str. `"adamw"`; `"google"`, the same without bias correction and with an epsilon
            of 1e-6, as BERT was trained; or `"lamb"`, for batches of thousands of rows.
        **kwargs: for the optimizer, such as `gradient_accumulation_steps`; `global_clipnorm`
            defaults to 1.

    Returns:
        AdamW or Lamb.

    Raises:
        ValueError: the number of steps, the ratio, `layer_decay` or `algorithm` is none.

    Source: Devlin et al. 2018, A.2 and A.3; You et al. 2019.
    """
    if algorithm not in _ALGORITHMS:
        raise ValueError(
            f"algorithm must be one of {', '.join(_ALGORITHMS)}; got {algorithm!r}."
            f"{did_you_mean(algorithm, _ALGORITHMS)}"
        )
    if num_train_steps is not None:
        if num_train_steps < 1:
            raise ValueError(f"num_train_steps must be at least 1; got {num_train_steps!r}.")
        if not 0 <= warmup_ratio <= 1:
            raise ValueError(f"warmup_ratio must lie in [0, 1]; got {warmup_ratio!r}.")
        warmup_steps = int(num_train_steps * warmup_ratio)
        learning_rate = WarmupLinearDecay(learning_rate, num_train_steps, warmup_steps)
    made, settings = _ALGORITHMS[algorithm]
    settings = {"global_clipnorm": 1.0, **settings, **kwargs}
    return made(learning_rate, weight_decay=weight_decay, layer_decay=layer_decay, **settings)
