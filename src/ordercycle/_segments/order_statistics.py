"""The values of given ranks of a column, by rounds of counting digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._errors import DataError
from ordercycle_kernels import selection as kernels
from ordercycle_kernels.amounts import keys_of_floats
from ordercycle_kernels.selection import DIGIT_BITS, DIGITS, WORD_BITS

WORD = 2**64 - 1
#: Types whose values are counted as they are first, in the hope that they are small.
WHOLE = ("int32", "int64")


def exact_decimal(unscaled: int, scale: int) -> Decimal:
    """Return unscaled / 10**scale with all its digits, whatever the context."""
    digits = tuple(map(int, str(abs(unscaled))))
    return Decimal((int(unscaled < 0), digits, -scale))


@dataclass(frozen=True)
class KeyType:
    """How the values of a column are keys, and back: of type, a decimal's with its scale."""

    name: str  # int32, int64, float64 or decimal
    scale: int = 0

    @classmethod
    def of(cls, kind: pa.DataType) -> KeyType:
        """Return the key type of a column's type."""
        if pa.types.is_decimal128(kind):
            return cls("decimal", kind.scale)
        return cls({"double": "float64"}.get(str(kind), str(kind)))

    @property
    def bits(self) -> int:
        """How many bits a place has."""
        return {"int32": 32, "decimal": 128}.get(self.name, WORD_BITS)

    def value(self, place: int) -> Any:
        """Return the value at a place: NumPy's of the type, or a Decimal."""
        key = place - (1 << (self.bits - 1))
        if self.name == "float64":
            bits = np.array([key], np.int64)
            bits ^= (bits >> 63) & np.int64(2**63 - 1)  # the way back of `keys_of_floats`
            return bits.view(np.float64)[0] + 0.0  # minus zero is zero
        if self.name == "decimal":
            return exact_decimal(key, self.scale)
        return np.int64(key)


@dataclass(frozen=True)
class Search:
    """What is known of the places of some ranks, after some digits.

    Attributes
    ----------
    key
        How the values of the column are keys.
    known
        How many bits of each place are known.
    prefixes
        These bits, ascending, each once.
    targets
        Per rank: the prefix of its place, and how many places of the prefix lie before it.
    small
        Whether the next round takes whole numbers for small: most are, and known after it.
    """

    key: KeyType
    known: int = 0
    prefixes: tuple[int, ...] = (0,)
    targets: tuple[tuple[int, int], ...] = ()
    small: bool = False

    @classmethod
    def of(cls, key: KeyType, ranks: Sequence[int] = ()) -> Search:
        """Return the search for the values that have so many before them."""
        return cls(key, targets=tuple((0, rank) for rank in ranks), small=key.name in WHOLE)

    @classmethod
    def for_nothing(cls, key: KeyType) -> Search:
        """Return the search of a column of which no value is wanted."""
        return cls(key, known=key.bits, prefixes=())

    @property
    def is_over(self) -> bool:
        """Whether the places are known."""
        return self.known == self.key.bits

    def count(self, array: pa.Array, kept: NDArray[np.bool_], counts: NDArray[np.int64]) -> None:
        """Count the next digit of an array's places, (prefixes, DIGITS), where a row is kept."""
        if self.small:
            kernels.count_small[self.key.name](fixed_view(array, self.key.name), kept, counts)
            return
        shift = self.key.bits - self.known - DIGIT_BITS
        if self.key.name == "decimal":
            lows = np.array([prefix & WORD for prefix in self.prefixes], np.uint64)
            highs = np.array([prefix >> WORD_BITS for prefix in self.prefixes], np.uint64)
            words = fixed_view(array, np.uint64, per_row=2)
            kernels.count_digits_wide(words, kept, shift, lows, highs, counts)
            return
        if self.key.name == "float64":
            keys = np.empty(len(array), np.int64)
            keys_of_floats(fixed_view(array, np.int64), keys)
        else:
            keys = fixed_view(array, self.key.name).astype(np.int64, copy=False)
        prefixes = np.array(self.prefixes, np.uint64)
        kernels.count_digits(keys, kept, -(1 << (self.key.bits - 1)), shift, prefixes, counts)

    def then(self, slots: NDArray[np.int64], digits: NDArray[np.int64], counts: Any) -> Search:
        """Return the search with one digit more, given the cells of (prefix, digit), ascending."""
        found = []
        for slot, rank in self.targets:
            here = slots == slot
            upto = np.cumsum(counts[here])
            at = int(np.searchsorted(upto, rank, side="right"))
            if at == upto.size:
                raise DataError(
                    "the values were others in an earlier round of the fit",
                    remedy="keep the profile, cached or saved, so that every round reads the same",
                )
            before = int(upto[at - 1]) if at else 0
            found.append((self.prefixes[slot], int(digits[here][at]), rank - before))
        if not self.small:
            places = [(prefix * DIGITS + digit, rank) for prefix, digit, rank in found]
            return self._known(places, self.known + DIGIT_BITS)
        if all(0 < digit < DIGITS - 1 for _, digit, _ in found):
            least = 1 << (self.key.bits - 1)
            return self._known([(least + digit - 1, rank) for _, digit, rank in found], None)
        return replace(self, small=False)

    def _known(self, places: list[tuple[int, int]], known: int | None) -> Search:
        """Return the search with so many bits of the places known; None: all of them."""
        prefixes = tuple(sorted({prefix for prefix, _ in places}))
        targets = tuple((prefixes.index(prefix), rank) for prefix, rank in places)
        known = self.key.bits if known is None else known
        return Search(self.key, known, prefixes, targets)

    def values(self) -> list[Any]:
        """Return the values of the ranks, once the search is over."""
        return [self.key.value(self.prefixes[slot]) for slot, _ in self.targets]
