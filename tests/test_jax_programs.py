"""On JAX's CPUs a model's programs are compiled with the options of `jax_kernels`, or as ever."""

import keras
import numpy as np
import pytest
from support import count_calls, tiny_classifier

if keras.backend.backend() != "jax":
    pytest.skip("of JAX alone", allow_module_level=True)

from keras_bert_zoo.layers import jax_kernels

TEXTS = ["a quiet joy", "the plot leaks"] * 4
LABELS = [0, 1] * 4


@pytest.fixture
def compiled(monkeypatch):
    """Counts what is compiled by the options."""
    return count_calls(monkeypatch, jax_kernels, "compiled")


@pytest.fixture
def without_options(monkeypatch):
    """As in a release of XLA that does not know them."""
    monkeypatch.setattr(jax_kernels, "compiler_options", dict)


def run(model):
    """What a training, an evaluation and a prediction give."""
    history = model.fit(TEXTS, LABELS, batch_size=4, epochs=2, verbose=0)
    return [*history.history["loss"], model.evaluate(TEXTS, LABELS, verbose=0)[0]], model.predict(
        TEXTS
    )


def test_a_step_of_each_kind(compiled):
    model = tiny_classifier()
    run(model)
    run(model)
    assert len(compiled) == 3


def test_numbers_are_those_of_keras_own_programs(request):
    losses, logits = run(tiny_classifier())
    keras.utils.set_random_seed(7)
    request.getfixturevalue("without_options")
    wanted_losses, wanted = run(tiny_classifier())
    np.testing.assert_allclose(losses, wanted_losses, atol=1e-5)
    np.testing.assert_allclose(logits, wanted, atol=1e-5)


@pytest.mark.usefixtures("without_options")
def test_a_release_without_the_options(compiled):
    run(tiny_classifier())
    assert compiled == []


def test_nothing_is_compiled_where_the_caller_says_so(compiled):
    model = tiny_classifier()
    model.compile(run_eagerly=True)
    run(model)
    assert compiled == []


def test_several_steps_at_a_time(compiled):
    model = tiny_classifier()
    model.compile(steps_per_execution=2)
    losses, _ = run(model)
    assert np.isfinite(losses).all()
    assert len(compiled) == 3


def test_products_are_left_to_xla():
    import jax

    matrix = np.ones((64, 64), "float32")
    options = jax_kernels.compiler_options()
    assert options  # this release knows them

    def text(options):
        multiply = jax.jit(lambda matrix: matrix @ matrix + matrix, compiler_options=options)
        return multiply.lower(matrix).compile().as_text()

    assert "ynn_fusion" in text(None)
    assert "ynn_fusion" not in text(options)


@pytest.mark.parametrize("error", ["TypeError", "JaxRuntimeError"])
def test_an_older_release(monkeypatch, error):
    import jax

    raised = TypeError if error == "TypeError" else jax.errors.JaxRuntimeError

    def refuse(*args, **kwargs):
        raise raised("No such option")

    jax_kernels.compiler_options.cache_clear()
    monkeypatch.setattr(jax, "jit", refuse)
    try:
        assert jax_kernels.compiler_options() == {}
    finally:
        jax_kernels.compiler_options.cache_clear()
