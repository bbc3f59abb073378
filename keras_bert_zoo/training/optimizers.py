"""The optimizer of BERT's fine-tuning: AdamW, warm-up, linear decay, clipping."""

import keras
from keras import ops

# Neither LayerNorms nor biases are decayed (Google's `AdamWeightDecayOptimizer`).
NO_DECAY = ("norm", "bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class AdamW(keras.optimizers.AdamW):
    """Keras's AdamW, sparing some weights from decay, also after it was saved and loaded.

    Args:
        *args, **kwargs: as for `keras.optimizers.AdamW`.
        no_decay: iterable of str. Weights with one of these in their name are not decayed.
            Defaults to LayerNorms and biases.
    """

    def __init__(self, *args, no_decay=NO_DECAY, **kwargs):
        super().__init__(*args, **kwargs)
        self.no_decay = tuple(no_decay)
        self.exclude_from_weight_decay(var_names=list(self.no_decay))

    def get_config(self):
        return {**super().get_config(), "no_decay": list(self.no_decay)}


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
    learning_rate, num_train_steps=None, warmup_ratio=0.1, weight_decay=0.01, **kwargs
):
    """AdamW as BERT is fine-tuned with it.

    Args:
        learning_rate: float. The peak; the paper tries 5e-5, 3e-5 and 2e-5.
        num_train_steps: int or None. Batches in the whole training. None keeps the rate constant.
        warmup_ratio: float in `[0, 1]`. Share of the steps that rise to the peak.
        weight_decay: float. Decoupled; LayerNorms and biases are spared.
        **kwargs: for `AdamW`; `global_clipnorm` defaults to 1.

    Returns:
        AdamW.

    Raises:
        ValueError: the number of steps or the ratio is out of range.

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
    return AdamW(learning_rate, weight_decay=weight_decay, **kwargs)
