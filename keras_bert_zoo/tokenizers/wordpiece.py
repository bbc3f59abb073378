"""BERT's WordPiece on the Rust `tokenizers` library, equal to transformers' `BertTokenizerFast`.

Google's own `tokenization.py` differs from both:

- its longest word has 200 characters, not 100;
- it splits `[MASK]` and its like in text, which here stay whole;
- it keeps private-use characters, which here are dropped;
- it lower-cases a final capital sigma to "ς", not "σ";
- it makes each of U+2B820 to U+2B91F a word, as other CJK characters;
- punctuation and accents follow the Unicode release of its Python, here that of the library.
"""

import collections
import json
import os
from pathlib import Path

import tokenizers
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit
from tokenizers.trainers import WordPieceTrainer

# A longer word becomes one unknown token. Google's own code allows 200.
MAX_CHARACTERS_PER_WORD = 100


def build(vocabulary, special_tokens, lowercase, strip_accents=None, split_chinese=True):
    """A WordPiece engine over a vocabulary.

    Args:
        vocabulary: str, path, or list of str. A `vocab.txt` (a token a line, its id the line's
            number), or the tokens in order. The last of equal tokens wins, as in BERT's own code.
        special_tokens: role -> token. Those of the vocabulary are kept whole in text.
        lowercase: bool.
        strip_accents: bool or None. None follows `lowercase`, as in BERT's own code.
        split_chinese: bool. Whether each CJK character is a word of its own.

    Returns:
        `tokenizers.Tokenizer`.

    Raises:
        ValueError: the vocabulary is empty.
    """
    tokens = list(vocabulary) if isinstance(vocabulary, (list, tuple)) else read_tokens(vocabulary)
    if not tokens:
        raise ValueError("The vocabulary is empty.")
    ids = {token: number for number, token in enumerate(tokens)}
    engine = tokenizers.Tokenizer(
        WordPiece(
            ids,
            unk_token=special_tokens["unk"],
            max_input_chars_per_word=MAX_CHARACTERS_PER_WORD,
            continuing_subword_prefix="##",
        )
    )
    _add_pipeline(engine, lowercase, strip_accents, split_chinese)
    engine.add_special_tokens([t for t in special_tokens.values() if t in ids])
    return engine


def read(path):
    """The WordPiece engine of a `tokenizer.json`; the truncation and padding in it are left out.

    Raises:
        ValueError: the file is damaged, or is another kind of tokenizer.
    """
    try:
        engine = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ValueError(f"{path} is truncated or no tokenizer.json: {error}") from error
    parts = {
        "model": (engine.model, WordPiece),
        "normalizer": (engine.normalizer, BertNormalizer),
        "pre-tokenizer": (engine.pre_tokenizer, BertPreTokenizer),
    }
    for part, (found, wanted) in parts.items():
        if not isinstance(found, wanted):
            raise ValueError(
                f"{path}: the {part} is {type(found).__name__}; BERT's is {wanted.__name__}."
            )
    engine.no_truncation()
    engine.no_padding()
    return engine


def train(
    texts,
    vocabulary_size,
    special_tokens,
    lowercase=True,
    strip_accents=None,
    split_chinese=True,
    min_frequency=2,
    character_coverage=1.0,
    show_progress=False,
):
    """A WordPiece engine with a vocabulary learned from text; the same text gives the same one.

    Args:
        texts: iterable of str. Read once; what is kept of it are its words and their counts.
        vocabulary_size: int. Most tokens, special tokens included; fewer where the text has
            fewer.
        special_tokens: role -> token; they get the first ids, the padding token id 0.
        lowercase: bool.
        strip_accents: bool or None. None follows `lowercase`.
        split_chinese: bool.
        min_frequency: int. How often a piece must occur to be learned.
        character_coverage: float in `(0, 1]`. Share of the text's characters that the vocabulary
            is to hold; the rarest, and those for which there is no room, are left to the unknown
            token.
        show_progress: bool.

    Returns:
        `tokenizers.Tokenizer`.

    Raises:
        ValueError: the texts are a single one, the coverage is out of range, or there is no room
            for more than the special tokens.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError("A vocabulary is learned from a list of texts; got one. Write [text].")
    if not 0 < character_coverage <= 1:
        raise ValueError(f"character_coverage must lie in (0, 1]; got {character_coverage!r}.")
    first = [special_tokens[role] for role in ("pad", "unk", "cls", "sep", "mask")]
    room = vocabulary_size - len(first)
    if room < 1:
        raise ValueError(
            f"vocabulary_size must be more than the {len(first)} special tokens; "
            f"got {vocabulary_size!r}."
        )
    learner = tokenizers.Tokenizer(WordPiece({}, unk_token=special_tokens["unk"]))
    _add_pipeline(learner, lowercase, strip_accents, split_chinese)
    words = _covered(_count_words(learner, texts), character_coverage, room)
    # The library gives ids to the characters within words in the order of a hash map, and breaks
    # ties between pieces by id. Named beforehand, their order is fixed.
    inside = sorted({f"##{character}" for word in words for character in word[1:]})
    trainer = WordPieceTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=first + inside,
        continuing_subword_prefix="##",
        show_progress=show_progress,
    )
    learner = tokenizers.Tokenizer(WordPiece({}, unk_token=special_tokens["unk"]))
    learner.pre_tokenizer = WhitespaceSplit()
    learner.train_from_iterator(_repeated(words), trainer)
    vocabulary = learner.get_vocab(with_added_tokens=False)
    tokens = sorted(vocabulary, key=vocabulary.get)
    return build(tokens, special_tokens, lowercase, strip_accents, split_chinese)


def _count_words(engine, texts):
    """How often each word of the texts occurs, as the engine cuts and spells them."""
    words = collections.Counter()
    for text in texts:
        normal = engine.normalizer.normalize_str(text)
        words.update(word for word, _ in engine.pre_tokenizer.pre_tokenize_str(normal))
    return words


def _covered(words, coverage, room):
    """The words that hold none of the rarest characters.

    Args:
        words: Counter of str.
        coverage: float. Share of all characters to keep.
        room: int. Most tokens: one a character, and another (`##x`) where it occurs within words.
    """
    characters, inside = collections.Counter(), set()
    for word, count in words.items():
        inside.update(word[1:])
        for character in word:
            characters[character] += count
    kept, covered, wanted = set(), 0, coverage * characters.total()
    for character in sorted(characters, key=lambda character: (-characters[character], character)):
        room -= 1 + (character in inside)
        if room < 0 or covered >= wanted:
            break
        kept.add(character)
        covered += characters[character]
    return {word: count for word, count in words.items() if kept.issuperset(word)}


def _repeated(words, at_once=10_000):
    """Each word as often as it was counted, in lines."""
    for word, count in words.items():
        for start in range(0, count, at_once):
            yield " ".join([word] * min(at_once, count - start))


def settings(engine):
    """The choices that `build` was given, read back from an engine."""
    state = json.loads(engine.to_str())["normalizer"]
    return {
        "lowercase": state["lowercase"],
        "strip_accents": state["strip_accents"],
        "split_chinese": state["handle_chinese_chars"],
    }


def tokens_in_order(engine):
    """The tokens by id, as the lines of a `vocab.txt`; an id without a token is left blank."""
    vocabulary = engine.get_vocab(with_added_tokens=True)
    tokens = [""] * (1 + max(vocabulary.values()))
    for token, number in vocabulary.items():
        tokens[number] = token
    return tokens


def read_tokens(path):
    """The tokens of a `vocab.txt`, in order."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No vocabulary at {path}.")
    # Not splitlines(): a vocabulary holds tokens that Python counts as line ends (U+2028, U+0085).
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _add_pipeline(engine, lowercase, strip_accents, split_chinese):
    engine.normalizer = BertNormalizer(
        clean_text=True,
        handle_chinese_chars=split_chinese,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    engine.pre_tokenizer = BertPreTokenizer()
    engine.decoder = WordPieceDecoder(prefix="##")
