"""What JAX does in fewer steps, or with less memory, than Keras does by it."""

import functools
import os

import jax
from jax import numpy as jnp

from keras_bert_zoo import memory
from keras_bert_zoo.layers.devices import MOST_NUMBERS
from keras_bert_zoo.layers.dropout_steps import scale_of

# Most probabilities of inference on CPUs at a time, in float32 4 MiB: larger arrays outgrow the
# caches, and their memory is new each time. In training, which keeps them, `MOST_NUMBERS`.
MOST_PROBABILITIES = 2**20


def random_mask(shape, steps, key):
    """A bool mask, False at `steps` in 65,536 of its places: two from each number drawn.

    Args:
        shape: tuple of ints.
        steps: int, above 0 and below 65,536.
        key: uint32, `(2,)`.
    """
    *rows, width = shape
    bits = jax.random.bits(key, (*rows, -(-width // 2)), "uint32")
    halves = [(bits & 0xFFFF) >= steps, (bits >> 16) >= steps]
    return jnp.concatenate(halves, axis=-1)[..., :width]


def empty(shape, dtype):
    """An array of whatever lies in memory, on CPUs; zeros elsewhere."""
    if jax.default_backend() != "cpu":
        return jnp.zeros(shape, dtype)
    # `jnp.asarray` would copy it.
    return jax.device_put(memory.empty(shape, jnp.dtype(dtype or "float32")))


def is_eager(tensor):
    """Whether a tensor is computed at once, not traced by a compiler or for gradients."""
    return not isinstance(tensor, jax.core.Tracer)


def compiled(function):
    """A function of tensors, compiled for each of their shapes."""
    return jax.jit(function)


def compiled_step(step):
    """A model's whole step, compiled with `compiler_options`.

    Args:
        step: function of a state and more, to outputs and a new state, which takes over the memory
            of the one before. Nothing compiled may be around it.
    """
    return jax.jit(step, donate_argnums=0, compiler_options=compiler_options())


@functools.cache
def compiler_options():
    """XLA's options for whole programs on CPUs: no products by YNNPACK.

    Returns:
        dict. Empty on accelerators, where a release lacks the option, and where `XLA_FLAGS` has it.
    """
    name = "xla_cpu_experimental_ynn_fusion_type"
    if jax.default_backend() != "cpu" or name in os.environ.get("XLA_FLAGS", ""):
        return {}
    try:
        jax.jit(lambda number: number, compiler_options={name: ""}).lower(1.0).compile()
    except (TypeError, jax.errors.JaxRuntimeError):  # `jit`, or XLA, of an older release
        return {}
    return {name: ""}


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


def attention(query, key, value, mask=None):
    """Scaled dot-product attention for a few rows at a time, as it is fastest on CPUs.

    Args:
        query: float, `(B, Q, H, K)`, of Q queries.
        key, value: float, `(B, L, H, K)`.
        mask: broadcast to `(B, H, Q, L)`, or None. True or nonzero where a query may look at a key.

    Returns:
        float, `(B, Q, H, K)`.
    """
    rows, queries, heads, _ = query.shape
    if mask is not None:
        mask = _mask_of_rows(mask, rows)

    def attend(_, query, key, value, mask):
        scores = jnp.einsum("bqhk,blhk->bhql", query, key, preferred_element_type="float32")
        scores = _masked(scores / query.shape[-1] ** 0.5, mask)
        most = jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True))
        shares = jnp.exp(scores - most)
        context = shares.astype(value.dtype) @ jnp.swapaxes(value, 1, 2)  # (B, H, Q, K)
        # Divided here, where there are fewer numbers.
        context = context / jnp.sum(shares, axis=-1, keepdims=True)
        return jnp.swapaxes(context, 1, 2).astype(query.dtype)

    row_size = heads * queries * key.shape[1]
    return _in_parts(attend, MOST_PROBABILITIES, row_size, query, key, value, mask)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def dropped_attention(query, key, value, seed, steps, mask=None):
    """Scaled dot-product attention with dropout on the probabilities.

    One array of them is kept for the gradients, where the steps one by one keep the probabilities
    and where dropout left them: at 512 tokens most of the memory of a training step. On CPUs all
    else that is as large lies in memory for a few rows at a time.

    Args:
        query: float, `(B, H, Q, K)`, of Q queries.
        key, value: float, `(B, H, L, K)`.
        seed: uint32, `(2,)`.
        steps: int, above 0 and below 65,536. How many of as many probabilities are dropped.
        mask: bool, broadcast to `(B, H, Q, L)`, or None. True where a query may look at a key.

    Returns:
        float, `(B, H, Q, K)`. It has no derivatives in forward mode.
    """
    return _attend(query, key, value, seed, steps, mask)[0]


def _attend(query, key, value, seed, steps, mask):
    """The context, and what its gradients need."""
    if mask is not None:
        mask = _mask_of_rows(mask, query.shape[0])

    def attend(number, query, key, value, mask):
        keep_shape = (*query.shape[:3], key.shape[2])
        keep = random_mask(keep_shape, steps, jax.random.fold_in(seed, number))
        return _attend_rows(query, key, value, keep, scale_of(steps), mask)

    context, signed = _in_parts(
        attend, MOST_NUMBERS, _row_size(query, key), query, key, value, mask
    )
    return context, (query, key, value, signed, mask)


def _attend_backward(steps, kept, gradient):
    def backward(_, *rows):
        return _attend_rows_backward(*rows, scale_of(steps))

    query, key, *_ = kept
    parts = _in_parts(backward, MOST_NUMBERS, _row_size(query, key), *kept, gradient)
    return (*parts, None, None)


dropped_attention.defvjp(_attend, _attend_backward)


def _in_parts(function, limit, row_size, *arrays):
    """What a function gives for all rows, where their probabilities are many for a few at a time.

    Args:
        function: function of a number, which differs from part to part, and some of the rows.
        limit: int. Most probabilities at a time.
        row_size: int. Probabilities of one row.
        *arrays: arrays, `(B, …)`, or None.
    """
    rows = arrays[0].shape[0]
    is_known = isinstance(rows, int) and isinstance(row_size, int)  # not so in an open export
    most = max(1, limit // max(1, row_size)) if is_known else None
    if not is_known or rows <= most or jax.default_backend() != "cpu":
        return function(0, *arrays)
    size = max(size for size in range(1, most + 1) if rows % size == 0)
    parts = jax.tree.map(lambda array: array.reshape(-1, size, *array.shape[1:]), arrays)
    found = jax.lax.map(lambda part: function(*part), (jnp.arange(rows // size), *parts))
    return jax.tree.map(lambda array: array.reshape(rows, *array.shape[2:]), found)


def _row_size(query, key):
    """The probabilities of one row: `H * Q * L`, of `(B, H, Q, K)` and `(B, H, L, K)`."""
    _, heads, queries, _ = query.shape
    return heads * queries * key.shape[2]


def _mask_of_rows(mask, rows):
    """A mask as bools of four axes, the first of them whole."""
    mask = jnp.asarray(mask, bool)
    mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    return jnp.broadcast_to(mask, (rows, *mask.shape[1:]))


def _masked(scores, mask):
    # Finite, so that a row with no real token gives numbers rather than NaN.
    return scores if mask is None else jnp.where(mask, scores, -1e9)


def _attend_rows(query, key, value, keep, scale, mask):
    scores = ((query / query.shape[-1] ** 0.5) @ _turned(key)).astype("float32")  # (B, H, Q, L)
    probabilities = jax.nn.softmax(_masked(scores, mask))
    # One array says both: what is taken away turns negative.
    signed = jnp.where(keep, probabilities, -probabilities).astype(query.dtype)
    context = jnp.maximum(signed, 0) @ (value * scale)  # (B, H, Q, K)
    return context, signed


def _attend_rows_backward(query, key, value, signed, mask, gradient, scale):
    root, gradient = query.shape[-1] ** 0.5, gradient * scale
    probabilities = jnp.abs(signed)  # (B, H, Q, L)
    # `jnp.maximum(signed, 0)`, but XLA would join the two, and keep the first until here.
    dropped = (signed + probabilities) * 0.5
    # The gradients of the probabilities times these, which the softmax's are made of.
    weighted = (gradient @ _turned(value)).astype("float32") * dropped
    of_scores = weighted - probabilities * jnp.sum(weighted, axis=-1, keepdims=True)
    if mask is not None:
        of_scores = jnp.where(mask, of_scores, 0)
    of_scores = of_scores.astype(query.dtype)
    # Divided after the sum: half precision would lose small ones before.
    of_query, of_key = (of_scores @ key) / root, _turned(of_scores) @ (query / root)
    return of_query, of_key, _turned(dropped) @ gradient


def _turned(matrices):
    return jnp.swapaxes(matrices, -1, -2)
