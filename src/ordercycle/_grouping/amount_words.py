"""Amounts while they are grouped: one or two 64-bit words, and a key that orders like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.column_readers import MAX_DIGITS, AmountReader
from ordercycle_kernels import amounts

NO_WORDS: NDArray[np.int64] = np.zeros(0, np.int64)


def _bounds(smallest: int, largest: int) -> NDArray[np.uint64]:
    """Return the words of a range of sums, in the kernels' form."""
    ends = (largest, ~smallest)
    return np.array([word for end in ends for word in (end & (2**64 - 1), end >> 64)], np.uint64)


#: What sums may be, as the kernels read it.
INT64_BOUNDS = _bounds(-(2**63), 2**63 - 1)
DECIMAL_BOUNDS = _bounds(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1)


class AmountWords(NamedTuple):
    """Amounts: float64 or int64, and the high words of wide decimals (else empty)."""

    lows: NDArray[Any]
    highs: NDArray[np.int64]

    @property
    def signs(self) -> NDArray[np.int64]:
        """A word per amount that is negative where the amount is."""
        return self.highs if self.highs.size else self.lows.view(np.int64)

    @property
    def widened(self) -> AmountWords:
        """The same with high words."""
        return self if self.highs.size else AmountWords(self.lows, self.lows >> 63)

    @classmethod
    def alike(cls, parts: Sequence[AmountWords]) -> list[AmountWords]:
        """Return all of them with high words where one has them."""
        if any(part.highs.size for part in parts):
            return [part.widened for part in parts]
        return list(parts)

    @classmethod
    def joined(cls, parts: Sequence[AmountWords]) -> AmountWords:
        """Return the amounts of all parts, one behind the other."""
        lows, highs = zip(*cls.alike(parts), strict=True)
        return cls(np.concatenate(lows), np.concatenate(highs))

    def take(self, rows: NDArray[Any] | slice) -> AmountWords:
        """Return the amounts of some rows: listed, marked by a mask, or a slice as a view."""
        return AmountWords(self.lows[rows], self.highs[rows] if self.highs.size else NO_WORDS)


class Ranks(NamedTuple):
    """Wide decimals as ranks, equal ones sharing one, and the amount of each rank."""

    ranks: NDArray[np.int64]
    amounts: AmountWords


def keys_of(words: AmountWords, reader: AmountReader) -> NDArray[np.int64]:
    """Return integers that order like the amounts."""
    if reader.is_wide:
        return ranked(words).ranks
    if not reader.is_float:
        return words.lows
    keys = np.empty(words.lows.size, np.int64)
    amounts.keys_of_floats(words.lows.view(np.int64), keys)
    return keys


def ranked(words: AmountWords) -> Ranks:
    """Rank wide decimals."""
    order = np.lexsort((words.lows.view(np.uint64), words.highs))
    lows, highs = words.take(order)
    is_new = np.ones(order.size, np.bool_)
    is_new[1:] = (lows[1:] != lows[:-1]) | (highs[1:] != highs[:-1])
    ranks = np.empty(order.size, np.int64)
    ranks[order] = np.cumsum(is_new) - 1
    return Ranks(ranks, AmountWords(lows[is_new], highs[is_new]))
