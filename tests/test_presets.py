"""The preset files, their names and counts, and the way from a source to a folder."""

import dataclasses
import json
import re

import pytest
from support import TOKENS, tiny_backbone, write_vocabulary

import keras_bert_zoo as kbz
from keras_bert_zoo import hub, presets
from keras_bert_zoo.checkpoints.readers import SafetensorsReader
from keras_bert_zoo.families import FAMILIES

NAMES = kbz.list_presets()
MINIATURES = {(layers, width) for layers in (2, 4, 6, 8, 10, 12) for width in (128, 256, 512, 768)}
# Source: google-research/bert; KerasHub's table.
PARAMETERS = {
    "bert_tiny_en_uncased": 4_385_920,
    "bert_base_en_uncased": 109_482_240,
    "bert_base_en": 108_310_272,
    "bert_base_zh": 102_267_648,
    "bert_base_multi": 177_853_440,
    "bert_large_en_uncased": 335_141_888,
    "bert_large_en_uncased_wwm": 335_141_888,
    "bert_large_en": 333_579_264,
    "bert_large_en_wwm": 333_579_264,
    "all_minilm_l6_v2_en": 22_713_216,
}


def parameters_of(config):
    """Weights of an encoder with one width throughout."""
    width, inner = config.hidden_dim, config.intermediate_dim
    tables = config.vocabulary_size + config.max_sequence_length + config.num_segments
    norm = 2 * width
    attention = 4 * (width * width + width)
    feed_forward = 2 * width * inner + width + inner
    block = attention + feed_forward + 2 * norm
    pooler = width * width + width if config.pooler else 0
    return tables * width + norm + config.num_layers * block + pooler


# === The files ===


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_whole(name):
    content = json.loads((presets.presets_folder() / f"{name}.json").read_text(encoding="utf-8"))
    fields = [field.name for field in dataclasses.fields(presets.Preset)]
    assert ["name", *content] == fields
    preset = presets.load_preset(name)
    config = preset.encoder_config
    assert preset.family in FAMILIES
    assert set(preset.config) <= set(config.names())
    assert preset.parameters == parameters_of(config)
    assert preset.description.endswith(".") and set(preset.tokenizer) == {"lowercase"}
    assert preset.sources or (presets.presets_folder() / name).is_dir()
    for handle in preset.sources:
        if handle.startswith("hf://"):
            hub.parse_handle(handle)
        else:
            assert re.fullmatch(r"kaggle://keras/[\w-]+/keras/\w+/\d+", handle)


BUNDLED = [name for name in NAMES if (presets.presets_folder() / name).is_dir()]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_preset_needs_no_network(name, monkeypatch):
    monkeypatch.setattr(presets, "fetch_folder", None)
    folder = presets.presets_folder() / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20e6
    assert (folder / "README.md").is_file()
    tensors = SafetensorsReader(folder / "weights.safetensors")
    assert tensors["embeddings/token_embedding/embeddings"].dtype == "float16"
    backbone = kbz.Backbone.from_preset(name)
    assert backbone.config == presets.load_preset(name).encoder_config
    assert {weight.dtype for weight in backbone.weights} == {"float32"}
    assert kbz.Tokenizer.from_preset(name).vocabulary_size == backbone.config.vocabulary_size
    task = json.loads((folder / "preset.json").read_text(encoding="utf-8"))["task"]["class"]
    heads = getattr(kbz, task).from_preset(name).transfer_report
    assert not heads.newly_initialised and not heads.unused


@pytest.mark.parametrize(
    ("name", "text", "token"),
    [
        ("bert_tiny_en_wiki", "She was born in [MASK] York City.", "new"),
        ("bert_tiny_en_wiki", "The film was directed [MASK] John Smith.", "by"),
        # It reads simplified and traditional alike.
        ("bert_tiny_zh_wiki", "他毕业于北京大[MASK]。", "学"),
        ("bert_tiny_zh_wiki", "他畢業於北京大[MASK]。", "學"),
    ],
)
def test_a_bundled_preset_fills_masks(name, text, token):
    assert kbz.MaskedLM.from_preset(name).fill_mask(text, top_k=1)[0]["token"] == token


@pytest.mark.parametrize(
    ("name", "first", "second", "another"),
    [
        (
            "bert_tiny_en_wiki",
            "The railway station lies in the east of the town and is served by thirty trains.",
            "The station has two platforms, and is run by the railway company.",
            "The flowers of this plant are white, and its fruit can be eaten.",
        ),
        (
            "bert_tiny_zh_wiki",
            "这座火车站位于城市的东部，每天有三十班列车停靠。",
            "车站有两个站台，由铁路公司管理。",
            "这种植物的花为白色，果实可以食用。",
        ),
    ],
)
def test_a_bundled_preset_knows_what_follows(name, first, second, another):
    judge = kbz.NextSentencePredictor.from_preset(name)
    follows, does_not = judge.follows([first, first], [second, another])
    assert follows["score"] > 0.5 > does_not["score"]


@pytest.mark.parametrize(
    "context",
    [
        "这座火车站位于城市的东部，每天有三十班列车停靠。车站有两个站台，由铁路公司管理。",
        "這座火車站位於城市的東部，每天有三十班列車停靠。車站有兩個站台，由鐵路公司管理。",
    ],
)
def test_the_bundled_reader_finds_the_place(context):
    first, second = context.split("。")[:2]
    asked = [first.replace("三十", "多少") + "？", second.replace(second[9:13], "谁") + "？"]
    reader = kbz.QuestionAnswerer.from_preset("bert_l4_h128_zh_reader")
    one, two = reader.answer(asked, [context] * 2)
    assert one["end"] <= len(first) < two["start"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_parameter_counts(name):
    assert kbz.preset_info(name)["parameters"] == PARAMETERS[name]


def test_the_formula_counts_what_keras_counts():
    backbone = tiny_backbone()
    assert backbone.count_params() == parameters_of(backbone.config)


def test_the_24_miniatures_are_there():
    found = {
        (config["num_layers"], config["hidden_dim"])
        for config in (kbz.preset_info(name)["config"] for name in NAMES)
        if config["num_heads"] == config["hidden_dim"] // 64
        and config["intermediate_dim"] == 4 * config["hidden_dim"]
        and config["vocabulary_size"] == 30522
    }
    assert found >= MINIATURES


def test_keras_hubs_names_mean_the_same_here():
    bert_presets = pytest.importorskip(
        "keras_hub.src.models.bert.bert_presets", reason="compares with keras-hub's table"
    )
    theirs = bert_presets.backbone_presets
    shared = sorted(set(theirs) & set(NAMES))
    assert len(shared) >= 11
    for name in shared:
        ours = kbz.preset_info(name)
        assert ours["parameters"] == theirs[name]["metadata"]["params"], name
        assert theirs[name]["kaggle_handle"] in ours["sources"], name


@pytest.mark.parametrize(
    ("words", "lowercase"),
    [("uncased", True), ("_zh", True), ("_wiki", True), ("minilm", True), ("", False)],
)
def test_cased_and_uncased(words, lowercase):
    others = ("uncased", "_zh", "_wiki", "minilm")
    for name in NAMES:
        if words in name if words else not any(other in name for other in others):
            assert kbz.preset_info(name)["tokenizer"] == {"lowercase": lowercase}, name


# === Names ===


def test_preset_info_shows_what_is_unknown():
    info = kbz.preset_info("bert_base_en")
    assert info["name"] == "bert_base_en"
    assert "sha256" in info and info["sha256"] is None


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("bert_bse_en", "bert_base_en"),
        ("BERT_BASE_EN_UNCASED", None),
        ("bert-tiny-en-uncased", "bert_tiny_en_uncased"),
        ("bert_large_en_uncased_wmm", "bert_large_en_uncased_wwm"),
        ("qqqq", None),
    ],
)
def test_a_wrong_name_raises_with_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=f'No preset "{wrong}"') as caught:
        kbz.preset_info(wrong)
    assert ("Did you mean" in str(caught.value)) is (near is not None)
    if near:
        assert f'Did you mean "{near}"?' in str(caught.value)
    with pytest.raises(ValueError, match=f'No preset "{wrong}"'):
        kbz.Backbone.from_preset(wrong)


@pytest.mark.parametrize("load_weights", [True, False])
@pytest.mark.parametrize("source", ["../x", "/no/such/folder", "a/b", "./x", "presets/../x"])
def test_a_name_cannot_leave_the_folder_of_presets(source, load_weights):
    with pytest.raises(ValueError, match=r"No folder |No preset "):
        kbz.Backbone.from_preset(source, load_weights=load_weights)


@pytest.mark.parametrize("name", ["..", ".", "", "../bert_base_en", "bert_base_en.json", None, 3])
def test_preset_info_takes_names_alone(name):
    with pytest.raises(ValueError, match=r"No preset "):
        kbz.preset_info(name)


@pytest.mark.parametrize(
    "handle",
    [
        "hf://../x",
        "hf://a/../b",
        "hf://a/..",
        "hf:///etc",
        "hf://a",
        "hf://a/b/c",
        "hf://a/b@../c",
        "hf://a/b@/c",
        "hf://",
        "hf://a/b c",
    ],
)
def test_a_handle_cannot_leave_the_cache(handle):
    with pytest.raises(ValueError, match="should read hf://organisation/name or …/name@revision"):
        kbz.Backbone.from_preset(handle)


@pytest.mark.parametrize(
    ("handle", "parts"),
    [
        ("hf://google-bert/bert-base-cased", ("google-bert/bert-base-cased", None)),
        ("hf://a/b.c@main", ("a/b.c", "main")),
        ("hf://a/b@refs/pr/1", ("a/b", "refs/pr/1")),
    ],
)
def test_handles(handle, parts):
    assert hub.parse_handle(handle) == parts


# === From a name to a folder ===


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Downloads fail at once, and are counted; the store is an empty folder."""
    asked = []

    def refuse(handle, weights, tokenizer):
        asked.append(handle)
        raise hub.HubError("the hub is out of reach.")

    monkeypatch.setattr(presets, "fetch_folder", refuse)
    monkeypatch.setenv("KERAS_BERT_ZOO_HOME", str(tmp_path / "store"))
    return asked


@pytest.fixture
def tiny_preset(monkeypatch, tmp_path):
    """A preset called `tiny`, in a folder of presets of its own."""
    folder = tmp_path / "presets"
    folder.mkdir()
    content = {
        "description": "A tiny model.",
        "family": "bert",
        "config": tiny_backbone().config.to_dict(),
        "parameters": 1,
        "tokenizer": {"lowercase": False},
        "sources": ["hf://org/tiny", "kaggle://org/tiny/keras/tiny/1"],
        "license": None,
        "citation": None,
        "sha256": None,
    }
    (folder / "tiny.json").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(presets, "presets_folder", lambda: folder)
    return folder


def test_without_weights_a_preset_needs_no_file(no_network):
    backbone = kbz.Backbone.from_preset("bert_tiny_en_uncased", load_weights=False)
    assert backbone.count_params() == PARAMETERS["bert_tiny_en_uncased"]
    assert no_network == []


def test_offline_the_error_says_what_to_put_where(no_network, tiny_preset, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        kbz.Backbone.from_preset("tiny")
    message = str(caught.value)
    assert 'The files of preset "tiny" are not on this machine' in message
    assert "Put config.json, model.safetensors into" in message
    assert str(tmp_path / "store" / "tiny") in message
    assert "hf://org/tiny: the hub is out of reach." in message
    assert no_network == ["hf://org/tiny", "kaggle://org/tiny/keras/tiny/1"]
    with pytest.raises(FileNotFoundError, match=r"Put config\.json, vocab\.txt into"):
        kbz.Tokenizer.from_preset("tiny")


def test_a_second_source_follows_a_first_that_fails(no_network, tiny_preset, tmp_path, monkeypatch):
    tiny_backbone().save_to_preset(tmp_path / "second")

    def fetch(handle, weights, tokenizer):
        if handle.startswith("hf://"):
            raise hub.HubError("gone.")
        return tmp_path / "second"

    monkeypatch.setattr(presets, "fetch_folder", fetch)
    assert presets.locate("tiny").folder == tmp_path / "second"


def test_the_store_comes_before_a_download(no_network, tiny_preset, tmp_path):
    stored = tmp_path / "store" / "tiny"
    tiny_backbone().save_to_preset(stored)
    location = presets.locate("tiny")
    assert (location.folder, location.layout) == (stored, "own")
    assert kbz.Backbone.from_preset("tiny").transfer_report is not None
    assert no_network == []


def test_bundled_files_come_before_the_store(no_network, tiny_preset, tmp_path):
    tiny_backbone().save_to_preset(tmp_path / "store" / "tiny")
    tiny_backbone().save_to_preset(tiny_preset / "tiny")
    assert presets.locate("tiny").folder == tiny_preset / "tiny"


def test_a_folder_of_the_same_name_comes_first(no_network, tiny_preset, tmp_path, monkeypatch):
    tiny_backbone().save_to_preset(tmp_path / "here" / "tiny")
    monkeypatch.chdir(tmp_path / "here")
    assert presets.locate("tiny").preset is None


def test_the_preset_says_the_case_where_the_files_do_not(no_network, tiny_preset, tmp_path):
    stored = tmp_path / "store" / "tiny"
    stored.mkdir(parents=True)
    (stored / "config.json").write_text('{"model_type": "bert"}')
    (stored / "vocab.txt").write_text("\n".join([*TOKENS, "Film"]) + "\n")
    assert kbz.Tokenizer.from_preset("tiny").tokenize("Film") == [len(TOKENS)]
    assert kbz.Tokenizer.from_preset("tiny", lowercase=True).tokenize("Film") == [7]
    write_vocabulary(stored, [*TOKENS, "Film"], do_lower_case=True)
    assert kbz.Tokenizer.from_preset("tiny").tokenize("Film") == [7]


def test_an_empty_folder_in_the_store_does_not_count(no_network, tiny_preset, tmp_path):
    (tmp_path / "store" / "tiny").mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match=r"Put config\.json, model\.safetensors into .*tiny"
    ):
        kbz.Backbone.from_preset("tiny")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("google-bert/bert-base-uncased", 'write "hf://google-bert/bert-base-uncased"'),
        ("models/mine.keras", "opened with keras.models.load_model"),
    ],
)
def test_a_source_that_is_no_folder_gets_a_hint(source, hint):
    with pytest.raises(ValueError, match=hint):
        kbz.Backbone.from_preset(source)


def test_the_store_lies_in_the_home_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BERT_ZOO_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert presets.local_store() == tmp_path / ".cache" / "keras_bert_zoo"
