"""The files of a tokenizer: what they say of its settings, and how they are written."""

import json

from keras_bert_zoo.checkpoints.directory import CONFIG_FILES
from keras_bert_zoo.checkpoints.readers import read_json
from keras_bert_zoo.tokenizers import wordpiece

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"


def settings_of(folder):
    """What the files of a folder say about lower-casing and accents."""
    said = {}
    path = folder / TOKENIZER_CONFIG_FILE
    if path.is_file():
        content = read_json(path)
        for theirs, ours in (
            ("do_lower_case", "lowercase"),
            ("strip_accents", "strip_accents"),
            ("tokenize_chinese_chars", "split_chinese"),
        ):
            if theirs in content:
                said[ours] = content[theirs]
    path = folder / TOKENIZER_FILE
    if path.is_file():
        content = read_json(path)
        if str(content.get("registered_name", "")).startswith(("keras_hub>", "keras_nlp>")):
            # KerasHub never strips accents; BERT does, exactly when lower-casing.
            said["lowercase"] = content["config"]["lowercase"]
    return said


def google_cased(folder, vocabulary):
    """Whether a folder of Google's, which does not say, holds a cased model."""
    google, transformers = (CONFIG_FILES[layout] for layout in ("google", "transformers"))
    if not (folder / google).is_file() or (folder / transformers).is_file():
        return False
    # Words alone: the lower-cased Chinese vocabulary has "<S>" and "[CLS]".
    words = (token.removeprefix("##") for token in wordpiece.read_tokens(vocabulary))
    return any(word.isalpha() and word != word.lower() for word in words)


def write(folder, engine, special_tokens):
    """Writes `tokenizer.json`, `vocab.txt` and `tokenizer_config.json`, as transformers does.

    Args:
        folder: Path. Must exist.
        engine: `tokenizers.Tokenizer`.
        special_tokens: dict of role to token.
    """
    (folder / TOKENIZER_FILE).write_text(engine.to_str(), encoding="utf-8")
    tokens = wordpiece.tokens_in_order(engine)
    (folder / VOCABULARY_FILE).write_text("\n".join(tokens) + "\n", encoding="utf-8")
    settings = wordpiece.settings(engine)
    content = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": settings["lowercase"],
        "strip_accents": settings["strip_accents"],
        "tokenize_chinese_chars": settings["split_chinese"],
        **{f"{role}_token": token for role, token in special_tokens.items()},
    }
    text = json.dumps(content, indent=2) + "\n"
    (folder / TOKENIZER_CONFIG_FILE).write_text(text, encoding="utf-8")
