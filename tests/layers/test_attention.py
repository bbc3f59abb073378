"""The fused attention is the written-out one, with masks and without."""

import functools
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zoo import layers

STATES = np.random.default_rng(0).normal(size=(3, 6, 8)).astype("float32")
LENGTHS = np.array([6, 2, 0])
PADDING = np.arange(6) < LENGTHS[:, None]  # (3, 6); the last row has no real token
BLOCKS = PADDING[:, None] & PADDING[:, :, None] & (np.arange(6)[:, None] // 2 == np.arange(6) // 2)


@pytest.mark.parametrize("mask", [None, np.ones((3, 6)), PADDING, BLOCKS])
def test_equals_the_probabilities_times_the_values(mask):
    layer = layers.SelfAttention(2, initializer_range=0.5)
    mask = None if mask is None else layers.AttentionMask()(ops.convert_to_tensor(mask))
    found = ops.convert_to_numpy(layer(STATES, attention_mask=mask))
    probabilities = ops.convert_to_numpy(layer.probabilities(STATES, mask))
    kernel, bias = (ops.convert_to_numpy(weight) for weight in layer.qkv.weights)
    value = (STATES @ kernel + bias)[..., 16:].reshape(3, 6, 2, 4)
    context = np.einsum("bhqk,bkhd->bqhd", probabilities, value).reshape(3, 6, 8)
    kernel, bias = (ops.convert_to_numpy(weight) for weight in layer.output_dense.weights)
    wanted = context @ kernel + bias
    assert np.isfinite(found).all()
    looking = np.ones((3, 6), bool) if mask is None else ops.convert_to_numpy(mask).any((1, 3))
    looking = np.broadcast_to(looking, (3, 6))
    np.testing.assert_allclose(found[looking], wanted[looking], atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch alone")
def test_a_traced_graph_keeps_its_mask():
    import torch

    from keras_bert_zoo.layers import torch_kernels

    states = torch.as_tensor(STATES.reshape(3, 6, 2, 4))
    full, some = (torch.as_tensor(mask)[:, None, None] for mask in (np.ones((3, 6)) > 0, PADDING))

    def attend(mask):
        return torch_kernels.attention(states, states, states, mask)

    assert (attend(full) - attend(some)).abs().max() > 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both are told to be slow, or old
        traced = torch.jit.trace(attend, full)
        each = torch.func.vmap(attend)(torch.stack([full, some]))
    assert torch.equal(traced(some), attend(some))
    assert torch.allclose(each[1], attend(some), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's kernel alone draws it")
def test_dropout_within_the_kernel():
    from keras_bert_zoo.layers import torch_kernels

    query, key, value = (ops.convert_to_tensor(STATES.reshape(3, 6, 2, 4)) for _ in range(3))
    mask = layers.AttentionMask()(ops.convert_to_tensor(PADDING))
    sure = torch_kernels.attention(query, key, value, mask)
    draws = [torch_kernels.attention(query, key, value, mask, dropout=0.4) for _ in range(3000)]
    mean, spread = sum(draws) / len(draws), ops.convert_to_numpy(ops.std(ops.stack(draws), axis=0))
    error = np.abs(ops.convert_to_numpy(mean - sure))[:2]
    assert (error < 5 * spread[:2] / np.sqrt(len(draws)) + 1e-6).all()
    assert spread[0].min() > 0.05


# What may lie around the gradients, or within them.
AROUND = {
    "nothing": lambda jax, gradients, loss: gradients(loss),
    "jit": lambda jax, gradients, loss: jax.jit(gradients(loss)),
    "jit within": lambda jax, gradients, loss: gradients(jax.jit(loss)),
    "checkpoint within": lambda jax, gradients, loss: gradients(jax.checkpoint(loss)),
    "both": lambda jax, gradients, loss: jax.jit(gradients(jax.checkpoint(loss))),
    "scan within": lambda jax, gradients, loss: gradients(
        lambda *arrays: jax.lax.scan(
            lambda total, _: (total + loss(*arrays), None), 0.0, np.zeros(1)
        )[0]
    ),
}


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
@pytest.mark.parametrize("most", [3 * 72, 72, 1])
@pytest.mark.parametrize("queries", [6, 1])
@pytest.mark.parametrize("mask", [None, PADDING.astype(int)[:, None, None], BLOCKS[:, None]])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("bfloat16", 0.02)])
def test_without_dropout(monkeypatch, dtype, tolerance, mask, queries, most):
    import jax

    from keras_bert_zoo.layers import jax_kernels

    monkeypatch.setattr(jax_kernels, "MOST_PROBABILITIES", most)
    states = jax.numpy.asarray(STATES.reshape(3, 6, 2, 4), dtype)
    query, key, value = states[:, :queries] * 3, states * -0.5, states * 2
    mask = mask if mask is None or mask.shape[2] == 1 else mask[:, :, :queries]
    found = jax.jit(jax_kernels.attention)(query, key, value, mask)
    assert (found.shape, found.dtype) == (query.shape, dtype)

    scores = np.einsum("bqhk,blhk->bhql", *(np.asarray(each, "float32") for each in (query, key)))
    scores = scores / 2 if mask is None else np.where(mask, scores / 2, -1e9)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    wanted = np.einsum("bhql,blhk->bqhk", shares, np.asarray(value, "float32"))
    np.testing.assert_allclose(np.asarray(found, "float32"), wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
def test_without_dropout_in_parts_has_gradients(monkeypatch):
    import jax

    from keras_bert_zoo.layers import jax_kernels

    states = jax.numpy.asarray(STATES.reshape(3, 6, 2, 4))

    def loss(attend, states):
        context = attend(states, states * 2, states, mask=PADDING[:2, None, None])
        return (context**2).sum()

    states = states[:2]  # what a row without a real token looks at is not the same in both
    wanted = jax.grad(functools.partial(loss, ops.dot_product_attention))(states)
    for most in (2**20, 1):
        monkeypatch.setattr(jax_kernels, "MOST_PROBABILITIES", most)
        found = jax.grad(functools.partial(loss, jax_kernels.attention))(states)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
def test_an_export_for_any_number_of_rows():
    import jax
    from jax import export

    from keras_bert_zoo.layers import jax_kernels

    states = jax.numpy.asarray(STATES.reshape(3, 6, 2, 4))
    (rows,) = export.symbolic_shape("rows")
    spec = jax.ShapeDtypeStruct((rows, 6, 2, 4), "float32")
    found = export.export(jax.jit(jax_kernels.attention))(spec, spec, spec)
    wanted = jax_kernels.attention(states, states, states)
    np.testing.assert_allclose(found.call(states, states, states), wanted, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
@pytest.mark.parametrize("queries", [6, 1])
@pytest.mark.parametrize("mask", [None, PADDING[:, None, None], BLOCKS[:, None]])
@pytest.mark.parametrize("around", AROUND)
def test_dropout_with_its_own_gradients(around, mask, queries):
    found, wanted = attention_with_gradients(AROUND[around], mask, queries)
    for ours, plain in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-6)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
@pytest.mark.parametrize("mask", [None, np.ones((1, 1, 1, 6), bool), BLOCKS[:, None]])
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("most, parts", [(3 * 72, 1), (2 * 72, 3), (1, 3)])
def test_few_rows_of_probabilities_at_a_time(monkeypatch, most, parts, around, mask):
    from keras_bert_zoo.layers import jax_kernels

    monkeypatch.setattr(jax_kernels, "MOST_NUMBERS", most)
    found, wanted = attention_with_gradients(AROUND[around], mask, 6, parts=parts)
    for ours, plain in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-6)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
def test_the_largest_parts_that_are_all_alike():
    import jax

    from keras_bert_zoo.layers import jax_kernels

    seen, states = [], jax.numpy.arange(12.0).reshape(6, 1, 1, 2)

    def double(number, query, key, mask):
        assert mask is None
        seen.append(query.shape)
        return query * 2 + key[:, :, :1]

    found = jax_kernels._in_parts(double, 4 * 9, 9, states, jax.numpy.zeros((6, 1, 9, 2)), None)
    assert seen == [(3, 1, 1, 2)]
    np.testing.assert_array_equal(found, states * 2)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX's kernel")
@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 0.05), ("float16", 5e-3)])
def test_dropout_with_its_own_gradients_in_half_precision(dtype, tolerance):
    found, wanted = attention_with_gradients(AROUND["jit"], BLOCKS[:, None], 6, dtype)
    for ours, plain in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, plain, atol=tolerance, rtol=tolerance)
        assert ours.dtype == dtype


def attention_with_gradients(around, mask, queries, dtype="float32", parts=1):
    """The kernel's results, and those of its steps one by one."""
    import jax

    from keras_bert_zoo.layers import jax_kernels

    states = STATES.reshape(3, 2, 6, 4)
    given = [jax.numpy.asarray(states * factor, dtype) for factor in (1.0, -0.5, 2.0)]
    given[0] = given[0][:, :, :queries]
    mask = mask if mask is None or mask.shape[2] == 1 else mask[:, :, :queries]
    given.append(mask if mask is None else jax.numpy.asarray(mask))
    seed, steps = jax.numpy.asarray([3, 4], "uint32"), 20_000
    keep = [
        jax_kernels.random_mask((3 // parts, 2, queries, 6), steps, jax.random.fold_in(seed, part))
        for part in range(parts)
    ]
    keep = jax.numpy.concatenate(keep) * (2**16 / (2**16 - steps))

    def ours(query, key, value, mask):
        return jax_kernels.dropped_attention(query, key, value, seed, steps, mask)

    def step_by_step(query, key, value, mask):
        scores = (query @ key.swapaxes(-1, -2) / 2).astype("float32")
        scores = scores if mask is None else jax.numpy.where(mask, scores, -1e9)
        return (jax.nn.softmax(scores) * keep).astype(dtype) @ value

    results = []
    for attend in (ours, step_by_step):

        def loss(*arrays, attend=attend):
            return (attend(*arrays) * states[:, :, :queries]).sum().astype("float32")

        gradients = around(jax, lambda function: jax.grad(function, (0, 1, 2)), loss)
        results.append((attend(*given), *gradients(*given)))
    return results
