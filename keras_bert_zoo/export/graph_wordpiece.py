"""WordPiece in a TensorFlow graph, of TensorFlow's own ops alone."""

import tensorflow as tf

from keras_bert_zoo.tokenizers.wordpiece import tokens_in_order


class GraphWordPiece(tf.Module):
    """Splits words into the longest pieces of a vocabulary, from the left.

    Whole words of the vocabulary, most of a text, are looked up at once. Each further step takes
    one piece off all words that are left, so there are as many as the longest word has pieces.

    Args:
        engine: `tokenizers.Tokenizer`.
        vocabulary_file: Path. Where to write the vocabulary, a token a line.
    """

    def __init__(self, engine, vocabulary_file):
        super().__init__()
        vocabulary = engine.get_vocab(with_added_tokens=False)
        # The file takes neither twins nor empty lines: an id that no word leads to gets a name
        # that no word has, since it holds a space.
        lines = [
            token if vocabulary.get(token) == number and _fits_line(token) else f"unused {number}"
            for number, token in enumerate(tokens_in_order(engine))
        ]
        vocabulary_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.file = tf.saved_model.Asset(str(vocabulary_file))
        index = tf.lookup.TextFileIndex
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.file, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
            ),
            default_value=-1,
        )
        self.names = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.file, tf.int64, index.LINE_NUMBER, tf.string, index.WHOLE_LINE
            ),
            default_value="",
        )
        # Those that have another name in the file.
        tokens = enumerate(tokens_in_order(engine))
        renamed = {i: token for i, token in tokens if token != lines[i]}
        self.renamed = tf.constant([*renamed, -1], tf.int64)
        self.right_names = tf.constant([*renamed.values(), ""])
        self.unknown = engine.token_to_id(engine.model.unk_token)
        self.longest_word = engine.model.max_input_chars_per_word
        self.prefix = engine.model.continuing_subword_prefix
        self.longest_piece = max(len(token.removeprefix(self.prefix)) for token in vocabulary)

    def tokens(self, ids):
        """The tokens of ids: a string tensor of the same shape."""
        ids = tf.cast(ids, tf.int64)
        same = ids[..., None] == self.renamed  # (…, R)
        right = tf.gather(self.right_names, tf.argmax(same, axis=-1))
        return tf.where(tf.reduce_any(same, axis=-1), right, self.names.lookup(ids))

    def __call__(self, words):
        """The pieces of words.

        Args:
            words: int32 ragged tensor, `(words, characters)`. Code points; no word is empty.

        Returns:
            int32 tensor, `(pieces, 4)`, in order. Of each piece its word, its first character in
            the word, the one after its last, and its id. A word that is too long, or cannot be
            split, is one unknown piece.
        """
        lengths = tf.cast(words.row_lengths(), tf.int32)  # (words,)
        numbers = _where(lengths <= self.longest_word)
        lengths_of_short = tf.gather(lengths, numbers)
        texts = tf.strings.unicode_encode(tf.gather(words, numbers), "UTF-8")
        whole = tf.cast(self.table.lookup(texts), tf.int32)
        known, rest = _where(whole >= 0), _where(whole < 0)
        pieces, failed = self._split(tf.gather(texts, rest), tf.gather(lengths_of_short, rest))
        rest = tf.gather(numbers, rest)

        def alone(chosen, ids):
            return tf.stack([chosen, tf.zeros_like(chosen), tf.gather(lengths, chosen), ids], 1)

        unknown = tf.concat([_where(lengths > self.longest_word), tf.boolean_mask(rest, failed)], 0)
        found = tf.concat(
            [
                alone(tf.gather(numbers, known), tf.gather(whole, known)),
                alone(unknown, tf.fill(tf.shape(unknown), self.unknown)),
                tf.concat([tf.gather(rest, pieces[:, :1]), pieces[:, 1:]], 1),
            ],
            0,
        )
        places = tf.cast(found[:, :2], tf.int64)
        return tf.gather(found, tf.argsort(places[:, 0] * self.longest_word + places[:, 1]))

    def _split(self, texts, lengths):
        """The pieces of words that are no tokens themselves, and which cannot be split."""

        def step(active, starts, found, failed):
            left = tf.gather(lengths, active) - starts  # (active,)
            most = tf.minimum(self.longest_piece, tf.reduce_max(left))
            widths = tf.range(1, most + 1)  # (widths,)
            shape = [tf.size(active), most]
            candidates = tf.strings.substr(
                tf.gather(texts, active)[:, None],
                tf.broadcast_to(starts[:, None], shape),
                tf.broadcast_to(widths, shape),
                unit="UTF8_CHAR",
            )
            prefixes = tf.where(starts > 0, self.prefix, "")
            ids = tf.cast(self.table.lookup(prefixes[:, None] + candidates), tf.int32)
            fits = (ids >= 0) & (widths <= left[:, None])
            best = tf.reduce_max(tf.where(fits, widths, 0), axis=1)  # (active,)
            hit = best > 0
            failed = tf.tensor_scatter_nd_update(failed, active[:, None], ~hit)
            ids = tf.gather(ids, tf.maximum(best - 1, 0), batch_dims=1)
            ends = starts + best
            rows = tf.stack([active, starts, ends, ids], 1)
            found = tf.concat([found, tf.boolean_mask(rows, hit)], 0)
            on = hit & (best < left)
            return tf.boolean_mask(active, on), tf.boolean_mask(ends, on), found, failed

        count = tf.size(lengths)
        none = tf.zeros([0, 4], tf.int32)
        _, _, found, failed = tf.while_loop(
            lambda active, *_: tf.size(active) > 0,
            step,
            (tf.range(count), tf.zeros([count], tf.int32), none, tf.zeros([count], tf.bool)),
            shape_invariants=(
                tf.TensorShape([None]),
                tf.TensorShape([None]),
                tf.TensorShape([None, 4]),
                tf.TensorShape([None]),
            ),
        )
        return tf.boolean_mask(found, ~tf.gather(failed, found[:, 0])), failed


def _fits_line(token):
    return token and not {"\n", "\r"} & {*token}


def _where(mask):
    """The numbers at which a vector is true."""
    return tf.cast(tf.where(mask)[:, 0], tf.int32)
