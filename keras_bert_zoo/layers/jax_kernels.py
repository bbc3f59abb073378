"""What JAX does in fewer steps than `keras.random`."""

import jax
from jax import numpy as jnp


def random_mask(shape, steps, key):
    """A bool mask, False at `steps` in 65,536 of its places: two from each number drawn.

    Args:
        shape: tuple of ints.
        steps: int, above 0 and below 65,536.
        key: uint32, `(2,)`.
    """
    *rows, width = shape
    bits = jax.random.bits(key, (*rows, -(-width // 2)), "uint32")
    halves = [bits & 0xFFFF, bits >> 16]
    return (jnp.concatenate(halves, axis=-1) >= steps)[..., :width]
