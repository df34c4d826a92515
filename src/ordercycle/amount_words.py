"""Amounts while they are grouped: one or two 64-bit words, and a key that orders like them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle.readers import MAX_DIGITS, AmountReader
from ordercycle_kernels import amounts

NO_WORDS: NDArray[np.int64] = np.zeros(0, np.int64)


def _bounds(smallest: int, largest: int) -> NDArray[np.uint64]:
    """Return the words of a range of sums, in the kernels' form."""
    ends = (largest, ~smallest)
    return np.array([word for end in ends for word in (end & (2**64 - 1), end >> 64)], np.uint64)


#: What sums may be, as the kernels read it.
INT64_BOUNDS: NDArray[np.uint64] = _bounds(-(2**63), 2**63 - 1)
DECIMAL_BOUNDS: NDArray[np.uint64] = _bounds(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1)


class AmountWords(NamedTuple):
    """Amounts as in a history: float64, or low words and, for wide decimals, high words."""

    lows: NDArray[Any]
    highs: NDArray[np.int64]

    @property
    def signs(self) -> NDArray[np.int64]:
        """A word per amount that is negative where the amount is."""
        return self.highs if self.highs.size else self.lows.view(np.int64)


class AmountKeys(NamedTuple):
    """Keys that order like the amounts; those of wide decimals are ranks in `ranked`."""

    keys: NDArray[np.int64]
    ranked: AmountWords | None


def keys_of(words: AmountWords, reader: AmountReader) -> AmountKeys:
    """Return the keys of amounts."""
    if reader.is_float:
        keys = np.empty(words.lows.size, np.int64)
        amounts.keys_of_floats(words.lows.view(np.int64), keys)
        return AmountKeys(keys, None)
    return ranks_of(words) if reader.is_wide else AmountKeys(words.lows, None)


def ranks_of(words: AmountWords) -> AmountKeys:
    """Rank wide decimals: equal amounts share a rank."""
    lows, highs = words
    order = np.lexsort((lows.view(np.uint64), highs))
    lows, highs = lows[order], highs[order]
    is_new = np.ones(order.size, np.bool_)
    is_new[1:] = (lows[1:] != lows[:-1]) | (highs[1:] != highs[:-1])
    ranks = np.empty(order.size, np.int64)
    ranks[order] = np.cumsum(is_new) - 1
    return AmountKeys(ranks, AmountWords(lows[is_new], highs[is_new]))


def words_of(keys: AmountKeys, reader: AmountReader) -> AmountWords:
    """Return the amounts of keys; the keys of floats are turned in place."""
    if keys.ranked is not None:
        return AmountWords(keys.ranked.lows[keys.keys], keys.ranked.highs[keys.keys])
    if reader.is_float:
        amounts.floats_of_keys(keys.keys)
        return AmountWords(keys.keys.view(np.float64), NO_WORDS)
    return AmountWords(keys.keys, NO_WORDS)
