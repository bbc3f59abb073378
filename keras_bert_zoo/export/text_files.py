"""Writes what goes beside a model of ids: how to make ids of texts, and what the outputs mean."""

import tokenizers
from tokenizers.processors import TemplateProcessing

from keras_bert_zoo import pretrained
from keras_bert_zoo.text import TOKENIZER_FILE


def write_text_files(preprocessor, content, folder):
    """Writes the tokenizer's files and `preset.json`.

    `tokenizer.json` cuts and packs texts and pairs as the preprocessor does, in whatever language
    the `tokenizers` library is used from: `encode(text)` gives `ids`, `type_ids` and
    `attention_mask`.

    Args:
        preprocessor: Preprocessor.
        content: dict. Of `pretrained.description`.
        folder: Path.
    """
    tokenizer = preprocessor.tokenizer
    tokenizer.save_to_preset(folder)
    engine = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    cls, sep = (tokenizer.special_tokens[role] for role in ("cls", "sep"))
    engine.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    engine.enable_truncation(preprocessor.max_length, strategy=preprocessor.truncation)
    (folder / TOKENIZER_FILE).write_text(engine.to_str(), encoding="utf-8")
    pretrained.write_description(content, folder)
