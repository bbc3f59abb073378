"""Steps of training by TensorFlow's own operators: AdamW's in place, and clipping.

Keras's make several new tensors of each weight's size where XLA does not join them.
"""

import tensorflow as tf


def update(value, momentum, velocity, gradient, alpha, decay, beta_1, beta_2, epsilon):
    """Moves one weight by Adam's rule, and its two running means with it.

    Not for half precision: the operator takes its constants in the type of the weight, in which
    `1 - beta_2` may be 0.

    Args:
        value, momentum, velocity: `tf.Variable`s of one shape.
        gradient: tensor of that shape.
        alpha: 0-d tensor. The learning rate with Adam's bias correction.
        decay: 0-d tensor or None. The learning rate times the weight decay.
        beta_1, beta_2, epsilon: float. Adam's constants, as Keras counts them.
    """
    if decay is not None:
        value.assign_sub(value * decay)
    tf.raw_ops.ResourceApplyAdam(
        var=value.handle,
        m=momentum.handle,
        v=velocity.handle,
        # The bias correction is in `alpha`.
        beta1_power=tf.zeros((), value.dtype),
        beta2_power=tf.zeros((), value.dtype),
        lr=alpha,
        beta1=tf.cast(beta_1, value.dtype),
        beta2=tf.cast(beta_2, value.dtype),
        epsilon=tf.cast(epsilon, value.dtype),
        grad=gradient,
    )


def clip_by_global_norm(gradients, limit):
    """As `torch_steps.clip_by_global_norm`, of TensorFlow's tensors."""
    # Not `tf.clip_by_global_norm`, which takes gradients of one type alone.
    norm = tf.linalg.global_norm([tf.cast(g, "float32") for g in gradients if g is not None])
    scale = limit / tf.maximum(norm, limit) + (norm - norm)
    return [None if g is None else g * tf.cast(scale, g.dtype) for g in gradients]
