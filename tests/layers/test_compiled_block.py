"""The one compiled function of all blocks gives what the layers give, and knows when not to."""

import gc
import weakref

import keras
import numpy as np
import pytest
from support import count_calls, scramble, tiny_backbone

if keras.backend.backend() == "torch":
    pytest.skip("not on PyTorch", allow_module_level=True)

from keras import ops

from keras_bert_zoo import layers
from keras_bert_zoo.config import ACTIVATIONS
from keras_bert_zoo.layers import compiled_block

ON_JAX = keras.backend.backend() == "jax"
STATES = np.random.default_rng(0).normal(size=(3, 6, 16)).astype("float32")
PADDING = np.arange(6) < np.array([[6], [2], [1]])
CAUSAL = np.broadcast_to(np.tril(np.ones((6, 6), bool)), (3, 6, 6))  # another for each token
IDS = {
    "token_ids": np.random.default_rng(1).integers(0, 20, (3, 6)),
    "segment_ids": np.array([[0, 0, 1, 1, 0, 0]] * 3),
    "padding_mask": PADDING,
}


@pytest.fixture
def taken(monkeypatch):
    """Counts the blocks that were gone through."""
    return count_calls(monkeypatch, compiled_block, "encode")


def made(**settings):
    block = layers.EncoderBlock(2, 32, **settings)
    block.build(STATES.shape)
    return scramble(block)


def by_layers(block, states=STATES, mask=None, first=False):
    found = block._encode(ops.convert_to_tensor(states), mask, False, first)
    return ops.convert_to_numpy(found)


def agree(found, wanted):
    np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "activation, first, allowed",
    [
        *((activation, False, PADDING) for activation in ACTIVATIONS),
        *(("gelu", True, allowed) for allowed in (None, PADDING, CAUSAL)),
        *(("gelu", False, allowed) for allowed in (None, CAUSAL)),
    ],
)
def test_equals_the_layers(taken, activation, first, allowed):
    block = made(activation=activation, layer_norm_epsilon=1e-3)
    mask = None if allowed is None else layers.AttentionMask()(ops.convert_to_tensor(allowed))
    found = block(STATES, attention_mask=mask, first_token_only=first)
    wanted = by_layers(block, mask=mask, first=first)
    assert len(taken) == 1
    assert found.shape == wanted.shape == (3, 1 if first else 6, 16)
    agree(found, wanted)
    block.intermediate.bias.assign_add(np.full(32, 0.1))
    moved = block(STATES, attention_mask=mask, first_token_only=first)
    agree(moved, by_layers(block, mask=mask, first=first))
    assert np.abs(ops.convert_to_numpy(moved) - wanted).max() > 1e-3


def test_all_blocks_and_models_share_one(monkeypatch):
    traced = count_calls(monkeypatch, compiled_block, "affine")
    compiled_block._compiled.cache_clear()
    for _ in range(2):
        backbone = scramble(tiny_backbone(num_layers=3))
        backbone(IDS)
    assert len(traced) == 4  # a block's products, once for six blocks


@pytest.mark.parametrize("rows, length", [(1, 1), (2, 5), (4, 3), (1, 6)])
def test_other_shapes(taken, rows, length):
    block, states = made(), STATES[:1].repeat(rows, axis=0)[:, :length]
    agree(block(states), by_layers(block, states))
    assert len(taken) == 1


@pytest.mark.parametrize("settings", [{}, {"embedding_dim": 8}, {"share_layers": True}], ids=str)
def test_a_whole_encoder(taken, settings):
    backbone = scramble(tiny_backbone(**settings))
    found = backbone(IDS)
    assert len(taken) == 2
    for name, wanted in backbone.predict_on_batch(IDS).items():
        agree(found[name], ops.convert_to_numpy(wanted))
    assert len(taken) == 2


def test_training_takes_the_layers(taken):
    block = made(dropout=0.5)
    one, two = (ops.convert_to_numpy(block(STATES, training=True)) for _ in range(2))
    assert np.abs(one - two).max() > 1e-3
    assert taken == []


def quantize(block):
    block.intermediate.quantize("int8")


def widen(block):
    block.intermediate.enable_lora(2)
    block.intermediate.lora_kernel_b.assign(np.ones((2, 32)))


def bend(block):
    block.intermediate.activation = keras.activations.tanh


def replace(block):
    call = block.attention.call
    block.attention.call = lambda *args, **kwargs: 2 * call(*args, **kwargs)


def without_bias(block):
    block.intermediate.bias = None


def without_scale(block):
    block.output_norm.gamma = None


@pytest.mark.parametrize(
    "change, compiled",
    [(quantize, 0), (widen, 1), (bend, 0), (replace, 0), (without_bias, 0), (without_scale, 0)],
)
def test_changed_layers_count(taken, change, compiled):
    block = made()
    before = ops.convert_to_numpy(block(STATES))
    change(block)
    after = block(STATES)
    agree(after, by_layers(block))
    assert np.abs(before - ops.convert_to_numpy(after)).max() > 1e-4
    assert len(taken) == 1 + compiled


def test_a_regularizer_sees_its_layer(taken):
    block = made()
    block.intermediate.activity_regularizer = keras.regularizers.L2(1.0)
    block(STATES)
    assert taken == [] and float(block.losses[0]) > 0


class Doubled(layers.EncoderBlock):
    def _encode(self, *args, **kwargs):
        return 2 * super()._encode(*args, **kwargs)


def test_a_subclass_keeps_its_own_steps(taken):
    block = Doubled(2, 32)
    agree(block(STATES), by_layers(block))
    assert taken == []


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_other_precisions_take_the_layers(taken, dtype):
    block = made(dtype=dtype)
    assert keras.backend.standardize_dtype(block(STATES).dtype) == block.compute_dtype
    assert taken == []


def test_states_of_another_precision(taken):
    states = ops.cast(STATES, "bfloat16")
    block = made()
    agree(block(states), by_layers(block, ops.cast(states, "float32")))
    assert len(taken) == 1


@pytest.mark.skipif(not ON_JAX, reason="TensorFlow does not mix precisions by itself")
def test_states_that_are_not_cast_take_the_layers(taken):
    made(autocast=False)(ops.cast(STATES, "bfloat16"))
    assert taken == []


def test_weights_of_a_scope(taken):
    block = made()
    values = [ops.convert_to_tensor(variable) * 2 for variable in block.trainable_variables]
    found, _ = block.stateless_call(values, block.non_trainable_variables, STATES)
    assert taken == []
    for variable, value in zip(block.trainable_variables, values, strict=True):
        variable.assign(value)
    agree(block(STATES), ops.convert_to_numpy(found))
    assert len(taken) == 1


@pytest.mark.skipif(not ON_JAX, reason="of JAX's compiler")
def test_a_constant_within_a_compiled_function():
    import jax

    block = made()
    wanted = by_layers(block)
    agree(jax.jit(lambda factor: block(STATES) * factor)(1.0), wanted)


@pytest.mark.skipif(ON_JAX, reason="JAX has none on CPUs")
def test_flash_attention_may_be_turned_off_again(monkeypatch):
    asked = count_calls(monkeypatch, ops, "dot_product_attention")
    compiled_block._compiled.cache_clear()
    block = made()
    enabled = keras.config.is_flash_attention_enabled()
    try:
        for turn in (keras.config.disable_flash_attention, keras.config.enable_flash_attention):
            turn()
            block(STATES[:1])
    finally:
        if enabled is False:
            keras.config.disable_flash_attention()
    assert len(asked) == 2


@pytest.mark.skipif(not ON_JAX, reason="of JAX alone")
def test_gradients_and_compilers_of_jax_take_the_layers(taken):
    import jax

    block = made()
    wanted = by_layers(block)
    agree(jax.jit(block)(STATES), wanted)
    agree(jax.vmap(lambda rows: block(rows[None])[0])(STATES), wanted)
    slope = jax.jvp(lambda states: block(states).sum(), (STATES,), (np.ones_like(STATES),))
    assert np.isfinite(slope[1])
    assert taken == []


@pytest.mark.skipif(ON_JAX, reason="of TensorFlow alone")
def test_gradients_and_graphs_of_tensorflow(taken):
    import tensorflow as tf

    block = made()

    def gradients(run):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(run() ** 2)
        return tape.gradient(loss, [variable.value for variable in block.trainable_variables])

    states = tf.constant(STATES)
    found = gradients(lambda: block(states))
    wanted = gradients(lambda: block._encode(states, None, False, False))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert len(taken) == 1
    agree(tf.function(block)(states), by_layers(block))
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        agree(block(states), by_layers(block))
    assert len(taken) == 1


def test_no_weights_are_kept():
    block = made()
    block(STATES)
    kept = weakref.ref(block.intermediate.kernel.value)
    del block
    gc.collect()
    assert kept() is None
