"""Text to ids and back: `Tokenizer`."""

import json
import operator
import os
from pathlib import Path

import numpy as np

from keras_bert_zoo import tokenizer_files
from keras_bert_zoo.checkpoints.readers import read_json
from keras_bert_zoo.families import FAMILIES
from keras_bert_zoo.presets import locate
from keras_bert_zoo.tokenizer_files import TOKENIZER_FILE, VOCABULARY_FILE
from keras_bert_zoo.tokenizers import wordpiece
from keras_bert_zoo.tokenizers.texts import check_texts


class Tokenizer:
    """Text to token ids and back, equal to the model family's own tokenizer on every string.

    Make one with `from_preset`, `from_vocabulary`, `from_file` or `train`.

    Args:
        engine: `tokenizers.Tokenizer`.
        special_tokens: dict of role (`cls`, `sep`, `pad`, `mask`, `unk`) to token.

    Raises:
        ValueError: a special token other than the mask is not in the vocabulary.

    >>> import keras_bert_zoo as kbz
    >>> tokenizer = kbz.Tokenizer.from_vocabulary(
    ...     ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "warm", "##er", "day"]
    ... )
    >>> tokenizer.tokenize("A warmer day")
    [5, 6, 7, 8]
    >>> tokenizer.tokenize_with_offsets("warmer")
    ([6, 7], [(0, 4), (4, 6)])
    """

    def __init__(self, engine, special_tokens=FAMILIES["bert"].special_tokens):
        self.engine = engine
        self.special_tokens = dict(special_tokens)
        self.special_ids = {role: engine.token_to_id(t) for role, t in special_tokens.items()}
        lacking = [r for r, number in self.special_ids.items() if number is None and r != "mask"]
        if lacking:
            names = ", ".join(self.special_tokens[role] for role in lacking)
            raise ValueError(f"The vocabulary lacks the special tokens {names}.")
        self.vocabulary_size = 1 + max(engine.get_vocab(with_added_tokens=True).values())

    # === Making one ===

    @classmethod
    def from_preset(cls, source, lowercase=None, strip_accents=None):
        """The tokenizer of a model.

        Args:
            source: str or Path. As for `Backbone.from_preset`; the folder needs `tokenizer.json`
                or `vocab.txt`.
            lowercase: bool or None. None follows the files; where they do not say, a folder of
                Google's is cased when its vocabulary holds upper-case words, and all else is
                lower-cased, as in transformers.
            strip_accents: bool or None. None follows the files, else `lowercase`.

        Raises:
            ValueError, FileNotFoundError: there is no such model, or it has no tokenizer.
        """
        if os.path.isdir(source):
            return cls.from_folder(source, lowercase, strip_accents)
        location = locate(source, weights=False, tokenizer=True)
        return cls.from_folder(
            location.folder, lowercase, strip_accents, location.preset and location.preset.tokenizer
        )

    @classmethod
    def from_folder(cls, folder, lowercase=None, strip_accents=None, defaults=None):
        """The tokenizer whose files lie in a folder; see `from_preset`.

        Args:
            folder: str or Path.
            lowercase, strip_accents: bool or None.
            defaults: dict or None. `lowercase` for files that do not say.
        """
        folder = Path(folder)
        said = tokenizer_files.settings_of(folder)
        if lowercase is not None:
            said["lowercase"] = lowercase
        if strip_accents is not None:
            said["strip_accents"] = strip_accents
        path = folder / TOKENIZER_FILE
        if path.is_file() and "model" in read_json(path):
            return cls(wordpiece.read(path)).with_settings(**said)
        for path in (folder / VOCABULARY_FILE, folder / "assets" / "tokenizer" / "vocabulary.txt"):
            if path.is_file():
                said.setdefault("lowercase", (defaults or {}).get("lowercase"))
                if said["lowercase"] is None:
                    said["lowercase"] = not tokenizer_files.google_cased(folder, path)
                return cls.from_vocabulary(path, **said)
        raise FileNotFoundError(
            f"{folder} has no tokenizer: neither {TOKENIZER_FILE} nor {VOCABULARY_FILE} is there."
        )

    @classmethod
    def from_vocabulary(
        cls, vocabulary, lowercase=True, strip_accents=None, split_chinese=True, family="bert"
    ):
        """A WordPiece tokenizer over a vocabulary.

        Args:
            vocabulary: str, Path or list of str. A `vocab.txt`, or the tokens in order of id.
            lowercase: bool. Defaults to True.
            strip_accents: bool or None. None strips exactly when lower-casing.
            split_chinese: bool. Whether each CJK character is a word. Defaults to True.
            family: str. Whose special tokens to use.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the vocabulary is empty or lacks a special token.
        """
        special = FAMILIES[family].special_tokens
        engine = wordpiece.build(vocabulary, special, lowercase, strip_accents, split_chinese)
        return cls(engine, special)

    @classmethod
    def from_file(cls, path):
        """The tokenizer of a `tokenizer.json`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or is not BERT's kind of tokenizer.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"No tokenizer at {path}.")
        return cls(wordpiece.read(path))

    @classmethod
    def train(cls, texts, vocabulary_size, lowercase=True, min_frequency=2, **options):
        """A tokenizer whose vocabulary is learned from text.

        Args:
            texts: iterable of str. Read once, so it may be larger than memory.
            vocabulary_size: int. Most tokens, the five special ones included.
            lowercase: bool. Defaults to True.
            min_frequency: int. How often a piece must occur. Defaults to 2.
            **options: `strip_accents`, `split_chinese`, `character_coverage` (1.0: all of the
                text's characters; 0.9999 leaves out the rarest) and `show_progress` (a bar; off).

        The same texts give the same vocabulary.

        Raises:
            ValueError: the texts are a single one, or a number is out of range.
        """
        special = FAMILIES["bert"].special_tokens
        engine = wordpiece.train(
            texts,
            vocabulary_size,
            special,
            lowercase=lowercase,
            min_frequency=min_frequency,
            **options,
        )
        return cls(engine, special)

    @classmethod
    def from_json(cls, text):
        """The tokenizer of `to_json`."""
        import tokenizers

        return cls(tokenizers.Tokenizer.from_str(text))

    def with_settings(self, **settings):
        """This tokenizer, or one that differs from it in `lowercase` or `strip_accents`."""
        current = wordpiece.settings(self.engine)
        changed = {**current, **{k: v for k, v in settings.items() if k in current}}
        if changed == current:
            return self
        state = json.loads(self.engine.to_str())
        state["normalizer"].update(
            lowercase=changed["lowercase"],
            strip_accents=changed["strip_accents"],
            handle_chinese_chars=changed["split_chinese"],
        )
        return type(self).from_json(json.dumps(state))

    # === Using it ===

    def tokenize(self, text):
        """The ids of a text, without special tokens around it.

        Args:
            text: str, or list of str.

        Returns:
            list of int; for a list, a list of such.

        Raises:
            ValueError: an item is no text; the message names it.
        """
        if isinstance(text, str):
            return self.tokenize([text])[0]
        encodings = self.engine.encode_batch_fast(check_texts(text), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def tokenize_with_offsets(self, text):
        """The ids of a text and where each piece stands in it.

        Args:
            text: str, or list of str.

        Returns:
            tuple of a list of ids and a list of `(start, end)`, in characters of the text as given;
            for a list, two lists of such.
        """
        if isinstance(text, str):
            ids, offsets = self.tokenize_with_offsets([text])
            return ids[0], offsets[0]
        encodings = self.engine.encode_batch(check_texts(text), add_special_tokens=False)
        return [e.ids for e in encodings], [e.offsets for e in encodings]

    def detokenize(self, ids, skip_special_tokens=True):
        """Text from ids; spaces around punctuation are tidied, case and accents stay lost.

        Args:
            ids: list of int, or list of such lists.
            skip_special_tokens: bool.

        Returns:
            str, or list of str.
        """
        ids = np.asarray(ids).tolist() if isinstance(ids, np.ndarray) else list(ids)
        if ids and not isinstance(ids[0], (int, np.integer)):
            return [self.detokenize(row, skip_special_tokens) for row in ids]
        return self.engine.decode(ids, skip_special_tokens=skip_special_tokens)

    def token_to_id(self, token):
        """The id of a token; None where it is not in the vocabulary."""
        return self.engine.token_to_id(token)

    def id_to_token(self, number):
        """The token of an id; None where there is none."""
        return self.engine.id_to_token(operator.index(number))

    # === Keeping it ===

    def to_json(self):
        """The tokenizer as text; `from_json` reads it back."""
        return self.engine.to_str()

    def save_to_preset(self, directory):
        """Writes `tokenizer.json`, `vocab.txt` and `tokenizer_config.json`, as transformers does.

        Args:
            directory: str or Path. Must exist.
        """
        tokenizer_files.write(Path(directory), self.engine, self.special_tokens)
