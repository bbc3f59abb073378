"""What counting alone can do: runs of up to four tokens, with back-off."""

import numpy as np

# Taken off every count, and given to shorter contexts (Ney et al. 1994).
DISCOUNT = 0.75


class BackOff:
    """Chances of a token by those before it, interpolated with shorter and shorter contexts.

    Args:
        rows: iterable of int arrays. Tokens of at most `2 ** 63` to the power of `1 / order`.
        vocabulary_size: int. V.
        order: int. Tokens that are counted together; the last one is foretold by the others.
    """

    def __init__(self, rows, vocabulary_size, order=4):
        self.size = vocabulary_size
        rows = [np.asarray(row, "int64") for row in rows]
        unigrams = np.bincount(np.concatenate(rows), minlength=vocabulary_size)
        self.unigrams = (unigrams + 1) / (unigrams + 1).sum()
        self.tables = [self._count(rows, n) for n in range(2, order + 1)]

    def _count(self, rows, n):
        """The runs of n tokens, each as one number, and how often each occurs."""
        keys = []
        for row in rows:
            key = np.zeros(max(len(row) - n + 1, 0), "int64")
            for i in range(n):
                key = key * self.size + row[i : len(row) - n + 1 + i]
            keys.append(key)
        return np.unique(np.concatenate(keys), return_counts=True)

    def chances(self, before):
        """The chance of each token after some others: float array, `(V,)`.

        Args:
            before: list of int. The tokens before it, as many as there are.
        """
        chances = self.unigrams.copy()
        for n, (keys, counts) in enumerate(self.tables, start=2):
            context = before[-(n - 1) :]
            if len(context) < n - 1:
                break
            key = 0
            for token in context:
                key = key * self.size + int(token)
            start, end = np.searchsorted(keys, [key * self.size, (key + 1) * self.size])
            if start == end:
                break
            total = counts[start:end].sum()
            chances *= DISCOUNT * (end - start) / total
            chances[keys[start:end] % self.size] += (counts[start:end] - DISCOUNT) / total
        return chances
