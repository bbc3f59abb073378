"""Vectors of texts: made, compared, searched, trained, kept."""

import keras
import numpy as np
import pytest
import support
import toys

import keras_bert_zoo as kbz
from keras_bert_zoo import CheckpointError


def embedder(num_layers=2, **settings):
    backbone = support.tiny_backbone(num_layers=num_layers, dropout=0.0, attention_dropout=0.0)
    preprocessor = kbz.Preprocessor(support.tiny_tokenizer(), max_length=32)
    return support.scramble(kbz.TextEmbedder(backbone, preprocessor=preprocessor, **settings))


def states(model, text):
    """The hidden states of one text, as numpy: `(layers + 1, L, D)`."""
    x = model.preprocessor([text])
    outputs = model.backbone.with_outputs(hidden_states=True)(x)["hidden_states"]
    return np.stack([keras.ops.convert_to_numpy(state)[0] for state in outputs])


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_mean_of_the_last_layer(normalize):
    model = embedder(normalize=normalize)
    vectors = model.embed(toys.TEXTS, batch_size=4)
    wanted = np.stack([states(model, text)[-1].mean(axis=0) for text in toys.TEXTS])
    np.testing.assert_allclose(vectors, unit(wanted) if normalize else wanted, atol=1e-5)
    assert vectors.dtype == "float32"


@pytest.mark.parametrize(
    "layers, combine, wanted",
    [
        (1, "mean", lambda s: s[1]),
        (0, "mean", lambda s: s[0]),
        ([1, 2], "sum", lambda s: s[1] + s[2]),
        ([-1, -2], "mean", lambda s: (s[1] + s[2]) / 2),
        ([0, 1, 2], "concatenate", lambda s: np.concatenate(s, axis=-1)),
    ],
)
def test_any_layers(layers, combine, wanted):
    model = embedder(layers=layers, combine=combine, pooling="max", normalize=False)
    found = model.embed(["the warmest tea", "film"])
    for vector, text in zip(found, ["the warmest tea", "film"], strict=True):
        np.testing.assert_allclose(vector, wanted(states(model, text)).max(axis=0), atol=1e-5)


def test_a_learned_sum_learns():
    model = embedder(layers=[0, 1, 2], combine="weighted")
    model.freeze("backbone")
    before = model.get_layer("layer_mix").get_weights()
    model.compile(optimizer=keras.optimizers.Adam(0.1))
    model.fit((toys.TEXTS, toys.TEXTS[::-1]), np.full(11, -1.0), verbose=0)
    assert not np.allclose(model.get_layer("layer_mix").get_weights()[0], before[0])


def test_similarity_and_search():
    model = embedder()
    vectors = unit(model.embed(toys.TEXTS))
    np.testing.assert_allclose(
        model.similarity(toys.TEXTS, toys.TEXTS[:3]), vectors @ vectors[:3].T, atol=1e-5
    )
    for block_size in (2, 3, 100):
        found = model.search(toys.TEXTS[2:4], toys.TEXTS, top_k=4, block_size=block_size)
        for query, row in zip(vectors[2:4], found, strict=True):
            best = np.argsort(-(vectors @ query), kind="stable")[:4]
            assert [hit["index"] for hit in row] == best.tolist()
            assert [hit["text"] for hit in row] == [toys.TEXTS[i] for i in best]
    again = model.search(model.embed(toys.TEXTS[2:4]), toys.TEXTS, 4, vectors=vectors)
    assert [[h["index"] for h in row] for row in again] == [
        [h["index"] for h in row] for row in found
    ]
    assert model.search(["tea"], ["tea"], top_k=9)[0][0]["score"] == pytest.approx(1, abs=1e-5)


def test_training_on_scores():
    keras.utils.set_random_seed(0)
    model = embedder(num_layers=1)
    pairs = (["tea", "film", "tea"], ["cup", "cup", "film"])
    scores = [0.9, -0.5, 0.1]
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(pairs, scores, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 0.05 * history[0]
    cosines = (unit(model.embed(pairs[0])) * unit(model.embed(pairs[1]))).sum(axis=1)
    np.testing.assert_allclose(cosines, scores, atol=0.25)


def test_the_losses_from_their_definitions():
    model = embedder()
    firsts, seconds = toys.TEXTS[:5], toys.TEXTS[5:10]
    a, b = unit(model.embed(firsts)), unit(model.embed(seconds))
    scores = np.linspace(-1, 1, 5)
    wanted = (((a * b).sum(axis=1) - scores) ** 2).mean()
    for size in (2, 5, 8):
        loss = model.evaluate((firsts, seconds), scores, batch_size=size, verbose=0)
        assert loss == pytest.approx(wanted, abs=1e-5)
    wanted = -np.diag(toys.log_softmax(20 * a @ b.T)).mean()
    for size in (5, 8):  # a filled-up batch has no more negatives
        loss = model.evaluate((firsts, seconds), batch_size=size, verbose=0)
        assert loss == pytest.approx(wanted, abs=1e-4)


def test_training_on_pairs_that_belong_together():
    keras.utils.set_random_seed(0)
    model = embedder(num_layers=1)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    pairs = (["tea", "film", "it was bad"], ["a cup", "we saw it", "not good"])
    history = model.fit(pairs, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
    found = model.search(pairs[0], pairs[1], top_k=1)
    assert [row[0]["index"] for row in found] == [0, 1, 2]


@pytest.mark.parametrize("layers", [-1, [1, 2]])
def test_it_comes_back_exactly(layers, tmp_path):
    model = embedder(layers=layers, combine="weighted", pooling="weighted", normalize=False)
    model.save_to_preset(tmp_path / "own")
    model.save(tmp_path / "model.keras")
    for again in (
        kbz.TextEmbedder.from_preset(tmp_path / "own"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert again.task_config() == model.task_config()
        np.testing.assert_allclose(again.embed(toys.TEXTS), model.embed(toys.TEXTS), atol=1e-5)
        assert len(again.weights) == len(model.weights)


def test_upper_layers_are_left_alone():
    model = embedder(layers=1)
    trained = {weight.path.split("/")[0] for weight in model.trainable_weights}
    assert trained == {"embeddings", "layer_0"}
    model.fit((["tea"], ["cup"]), [0.5], verbose=0)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "mean_sqrt_length", "weighted"])
def test_a_folder_of_sentence_transformers_there_and_back(pooling, tmp_path):
    model = embedder(pooling=pooling, normalize=pooling != "cls")
    model.export_to_transformers(tmp_path)
    again = kbz.TextEmbedder.from_preset(tmp_path)
    assert again.task_config() == model.task_config()
    assert again.preprocessor.max_length == 32
    np.testing.assert_allclose(again.embed(toys.TEXTS), model.embed(toys.TEXTS), atol=1e-5)
    asked = kbz.TextEmbedder.from_preset(tmp_path, pooling="mean", max_length=16)
    assert (asked.pooling, asked.preprocessor.max_length) == ("mean", 16)


def test_steps_that_are_not_known_are_refused(tmp_path):
    embedder().export_to_transformers(tmp_path)
    modules = tmp_path / "modules.json"
    text = modules.read_text()
    modules.write_text(text.replace("models.Normalize", "models.Dense"))
    with pytest.raises(CheckpointError, match="the steps Transformer, Pooling, Dense are not supp"):
        kbz.TextEmbedder.from_preset(tmp_path)
    modules.write_text(text)
    pooling = tmp_path / "1_Pooling" / "config.json"
    pooling.write_text(
        pooling.read_text().replace("pooling_mode_mean_tokens", "pooling_mode_lasttoken")
    )
    with pytest.raises(
        CheckpointError, match="the pooling pooling_mode_lasttoken is not supported"
    ):
        kbz.TextEmbedder.from_preset(tmp_path)


def test_settings_of_a_folder_yield_to_what_is_given_alone(tmp_path):
    embedder(pooling="max", normalize=False).export_to_transformers(tmp_path)
    again = kbz.TextEmbedder.from_preset(tmp_path, pooling=None, normalize=None)
    assert (again.pooling, again.normalize) == ("max", False)


def test_prompts_are_refused(tmp_path):
    embedder().export_to_transformers(tmp_path)
    (tmp_path / "config_sentence_transformers.json").write_text('{"default_prompt_name": "query"}')
    with pytest.raises(CheckpointError, match='puts the prompt "query" before each text'):
        kbz.TextEmbedder.from_preset(tmp_path)


def test_numbers_of_numpy_are_saved(tmp_path):
    model = embedder(layers=np.array([1, 2]))
    model.save_to_preset(tmp_path)
    assert kbz.TextEmbedder.from_preset(tmp_path).chosen_layers == [1, 2]


def test_bad_input(tmp_path):
    model = embedder()
    with pytest.raises(ValueError, match="A batch of texts is a list of str; got str"):
        model.search("tea", ["tea"])
    with pytest.raises(ValueError, match="chooses its loss by the labels"):
        model.compile(loss="mse")
    with pytest.raises(ValueError, match="TextEmbedder takes no metrics"):
        model.compile(metrics=["mse"])
    with pytest.raises(ValueError, match=r"layers holds 3; the encoder has the layers 0 .* to 2"):
        embedder(layers=[1, 3])
    with pytest.raises(ValueError, match="layers must be distinct numbers, at least one"):
        embedder(layers=[2, -1])
    with pytest.raises(ValueError, match="pooling must be one of"):
        embedder(pooling="last")
    with pytest.raises(ValueError, match="combine must be one of"):
        embedder(combine="stack")
    with pytest.raises(ValueError, match="TextEmbedder trains on pairs"):
        model.fit(["tea"], [1.0], verbose=0)
    with pytest.raises(ValueError, match=r"y\[1\] is 5.0; scores are cosines, from -1 to 1"):
        model.fit((["tea", "film"], ["cup", "tea"]), [1.0, 5.0], verbose=0)
    with pytest.raises(ValueError, match="There are 2 examples but 1 labels"):
        model.fit((["tea", "film"], ["cup", "tea"]), [1.0], verbose=0)
    with pytest.raises(ValueError, match="Each text gets a vector of its own"):
        model.predict((["tea"], ["cup"]))
    for name, number in (("top_k", 0), ("top_k", True), ("block_size", -1)):
        with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1"):
            model.search(["tea"], ["tea"], **{name: number})
    for layers in (2.0, None, "2"):
        with pytest.raises(ValueError, match="layers holds"):
            embedder(layers=layers)
    with pytest.raises(ValueError, match="let the dataset yield texts"):
        model.predict(toys.Slices(1, ((["tea"], ["cup"]))))
    vectors = np.full((1, model.output.shape[-1]), np.nan)
    with pytest.raises(ValueError, match="vectors holds numbers that are not finite"):
        model.search(["tea"], ["tea"], vectors=vectors)
    with pytest.raises(ValueError, match=r"vectors has the shape \(2, 4\); the corpus has 1 texts"):
        model.search(["tea"], ["tea"], vectors=np.zeros((2, 4)))
    with pytest.raises(CheckpointError, match="pools the last layer alone"):
        embedder(layers=1).export_to_transformers(tmp_path)
