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
    return count_calls(monkeypatch, jax_kernels, "compiled_step")


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


@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"jit_compile": False}], ids=str)
def test_nothing_is_compiled_where_the_caller_says_so(compiled, settings):
    model = tiny_classifier()
    model.compile(**settings)
    run(model)
    assert compiled == []


def test_a_distribution_is_left_to_keras(compiled, monkeypatch):
    monkeypatch.setattr(keras.distribution, "distribution", lambda: "any")
    assert not tiny_classifier()._has_own_programs()
    monkeypatch.undo()
    assert tiny_classifier()._has_own_programs()


def test_several_steps_at_a_time(compiled):
    one, several = tiny_classifier(), tiny_classifier()
    several.set_weights(one.get_weights())
    several.compile(steps_per_execution=2)
    one.compile()
    results = []
    for model in (one, several):
        keras.utils.set_random_seed(7)
        results.append(run(model))
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-5)
    assert len(compiled) == 6


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


@pytest.fixture
def asked_anew():
    jax_kernels.compiler_options.cache_clear()
    yield
    jax_kernels.compiler_options.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_an_xla_that_lacks_the_option(monkeypatch):
    import jax

    def refuse(*args, compiler_options, **kwargs):
        return given(*args, compiler_options={"xla_cpu_of_another_release": ""}, **kwargs)

    given = jax.jit
    monkeypatch.setattr(jax, "jit", refuse)
    assert jax_kernels.compiler_options() == {}


@pytest.mark.usefixtures("asked_anew")
def test_a_jit_that_takes_no_options(monkeypatch):
    import jax

    monkeypatch.setattr(jax, "jit", lambda function: function)
    assert jax_kernels.compiler_options() == {}


@pytest.mark.usefixtures("asked_anew")
def test_the_callers_own_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=dot")
    assert jax_kernels.compiler_options() == {}
