"""How sentence-transformers says what becomes of hidden states: `modules.json` and its folders."""

import json

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.readers import read_json

MODULES_FILE = "modules.json"
POOLING_FILE = "1_Pooling/config.json"
LENGTH_FILE = "sentence_bert_config.json"

# Their flag -> our mode.
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_length",
    "pooling_mode_weightedmean_tokens": "weighted",
}
_PACKAGE = "sentence_transformers.models."


def read_settings(folder):
    """What a folder says of its embeddings, as arguments of `TextEmbedder`.

    Args:
        folder: Path or None.

    Returns:
        dict of `pooling`, `normalize` and, where it is said, `max_length`; empty for a folder
        without `modules.json`.

    Raises:
        CheckpointError: a step that is not supported.
    """
    if folder is None or not (folder / MODULES_FILE).is_file():
        return {}
    modules = read_json(folder / MODULES_FILE, list)
    if not all(isinstance(module, dict) and "type" in module for module in modules):
        raise CheckpointError(f"{folder / MODULES_FILE}: each step needs a type.")
    steps = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    if steps not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise CheckpointError(
            f"{folder / MODULES_FILE}: the steps {', '.join(steps)} are not supported; known are "
            "Transformer, Pooling and Normalize, in this order. Load the encoder alone with "
            "Backbone.from_preset."
        )
    path = folder / modules[1].get("path", "1_Pooling") / "config.json"
    flags = read_json(path)
    chosen = [flag for flag, on in flags.items() if flag.startswith("pooling_mode_") and on]
    if len(chosen) != 1 or chosen[0] not in _MODES:
        raise CheckpointError(
            f"{path}: the pooling {' + '.join(chosen) or 'none'} is not supported; known are "
            f"{', '.join(_MODES)}, one at a time."
        )
    settings = {"pooling": _MODES[chosen[0]], "normalize": len(steps) == 3}
    _refuse_prompts(folder / "config_sentence_transformers.json")
    if (folder / LENGTH_FILE).is_file():
        content = read_json(folder / LENGTH_FILE)
        if content.get("max_seq_length") is not None:
            settings["max_length"] = content["max_seq_length"]
        tokenizer = folder / "tokenizer_config.json"
        lowercases = tokenizer.is_file() and read_json(tokenizer).get("do_lower_case", True)
        if content.get("do_lower_case") and not lowercases:
            raise CheckpointError(
                f"{folder / LENGTH_FILE} lower-cases texts, but the tokenizer does not; pass a "
                "folder whose tokenizer_config.json has do_lower_case."
            )
    return settings


def _refuse_prompts(path):
    """Raises where sentence-transformers would put a prompt before each text."""
    prompt = read_json(path).get("default_prompt_name") if path.is_file() else None
    if prompt is not None:
        raise CheckpointError(
            f'{path} puts the prompt "{prompt}" before each text, which is not supported.'
        )


def write_settings(folder, pooling, normalize, width, max_length):
    """Writes the files that sentence-transformers reads beside those of transformers.

    Args:
        folder: Path.
        pooling: str.
        normalize: bool.
        width: int. Numbers of a vector.
        max_length: int or None.
    """
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if normalize:
        steps.append(("2_Normalize", "Normalize"))
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": _PACKAGE + kind}
        for i, (path, kind) in enumerate(steps)
    ]
    flags = {flag: mode == pooling for flag, mode in _MODES.items()}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    contents = {
        MODULES_FILE: modules,
        POOLING_FILE: {"word_embedding_dimension": width, **flags},
    }
    if max_length is not None:
        contents[LENGTH_FILE] = {"max_seq_length": max_length, "do_lower_case": False}
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
