"""LAMB, for batches of thousands of rows."""

import keras
from keras import ops

from keras_bert_zoo.training.sparing import Sparing


@keras.saving.register_keras_serializable(package="keras_bert_zoo")
class Lamb(Sparing, keras.optimizers.Lamb):
    """AdamW whose step on each weight is as long as the weight's own norm says.

    Keras's own Lamb decays a weight beside its step, and so leaves the decay out of the norm that
    the step is measured by; here it is inside, as in the paper. Weights that are not decayed take
    Adam's plain step, as in Google's code.

    Args:
        *args, **kwargs: as for `keras.optimizers.Lamb`.
        no_decay, layer_decay: as for `AdamW`.

    Raises:
        ValueError: `layer_decay` is out of range.

    Source: You et al. 2019, algorithm 2; google-research/albert, `lamb_optimizer.py`.
    """

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        gradient = ops.cast(gradient, variable.dtype)
        momentum, velocity = self._momentums[index], self._velocities[index]
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        first, second = self.bias_corrections(variable.dtype)
        step = (momentum / first) / (ops.sqrt(velocity / second) + self.epsilon)
        rate = self.rate_of(variable, learning_rate)
        if self.decays(variable):
            step = step + (self.weight_decay or 0.0) * variable
            length, of_step = ops.norm(ops.ravel(variable)), ops.norm(ops.ravel(step))
            both = ops.logical_and(length > 0, of_step > 0)
            rate = rate * ops.where(both, length / ops.where(both, of_step, 1.0), 1.0)
        self.assign_sub(variable, rate * step)
