"""The way straight through layers gives what they give, and knows where it may not go."""

import keras
import numpy as np
import pytest
from support import count_calls, scramble, tiny_backbone

if keras.backend.backend() != "torch":
    pytest.skip("of PyTorch alone", allow_module_level=True)

import torch

from keras_bert_zoo import layers
from keras_bert_zoo.config import ACTIVATIONS
from keras_bert_zoo.encoder_inputs import EncoderModel
from keras_bert_zoo.layers import torch_block, torch_products

STATES = np.random.default_rng(0).normal(size=(3, 6, 16)).astype("float32")
PADDING = torch.arange(6) < torch.tensor([[6], [2], [1]])
CAUSAL = torch.ones(3, 1, 6, 6, dtype=torch.bool).tril()  # another for each token


@pytest.fixture
def taken(monkeypatch):
    """Counts the blocks that were gone through."""
    return count_calls(monkeypatch, torch_block, "encode")


def made(**settings):
    block = layers.EncoderBlock(2, 32, **settings)
    block.build(STATES.shape)
    return scramble(block)


def through_layers_and_straight(block, **options):
    states = torch.tensor(STATES)
    with torch.no_grad():
        straight = block(states, **options)
    return block(states, **options).detach(), straight


def test_training_without_gradients_draws_dropout():
    backbone = tiny_backbone(dropout=0.5)
    ids = {"token_ids": np.arange(6).reshape(1, 6)}
    with torch.no_grad():
        drawn = [backbone(ids, training=True)["pooled_output"] for _ in range(2)]
    assert not torch.allclose(*drawn)


def test_a_projection_in_another_precision():
    backbone = scramble(tiny_backbone(embedding_dim=8))
    ids = {"token_ids": np.arange(6).reshape(1, 6)}
    with torch.no_grad():
        wanted = backbone(ids)["pooled_output"]
        backbone.embedding_projection.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
        found = backbone(ids)["pooled_output"]
    assert torch.allclose(found.float(), wanted, atol=0.1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("first_token_only", [False, True])
@pytest.mark.parametrize("mask", [None, layers.AttentionMask()(PADDING), CAUSAL])
def test_equals_the_layers(taken, activation, first_token_only, mask):
    block = made(activation=activation)
    by_layers, straight = through_layers_and_straight(
        block, attention_mask=mask, first_token_only=first_token_only
    )
    assert len(taken) == 1
    assert by_layers.shape == straight.shape
    assert torch.allclose(by_layers, straight, atol=1e-5)
    block.intermediate.bias.assign_add(np.full(32, 0.1))
    by_layers, moved = through_layers_and_straight(
        block, attention_mask=mask, first_token_only=first_token_only
    )
    assert len(taken) == 2
    assert torch.allclose(by_layers, moved, atol=1e-5)
    assert not torch.allclose(straight, moved, atol=1e-3)


def test_big_ones_go_by_onednn(taken, monkeypatch):
    block = made()
    one, two = through_layers_and_straight(block)
    monkeypatch.setattr(torch_products, "LEAST_WORK", 0)
    monkeypatch.setattr(torch_products, "is_amd", lambda: True)
    counted = count_calls(monkeypatch, torch_products, "_multiply")
    for found in through_layers_and_straight(block):
        assert torch.allclose(found, one, atol=1e-5)
    assert torch.allclose(one, two, atol=1e-5)
    assert (len(taken), len(counted)) == (2, 8)


def test_no_rows(taken):
    states = torch.tensor(STATES[:0])
    with torch.no_grad():
        assert made()(states).shape == states.shape
    assert len(taken) == 1


def test_training_draws_dropout(taken):
    block = made(dropout=0.5)
    with torch.no_grad():
        one, two = (block(torch.tensor(STATES), training=True) for _ in range(2))
    assert not torch.allclose(one, two)
    assert taken == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_states_of_other_types_are_cast(taken, dtype):
    block, states = made(), torch.tensor(STATES, dtype=dtype)
    with torch.no_grad():
        assert torch.equal(block(states), block(states.float()))
    assert len(taken) == 2


def test_states_that_are_not_cast_take_the_layers(taken):
    block = made(autocast=False)
    with torch.no_grad():
        assert block(torch.tensor(STATES, dtype=torch.bfloat16)).dtype == torch.float32
    assert taken == []


def test_a_regularizer_sees_its_layer(taken):
    block = made()
    block.intermediate.activity_regularizer = keras.regularizers.L2(1.0)
    with torch.no_grad():
        block(STATES)
    assert taken == [] and block.losses[0] > 0


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float64"])
def test_other_precisions_take_the_layers(taken, dtype):
    block = made(dtype=dtype)
    with torch.no_grad():
        assert keras.backend.standardize_dtype(block(STATES).dtype) == block.compute_dtype
    assert taken == []


def quantize(block):
    block.intermediate.quantize("int8")


def widen(block):
    block.intermediate.enable_lora(2)
    block.intermediate.lora_kernel_b.assign(np.ones((2, 32)))


def bend(block):
    block.intermediate.activation = keras.activations.tanh


@pytest.mark.parametrize("change, straight", [(quantize, 0), (widen, 1), (bend, 0)])
def test_changed_layers_count(taken, change, straight):
    block = made()
    before, _ = through_layers_and_straight(block)
    change(block)
    by_layers, again = through_layers_and_straight(block)
    assert (before - again).abs().max() > 1e-4
    assert torch.allclose(by_layers, again, atol=1e-5)
    assert len(taken) == 1 + straight


class Doubled(layers.EncoderBlock):
    def _encode(self, *args, **kwargs):
        return 2 * super()._encode(*args, **kwargs)


def test_a_subclass_keeps_its_own_steps(taken):
    block = Doubled(2, 32)
    by_layers, straight = through_layers_and_straight(block)
    assert torch.allclose(by_layers, straight, atol=1e-5)
    assert taken == []


@pytest.mark.parametrize("part", ["intermediate", "dropout_layer", None])
def test_a_hook_sees_its_layer(taken, part):
    block, seen = made(), []

    def note(layer, *arguments):
        seen.append(layer)

    if part is None:
        handle = torch.nn.modules.module.register_module_forward_hook(note)
    else:
        handle = getattr(block, part).register_forward_hook(note)
    with torch.no_grad():
        block(STATES)
        handle.remove()
        assert (getattr(block, part) if part else block.output_norm) in seen
        assert taken == []
        block(STATES)
    assert len(taken) == 1


IDS = {
    "token_ids": np.random.default_rng(1).integers(0, 20, (3, 6)),
    "segment_ids": np.array([[0, 0, 1, 1, 0, 0]] * 3),
    "padding_mask": PADDING.numpy(),
}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"embedding_dim": 8},
        {"share_layers": True},
        {"num_segments": 0},
        {"position_offset": 2, "max_sequence_length": 6},
        {"pooler": False},
    ],
    ids=str,
)
def test_a_whole_encoder(taken, monkeypatch, settings):
    backbone = scramble(tiny_backbone(**settings))
    embedded = count_calls(monkeypatch, torch_block, "embed")
    ids = dict(IDS) if backbone.config.num_segments else {**IDS, "segment_ids": None}
    with torch.no_grad():
        straight = backbone(ids)
    assert (len(embedded), len(taken)) == (1, 2)
    by_layers = backbone(ids)
    functional = EncoderModel.call(backbone, ids)
    assert (len(embedded), len(taken)) == (1, 2)
    assert straight.keys() == by_layers.keys() == functional.keys() == backbone.output.keys()
    for name, output in straight.items():
        assert torch.allclose(output, by_layers[name], atol=1e-5)
        assert torch.equal(by_layers[name], functional[name])


def test_rows_of_an_encoder_may_not_be_too_long(taken):
    backbone = tiny_backbone(max_sequence_length=5)
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match="6 tokens long; max_sequence_length is 5"),
    ):
        backbone(IDS)


@pytest.mark.parametrize("name, wrong", [("token_ids", -1), ("token_ids", 99), ("segment_ids", -1)])
def test_tensors_of_ids_out_of_range(name, wrong):
    ids = {key: torch.tensor(value) for key, value in IDS.items()}
    ids[name][1, 2] = wrong
    with torch.no_grad(), pytest.raises(IndexError):
        tiny_backbone()(ids)


def hook_block(backbone):
    backbone.blocks[1].register_forward_hook(lambda *arguments: None)


def hook_table(backbone):
    backbone.embeddings.token_embedding.register_forward_pre_hook(lambda *arguments: None)


def regularize(backbone):
    backbone.blocks[0].activity_regularizer = keras.regularizers.L2(1.0)


def quantize_table(backbone):
    backbone.embeddings.token_embedding.quantize("int8")


def replace_call(backbone):
    call = backbone.blocks[1].call
    backbone.blocks[1].call = lambda *args, **kwargs: 2 * call(*args, **kwargs)


def replace_block(backbone):
    backbone.blocks[0].__class__ = Doubled


@pytest.mark.parametrize(
    "change", [hook_block, hook_table, regularize, quantize_table, replace_block, replace_call]
)
def test_an_encoder_that_was_changed_takes_its_layers(monkeypatch, change):
    embedded = count_calls(monkeypatch, torch_block, "embed")
    backbone = scramble(tiny_backbone())
    with torch.no_grad():
        backbone(IDS)
        assert len(embedded) == 1
        change(backbone)
        backbone(IDS)
        assert len(embedded) == 1
    if change is regularize:
        assert backbone.losses


def test_low_ranks_of_a_table_count(taken):
    backbone = scramble(tiny_backbone())
    table = backbone.embeddings.token_embedding
    table.enable_lora(2)
    table.lora_embeddings_b.assign(np.ones((2, 16)))
    with torch.no_grad():
        straight = backbone(IDS)["sequence_output"]
    assert len(taken) == 2
    assert torch.allclose(straight, backbone(IDS)["sequence_output"], atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_an_encoder_of_another_precision_takes_its_layers(taken, dtype):
    with torch.no_grad():
        tiny_backbone(dtype=dtype)(IDS)
    assert taken == []
