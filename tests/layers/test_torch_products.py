"""Products by oneDNN are those of PyTorch's own `linear`, and so are their gradients."""

import types

import keras
import numpy as np
import pytest
from support import count_calls

if keras.backend.backend() != "torch":
    pytest.skip("of PyTorch alone", allow_module_level=True)

import torch
from torch.autograd import forward_ad
from torch.nn import functional

from keras_bert_zoo.config import ACTIVATIONS
from keras_bert_zoo.layers import torch_products

if not torch.backends.mkldnn.is_available():
    pytest.skip("of builds with oneDNN", allow_module_level=True)

SHAPES = [((4, 16, 128), 160), ((96, 128), 100), ((2, 1, 768), 1024)]


@pytest.fixture(autouse=True)
def on_amd(monkeypatch):
    """These tests are of oneDNN on any processor."""
    monkeypatch.setattr(torch_products, "is_amd", lambda: True)


@pytest.fixture
def products(monkeypatch):
    """Counts the products that oneDNN makes."""
    return count_calls(monkeypatch, torch_products, "_multiply")


def tensors(shape, units):
    random = np.random.default_rng(0)
    sizes = [shape, (shape[-1], units), (units,)]
    return [torch.tensor(random.normal(size=size), dtype=torch.float32) for size in sizes]


def exact(inputs, kernel, bias):
    return inputs.double() @ kernel.double() + bias.double()


@pytest.mark.parametrize("shape, units", SHAPES)
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_values(products, shape, units, activation):
    inputs, kernel, bias = tensors(shape, units)
    found = torch_products.linear(inputs, kernel, bias, activation)
    wanted = exact(inputs, kernel, bias)
    if activation is not None:
        wanted = keras.ops.convert_to_tensor(wanted)
        name, _, approximate = activation.partition("_")
        options = {"approximate": bool(approximate)} if name == "gelu" else {}
        wanted = getattr(keras.ops, name)(wanted, **options)
    assert found.shape == (*shape[:-1], units)
    assert torch.allclose(found.double(), wanted, atol=3e-5)
    assert len(products) == 1


@pytest.mark.parametrize("activation", [None, "gelu", "relu"])
@pytest.mark.parametrize("shape, units", [*SHAPES, ((2, 3), 4)])
def test_something_added(shape, units, activation):
    inputs, kernel, bias = tensors(shape, units)
    random = np.random.default_rng(1)
    added = torch.tensor(random.normal(size=(*shape[:-1], 2 * units)), dtype=torch.float32)
    added = added[..., ::2]  # lies apart
    before, alone = added.clone(), torch_products.linear(inputs, kernel, bias, activation)
    found = torch_products.linear(inputs, kernel, bias, activation, added)
    assert torch.allclose(found, alone + before, atol=1e-5)
    assert torch.equal(added, before)
    kernel.requires_grad_()
    (gradient,) = torch.autograd.grad(
        torch_products.linear(inputs, kernel, bias, activation, added).sum(), [kernel]
    )
    (wanted,) = torch.autograd.grad(
        torch_products.linear(inputs, kernel, bias, activation).sum(), [kernel]
    )
    assert torch.equal(gradient, wanted)
    added.requires_grad_()
    (gradient,) = torch.autograd.grad(
        torch_products.linear(inputs, kernel.detach(), bias, activation, added).sum(), [added]
    )
    assert torch.equal(gradient, torch.ones_like(added))


@pytest.mark.parametrize("shape, units", SHAPES)
def test_gradients_and_theirs(products, shape, units):
    ours, theirs = ([t.requires_grad_() for t in tensors(shape, units)] for _ in range(2))
    results = []
    for inputs, product in ((ours, torch_products.linear), (theirs, exact)):
        output = product(*inputs)
        first = torch.autograd.grad((output**2).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum((one**2).sum() for one in first), inputs)
        results.append([*first, *second])
    assert len(products) > 3
    for found, wanted in zip(*results, strict=True):
        assert found.shape == wanted.shape
        assert (found - wanted).abs().max() <= 3e-6 * wanted.abs().max()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_number_that_is_none_stays_none(products, activation):
    inputs, kernel, bias = tensors(*SHAPES[1])
    inputs[3] = float("nan")
    found = torch_products.linear(inputs, kernel, bias, activation)
    assert len(products) == 1
    assert found[3].isnan().all()
    assert not found[4].isnan().any()


LOSSES = {
    "no strides": lambda output: output.sum(),
    "wide ones": lambda output: (torch.cat([output, torch.ones_like(output)], -1) ** 2).sum(),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_that_lie_apart(monkeypatch, loss):
    """oneDNN would take 180 times as long for them."""
    strides, operator = [], torch_products._PRODUCT

    def note(inputs, weight, *others):
        strides.append(weight.is_contiguous() or weight.t().is_contiguous())
        return operator(inputs, weight, *others)

    monkeypatch.setattr(torch_products, "_PRODUCT", types.SimpleNamespace(default=note))
    results = []
    for product in (torch_products.linear, exact):
        given = [tensor.requires_grad_() for tensor in tensors((1, 64, 128), 160)]
        results.append(torch.autograd.grad(loss(product(*given)), given))
    assert strides == [True] * 3
    for found, wanted in zip(*results, strict=True):
        assert (found - wanted).abs().max() <= 3e-6 * wanted.abs().max()


def test_no_gradient_is_made_that_nothing_asks_for(products):
    inputs, kernel, bias = tensors(*SHAPES[0])
    kernel.requires_grad_()
    torch_products.linear(inputs, kernel, bias).sum().backward()
    assert len(products) == 2  # the way there, and the kernel's gradient
    assert inputs.grad is None
    assert torch.allclose(kernel.grad, inputs.sum((0, 1))[:, None].expand(kernel.shape), atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # `jit.trace` is said to be old
def test_compilers_and_transforms_get_an_operation_they_know(products):
    inputs, kernel, bias = tensors(*SHAPES[0])
    wanted = functional.linear(inputs, kernel.t(), bias)

    def apply(inputs):
        return torch_products.linear(inputs, kernel, bias)

    compiled = torch.compile(apply, backend="eager", fullgraph=True)
    traced = torch.jit.trace(apply, inputs, check_trace=False)
    for found in (compiled(inputs), traced(inputs), torch.func.vmap(apply)(inputs)):
        assert torch.allclose(found, wanted, atol=1e-4)
    jacobian = torch.func.jacrev(lambda b: torch_products.linear(inputs, kernel, b).sum())(bias)
    assert torch.allclose(jacobian, torch.full_like(bias, 64.0))
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(apply(forward_ad.make_dual(inputs, inputs))).tangent
    assert torch.allclose(tangent, wanted - bias, atol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert apply(inputs).dtype == torch.bfloat16
    assert products == []


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
def test_other_processors_get_the_same_from_pytorch(monkeypatch, products, activation):
    added = torch.ones(4, 16, 160)
    by_onednn = torch_products.linear(*tensors(*SHAPES[0]), activation, added)
    monkeypatch.setattr(torch_products, "is_amd", lambda: False)
    ours, theirs = ([t.requires_grad_() for t in tensors(*SHAPES[0])] for _ in range(2))
    found = torch_products.linear(*ours, activation, added)
    assert len(products) == 1  # the first one
    assert torch.allclose(found, by_onednn, atol=3e-5)
    found = torch.autograd.grad((torch_products.linear(*ours) ** 2).sum(), ours)
    wanted = torch.autograd.grad((exact(*theirs) ** 2).sum(), theirs)
    for one, other in zip(found, wanted, strict=True):
        assert one.is_contiguous()  # as the optimizer's arrays beside it
        assert (one - other).abs().max() <= 3e-6 * other.abs().max()


@pytest.mark.filterwarnings("ignore:TF32")  # by `flags` itself
def test_what_it_does_not_take(products):
    inputs, kernel, bias = tensors(*SHAPES[0])
    with torch.backends.mkldnn.flags(enabled=False):
        torch_products.linear(inputs, kernel, bias)
    torch_products.linear(inputs[:1, :2], kernel, bias)  # too small to gain
    for dtype in (torch.float64, torch.bfloat16):
        assert torch_products.linear(*(t.to(dtype) for t in (inputs, kernel, bias))).dtype == dtype
    meta = [tensor.to("meta") for tensor in (inputs, kernel, bias)]
    assert torch_products.linear(*meta).shape == (4, 16, 160)
    assert products == []


@pytest.mark.parametrize("trained, kept", [((0, 1), 2), ((0,), 1), ((1,), 1), ((2,), 0)])
def test_only_what_gradients_want_is_kept(products, trained, kept):
    given = tensors((96, 128), 100)
    for number in trained:
        given[number].requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.shape), lambda t: t):
        torch_products.linear(*given)
    assert len(products) == 1 and len(saved) == kept
