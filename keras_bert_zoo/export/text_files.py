"""Writes what goes beside a model of ids: how to make ids of texts, and what the outputs mean."""

import tokenizers
from tokenizers.processors import TemplateProcessing

from keras_bert_zoo import pretrained
from keras_bert_zoo.tokenizer_files import TOKENIZER_FILE


def write_text_files(task, folder):
    """Writes the tokenizer's files and `preset.json`.

    `tokenizer.json` cuts and packs texts and pairs into one row as the preprocessor does, in
    whatever language the `tokenizers` library is used from: `encode(text)` gives `ids`, `type_ids`
    and `attention_mask`. Where the task has windows, further rows are its `overflowing`.

    Args:
        task: Task, with a preprocessor.
        folder: Path.
    """
    preprocessor, tokenizer = task.preprocessor, task.preprocessor.tokenizer
    second = 1 if task.config.num_segments > 1 else 0
    tokenizer.save_to_preset(folder)
    engine = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    cls, sep = (tokenizer.special_tokens[role] for role in ("cls", "sep"))
    engine.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:{second} {sep}:{second}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    # A context is what is run in windows, beside a whole question.
    questions = "question" in task.text_inputs
    engine.enable_truncation(
        preprocessor.max_length,
        stride=min(getattr(task, "stride", 0), preprocessor.max_length // 2),
        strategy="only_second" if questions else preprocessor.truncation,
    )
    (folder / TOKENIZER_FILE).write_text(engine.to_str(), encoding="utf-8")
    pretrained.write_description(task.description(), folder)
