"""What JAX does in fewer steps, or with less memory, than Keras does by it."""

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


def rematerialized(forward, *inputs):
    """`forward(*inputs)`, computed again where gradients need what lies between.

    XLA's compiler for CPUs finds that `jax.checkpoint` computes the same twice, and keeps the first
    results. It does not join what is computed within a branch; which one is taken hangs on a number
    that is not known before. There are no derivatives in forward mode then.

    Args:
        forward: function of `inputs`, to a float array.
        *inputs: float arrays. What else `forward` closes over gets no gradients.
    """
    if jax.default_backend() != "cpu":
        return jax.checkpoint(forward)(*inputs)

    @jax.custom_vjp
    def once(*inputs):
        return forward(*inputs)

    def backward(inputs, gradient):
        def again(gradient):
            return jax.vjp(forward, *inputs)[1](gradient)

        def never(gradient):
            return tuple(jnp.zeros_like(each) for each in inputs)

        number = jnp.sum(gradient[(slice(1),) * gradient.ndim])
        return jax.lax.cond((number == number) | (number != number), again, never, gradient)

    once.defvjp(lambda *inputs: (forward(*inputs), inputs), backward)
    return once(*inputs)


def dropped_attention(query, key, value, keep, scale, mask=None):
    """Scaled dot-product attention with dropout on the probabilities.

    One array of them is kept for the gradients, where the steps one by one keep the probabilities
    and where dropout left them: at 512 tokens most of the memory of a training step.

    Args:
        query: float, `(B, H, Q, K)`.
        key, value: float, `(B, H, L, K)`.
        keep: bool, `(B, H, Q, L)`. False where dropout takes a probability away.
        scale: float. Factor on those it leaves.
        mask: bool, broadcast to `(B, H, Q, L)`, or None. True where a query may look at a key.

    Returns:
        float, `(B, H, Q, K)`. It has no derivatives in forward mode.
    """
    dtype, root = query.dtype, query.shape[-1] ** 0.5
    mask = jnp.ones((1, 1, 1, 1), bool) if mask is None else mask

    @jax.custom_vjp
    def attend(query, key, value):
        return forward(query, key, value)[0]

    def forward(query, key, value):
        scores = ((query / root) @ _turned(key)).astype("float32")
        # Finite, so that a row with no real token gives numbers rather than NaN.
        probabilities = jax.nn.softmax(jnp.where(mask, scores, -1e9))
        # One array says both: what is taken away turns negative.
        signed = jnp.where(keep, probabilities, -probabilities).astype(dtype)
        return jnp.maximum(signed, 0) @ (value * scale), (query, key, value, signed)

    def backward(kept, gradient):
        query, key, value, signed = kept
        gradient = gradient * scale
        size = jnp.abs(signed)
        # As above in other words: of the same the compiler would keep the result until here.
        left = (signed + size) * 0.5
        # The gradients of the probabilities times these, which the softmax's are made of.
        weighted = ((gradient @ _turned(value)) * left).astype("float32")
        of_scores = weighted - size * jnp.sum(weighted, axis=-1, keepdims=True)
        of_scores = (jnp.where(mask, of_scores, 0) / root).astype(dtype)
        return of_scores @ key, _turned(of_scores) @ query, _turned(left) @ gradient

    attend.defvjp(forward, backward)
    return attend(query, key, value)


def _turned(matrices):
    return jnp.swapaxes(matrices, -1, -2)
