"""AdamW, its schedule and its rates for each layer."""

import keras
import numpy as np
import pytest
import support
from keras import ops

import keras_bert_zoo as kbz
from keras_bert_zoo.training.lamb import Lamb
from keras_bert_zoo.training.optimizers import WarmupLinearDecay
from keras_bert_zoo.training.sparing import layer_rates


def values(variables):
    return {v.path: ops.convert_to_numpy(v).copy() for v in variables}


def step_sizes(optimizer, variables, gradient, steps=1):
    """How far each weight moves when every gradient entry is `gradient`."""
    before = values(variables)
    for _ in range(steps):
        optimizer.apply([ops.full(v.shape, gradient, v.dtype) for v in variables], variables)
    return {path: before[path] - value for path, value in values(variables).items()}


def weights():
    return support.scramble(support.tiny_classifier(num_layers=2)).trainable_variables


def reloaded(optimizer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))


# === Decay ===


@pytest.mark.parametrize("again", [False, True], ids=["made", "saved and loaded"])
def test_decay_spares_norms_and_biases(again):
    optimizer = kbz.AdamW(0.1, weight_decay=0.5)
    variables = weights()
    before = values(variables)
    moved = step_sizes(reloaded(optimizer) if again else optimizer, variables, 0.0)
    for path, step in moved.items():
        spared = path.endswith(("gamma", "beta", "bias"))
        expected = 0 * before[path] if spared else 0.05 * before[path]
        np.testing.assert_allclose(step, expected, rtol=1e-4, atol=1e-6, err_msg=path)
    assert sum(path.endswith(("gamma", "beta", "bias")) for path in moved) > 10


def test_no_decay_names_parts_of_paths():
    variables = weights()
    moved = step_sizes(
        kbz.AdamW(0.1, weight_decay=0.5, no_decay=("text_classifier", "layer_1/")), variables, 0.0
    )
    still = {path for path, step in moved.items() if not step.any()}
    assert still == {path for path in moved if path.startswith(("text_classifier", "layer_1/"))}


def test_excluding_weights_in_keras_own_way_works_too():
    variables = weights()
    optimizer = kbz.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[variables[0]])
    moved = step_sizes(optimizer, variables, 0.0)
    assert not moved[variables[0].path].any()
    assert moved[variables[1].path].any()


def test_without_layer_decay_it_is_keras_adamw():
    ours, theirs = weights(), weights()
    other = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    other.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    step_sizes(kbz.AdamW(0.01, weight_decay=0.1), ours, 0.5, steps=3)
    step_sizes(other, theirs, 0.5, steps=3)
    for one, two in zip(values(ours).values(), values(theirs).values(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


# === Layer decay ===


def depth(path):
    """Steps below the head in the tiny model of two blocks."""
    if path.startswith("embeddings"):
        return 3
    return 2 - int(path[6]) if path.startswith("layer_") else 0


@pytest.mark.parametrize(
    "settings",
    [{}, {"global_clipnorm": 1.0}, {"gradient_accumulation_steps": 2}],
    ids=["plain", "clipped", "accumulated"],
)
@pytest.mark.parametrize("again", [False, True], ids=["made", "saved and loaded"])
def test_layer_decay_scales_each_layers_step(settings, again):
    optimizer = kbz.AdamW(0.01, weight_decay=0.0, layer_decay=0.5, **settings)
    optimizer = reloaded(optimizer) if again else optimizer
    steps = settings.get("gradient_accumulation_steps", 1)
    moved = step_sizes(optimizer, weights(), 1.0, steps)
    assert {depth(path) for path in moved} == {0, 1, 2, 3}
    for path, step in moved.items():  # Adam's first step is the learning rate, whatever the size
        np.testing.assert_allclose(step, 0.01 * 0.5 ** depth(path), rtol=1e-2, err_msg=path)


def test_layer_decay_scales_weight_decay_too():
    variables = weights()
    before = values(variables)
    moved = step_sizes(kbz.AdamW(0.1, weight_decay=0.5, layer_decay=0.5), variables, 0.0)
    for path in ("embeddings/token_embedding/embeddings", "text_classifier/kernel"):
        np.testing.assert_allclose(
            moved[path], 0.05 * 0.5 ** depth(path) * before[path], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("size, one", [(0.01, 1.0), (1.0, 1.0), (1.0, np.inf), (1.0, np.nan)])
def test_clipping_is_that_of_keras(size, one):
    random = np.random.default_rng(0)
    arrays = [size * random.normal(size=shape).astype("float32") for shape in [(3, 4), (5,)]]
    arrays[0][1, 2] *= one
    made = [
        optimizer(0.1, global_clipnorm=1.0)._clip_gradients(
            [ops.convert_to_tensor(array.copy()) for array in arrays] + [None]
        )
        for optimizer in (kbz.AdamW, keras.optimizers.AdamW)
    ]
    assert made[0].pop() is made[1].pop() is None
    for ours, theirs in zip(*made, strict=True):
        found, wanted = ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_clipping_leaves_what_it_is_given():
    gradient = ops.convert_to_tensor(np.array([3.0, 4.0], "float32"))
    # Two gradients in one place, as a sum's are, must not be scaled twice.
    clipped = kbz.AdamW(0.1, global_clipnorm=1.0)._clip_gradients([gradient, gradient])
    for found in clipped:
        np.testing.assert_allclose(ops.convert_to_numpy(found), [0.6 / 2**0.5, 0.8 / 2**0.5], 1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(gradient), [3.0, 4.0])
    (kept,) = kbz.AdamW(0.1, global_clipnorm=-1.0)._clip_gradients([gradient])
    np.testing.assert_array_equal(ops.convert_to_numpy(kept), [3.0, 4.0])


def test_clipping_shrinks_the_moments():
    """A control for the clipped case above, where Adam's first step hides the gradient's size."""

    def first_moment(**settings):
        optimizer = kbz.AdamW(0.01, layer_decay=0.5, **settings)
        variables = weights()
        step_sizes(optimizer, variables, 1.0)
        total = np.sqrt(sum(np.prod(v.shape) for v in variables))
        moments = [v for v in optimizer.variables if "momentum" in v.path]
        return float(ops.convert_to_numpy(moments[0]).ravel()[0]), total

    plain, total = first_moment()
    clipped, _ = first_moment(global_clipnorm=1.0)
    assert plain == pytest.approx(0.1, rel=1e-4)
    assert clipped == pytest.approx(0.1 / total, rel=1e-4)


def test_layer_decay_acts_in_fit():
    classifier = support.tiny_classifier(num_layers=2)
    support.scramble(classifier)
    classifier.compile(optimizer=kbz.AdamW(1e-3, weight_decay=0.0, layer_decay=0.1))
    before = values(classifier.trainable_variables)
    classifier.fit(["good film", "bad tea"], [1, 0], verbose=0)
    moved = {
        path: np.abs(before[path] - value).max()
        for path, value in values(classifier.trainable_variables).items()
    }
    assert moved["text_classifier/kernel"] == pytest.approx(1e-3, rel=1e-2)
    assert moved["layer_1/output/kernel"] == pytest.approx(1e-4, rel=2e-2)
    assert moved["layer_0/output/kernel"] == pytest.approx(1e-5, rel=5e-2)


def test_frozen_lower_blocks_leave_the_rates_of_the_others():
    rates = layer_rates(["layer_2/kernel", "layer_3/kernel", "pooler/dense/kernel"], 0.9)
    assert rates == [0.9**2, 0.9, 1.0]


# === Schedule ===


@pytest.mark.parametrize(
    "step, rate", [(0, 0.0), (1, 0.25), (2, 0.5), (4, 1.0), (8, 0.5), (12, 0.0), (20, 0.0)]
)
def test_the_rate_rises_then_falls(step, rate):
    schedule = WarmupLinearDecay(peak=1.0, num_train_steps=12, warmup_steps=4)
    assert float(schedule(step)) == pytest.approx(rate)
    assert float(reloaded(schedule)(step)) == pytest.approx(rate)


def test_without_warmup_the_first_step_has_the_full_rate():
    optimizer = kbz.create_optimizer(1e-3, num_train_steps=10, warmup_ratio=0.0)
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)


def test_create_optimizer_fills_in_what_bert_takes():
    config = kbz.create_optimizer(3e-5, 100, layer_decay=0.8).get_config()
    schedule = config["learning_rate"]["config"]
    assert schedule == {"peak": 3e-5, "num_train_steps": 100, "warmup_steps": 10}
    assert (config["weight_decay"], config["layer_decay"]) == (0.01, 0.8)
    assert config["global_clipnorm"] == 1.0


def test_without_a_number_of_steps_the_rate_is_constant():
    assert float(kbz.create_optimizer(2e-5).learning_rate) == pytest.approx(2e-5)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"num_train_steps": 0}, "num_train_steps must be at least 1; got 0"),
        (
            {"num_train_steps": 9, "warmup_ratio": 1.5},
            r"warmup_ratio must lie in \[0, 1\]; got 1.5",
        ),
        ({"layer_decay": 0.0}, r"layer_decay must lie in \(0, 1\], or be None; got 0.0"),
        ({"layer_decay": 1.1}, r"layer_decay must lie in \(0, 1\], or be None; got 1.1"),
    ],
)
def test_settings_out_of_range(arguments, text):
    with pytest.raises(ValueError, match=text):
        kbz.create_optimizer(1e-3, **arguments)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_rows_of_a_table_that_occur_twice_count_once(clip):
    """The same training with a looked-up table and with one-hot vectors times the table."""
    ids = np.array([[1, 1, 1, 2], [2, 1, 0, 0]])
    table = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    found = []
    for inputs, layer in (
        (ids, keras.layers.Embedding(4, 3)),
        (np.eye(4)[ids], keras.layers.Dense(3, use_bias=False)),
    ):
        model = keras.Sequential([layer, keras.layers.GlobalAveragePooling1D()])
        model.build(inputs.shape)
        model.set_weights([table])
        optimizer = kbz.AdamW(0.1, no_decay=(), global_clipnorm=clip)
        model.compile(optimizer=optimizer, loss="mse")
        model.fit(inputs, np.ones((2, 3)), epochs=5, verbose=0)
        found.append(model.get_weights()[0])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


# === Google's variant and LAMB ===


def follow(optimizer, start, gradient_of, steps):
    """Where a weight gets to in a number of steps."""
    weight = keras.Variable(np.array(start, "float32"), name="kernel")
    for _ in range(steps):
        gradient = gradient_of(ops.convert_to_numpy(weight)).astype("float32")
        optimizer.apply([ops.convert_to_tensor(gradient)], [weight])
    return ops.convert_to_numpy(weight)


def test_googles_own_case():
    """Of `optimization_test.py`: the mean squared distance to a goal, 100 steps at 0.2."""
    goal = np.array([0.4, 0.2, -0.5])
    optimizer = kbz.create_optimizer(
        0.2, weight_decay=0.0, algorithm="google", global_clipnorm=None
    )
    end = follow(optimizer, [0.1, -0.2, -0.1], lambda w: 2 / 3 * (w - goal), 100)
    np.testing.assert_allclose(end, goal, atol=1e-2)


def google_adamw(weight, gradients, rate, decay, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    """`AdamWeightDecayOptimizer`, written down again."""
    momentum, velocity = np.zeros_like(weight), np.zeros_like(weight)
    for gradient in gradients:
        momentum = beta_1 * momentum + (1 - beta_1) * gradient
        velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
        weight = weight - rate * (momentum / (np.sqrt(velocity) + epsilon) + decay * weight)
    return weight


def lamb(weight, gradients, rate, decay, beta_1=0.9, beta_2=0.999, epsilon=1e-6):
    """Algorithm 2 of the paper, with the norm itself for phi."""
    momentum, velocity = np.zeros_like(weight), np.zeros_like(weight)
    for step, gradient in enumerate(gradients, start=1):
        momentum = beta_1 * momentum + (1 - beta_1) * gradient
        velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
        ratio = (momentum / (1 - beta_1**step)) / (np.sqrt(velocity / (1 - beta_2**step)) + epsilon)
        update = ratio + decay * weight
        weight = weight - rate * np.linalg.norm(weight) / np.linalg.norm(update) * update
    return weight


@pytest.mark.parametrize(("algorithm", "reference"), [("google", google_adamw), ("lamb", lamb)])
@pytest.mark.parametrize("again", [False, True], ids=["made", "saved and loaded"])
def test_the_steps_are_those_of_the_source(algorithm, reference, again):
    random = np.random.default_rng(3)
    start, gradients = random.normal(size=(4, 3)), random.normal(size=(7, 4, 3))
    optimizer = kbz.create_optimizer(
        0.01, weight_decay=0.1, algorithm=algorithm, global_clipnorm=None
    )
    left = iter(gradients)
    end = follow(reloaded(optimizer) if again else optimizer, start, lambda _: next(left), 7)
    np.testing.assert_allclose(end, reference(start, gradients, 0.01, 0.1), rtol=1e-4, atol=1e-6)
    left = iter(gradients)
    plain = follow(kbz.AdamW(0.01, weight_decay=0.1), start, lambda _: next(left), 7)
    assert np.abs(end - plain).max() > 1e-3


def test_lamb_takes_adams_plain_step_where_nothing_is_decayed():
    optimizer = Lamb(0.01, weight_decay=0.1, epsilon=1e-6)
    moved = step_sizes(optimizer, weights(), 1.0)
    for path, step in moved.items():
        if path.endswith(("gamma", "beta", "bias")):
            np.testing.assert_allclose(step, 0.01, rtol=1e-3, err_msg=path)
        else:
            assert np.abs(step - 0.01).max() > 1e-3, path


@pytest.mark.parametrize("algorithm", ["adamw", "google", "lamb"])
def test_gradients_of_several_batches_can_be_gathered(algorithm):
    random = np.random.default_rng(5)
    start, gradients = random.normal(size=(3,)), random.normal(size=(6, 3))
    ends = []
    for settings, parts in (
        ({"gradient_accumulation_steps": 2}, gradients),
        ({}, gradients.reshape(3, 2, 3).mean(axis=1)),
    ):
        optimizer = kbz.create_optimizer(0.05, algorithm=algorithm, **settings)
        left = iter(parts)
        ends.append(follow(optimizer, start, lambda _, left=left: next(left), len(parts)))
    np.testing.assert_allclose(*ends, rtol=1e-5, atol=1e-6)
    assert np.abs(ends[0] - start).max() > 1e-3


def test_an_unknown_algorithm_is_named():
    with pytest.raises(ValueError, match=r"got 'lmab'\. Did you mean"):
        kbz.create_optimizer(1e-3, algorithm="lmab")
