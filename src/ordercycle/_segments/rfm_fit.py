"""The cuts of RFM scores: exact quantiles, by rounds of counting digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._errors import (
    Code,
    ColumnError,
    ConfigError,
    DataError,
    Option,
    counted,
)
from ordercycle._public import public
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.order_statistics import KeyType, Search, exact_decimal
from ordercycle._segments.profile_fit import AS_OF_COLUMN, as_of_cells, as_of_in, of_day
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.score_maps import SCORES
from ordercycle._segments.serialization import FrozenDict
from ordercycle_kernels.selection import DIGIT_BITS, DIGITS

#: A cell is column, prefix and digit; of the column after the scores, the type of monetary.
COLUMN_SHIFT = 40
TYPE_COLUMN = len(SCORES)
#: Types of monetary in cells; a decimal's scale is counted from `DECIMAL_TYPE` on.
FLOAT_TYPE, INTEGER_TYPE, DECIMAL_TYPE = 0, 1, 1000
#: Rows whose keys are made at once: they stay in the cache.
ROWS_AT_ONCE = 2**16


@public()
@dataclass(frozen=True, kw_only=True)
class RfmAccount:
    """What cuts were fitted from.

    Attributes
    ----------
    as_of
        The day of the profile; None where it does not say.
    buyers
        The customers with orders whom `where` did not leave out.
    by_hand
        The scores whose cuts were given and not fitted.
    """

    as_of: date | None
    buyers: int
    by_hand: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        by_hand = tuple(score for score in SCORES if score in self.by_hand)
        if len(by_hand) < len(self.by_hand):
            raise ConfigError(
                (Option("by_hand", self.by_hand), " names no scores"),
                remedy=f"pass a list of some of {', '.join(map(repr, SCORES))}",
            )
        object.__setattr__(self, "by_hand", by_hand)

    @property
    def origin(self) -> str:
        """Where the numbers come from, in a few words."""
        by_hand = f", {' and '.join(self.by_hand)} by hand" if self.by_hand else ""
        return f"fitted{of_day(self.as_of)} from {counted(self.buyers, 'buyer')}{by_hand}"

    def __str__(self) -> str:
        given = f"; those of {' and '.join(self.by_hand)} are by hand" if self.by_hand else ""
        return f"Cuts are quantiles of {counted(self.buyers, 'buyer')}{of_day(self.as_of)}{given}."

    def to_dict(self) -> dict[str, Any]:
        """Return the account as text and numbers; no `as_of` where it is unknown."""
        as_of = {} if self.as_of is None else {"as_of": str(self.as_of)}
        by_hand = {"by_hand": list(self.by_hand)} if self.by_hand else {}
        return {**as_of, "buyers": self.buyers, **by_hand}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> RfmAccount:
        """Return the account that `to_dict` wrote."""
        as_of = given.get("as_of")
        return cls(**{**given, "as_of": None if as_of is None else date.fromisoformat(as_of)})


@dataclass(frozen=True)
class RfmRound(Round[pa.Table, Any]):
    """Counts one more digit of the values around each cut; made by ``Rfm.first_round``.

    A cell is (column, prefix, digit). The first round, which has no searches yet, also counts
    rows by the type of monetary.
    """

    scheme: Any  # an Rfm
    searches: tuple[Search, ...] = ()

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read: any, where an expression chooses customers."""
        return None if self.scheme.where is not None else (*self.scheme.inputs, AS_OF_COLUMN)

    def count(self, batch: pa.Table) -> Cells:
        """Count digits of a profile's customers."""
        batch = as_table(batch)
        inputs, kept = self.scheme.chosen(batch, is_checked=bool(self.searches))
        searches = self.searches or tuple(
            Search.of(KeyType.of(column.type)) for column in inputs.columns
        )
        monetary, found = searches[-1].key, KeyType.of(inputs.schema.field(TYPE_COLUMN - 1).type)
        if monetary != found:
            raise ColumnError(
                f"monetary values are {found.name} here and {monetary.name} elsewhere",
                remedy="cast the parts of the profile to one type",
            )
        tables = [
            None if search.is_over else np.zeros((len(search.prefixes), DIGITS), np.int64)
            for search in searches
        ]
        start = 0
        for chunk in inputs.to_batches(max_chunksize=ROWS_AT_ONCE):
            stop = start + chunk.num_rows
            for column, search, table in zip(chunk.columns, searches, tables, strict=True):
                if table is not None:
                    search.count(column, kept[start:stop], table)
            start = stop
        made = Cells.total(
            _cells(number, table) for number, table in enumerate(tables) if table is not None
        )
        if self.searches or not made.cell.size:
            return made
        buyers = [np.count_nonzero(kept)]
        kind = Cells.summed([TYPE_COLUMN << COLUMN_SHIFT | _code(found)], buyers)
        return made.plus(kind, as_of_cells(batch))

    def then(self, total: Cells) -> Any:
        """Return the next round, or the scheme with its cuts."""
        made = self._begun(total) if not self.searches else self._counted(total)
        return made.ended() if all(search.is_over for search in made.searches) else made

    def ended(self) -> Any:
        """Return the scheme with its cuts, once all searches are over."""
        by_hand, account = self.scheme.by_hand, self.scheme.account
        if len(by_hand) == len(SCORES):
            return replace(self.scheme, account=None)
        cuts = {
            name: by_hand[name] if name in by_hand else _cuts(search, account, self.scheme.bins)
            for name, search in zip(SCORES, self.searches, strict=True)
        }
        return replace(self.scheme, cuts=FrozenDict(cuts))

    def _counted(self, total: Cells) -> RfmRound:
        searches = tuple(
            search if search.is_over else _searched(number, search, total)
            for number, search in enumerate(self.searches)
        )
        return replace(self, searches=searches)

    def _begun(self, total: Cells) -> RfmRound:
        of_recency = (total.cell >> COLUMN_SHIFT) == 0
        buyers = int(total.count[of_recency].sum())
        if not buyers:
            condition = self.scheme.where
            raise DataError(
                "no customer of this profile has orders, so there is nothing to take quantiles of"
                if condition is None
                else (
                    "no customer of this profile has orders and satisfies ",
                    Option("where", Code(str(condition))),
                    ", so there is nothing to take quantiles of",
                ),
                remedy="take a later day, more orders or other customers",
            )
        codes = total.cell[(total.cell >> COLUMN_SHIFT) == TYPE_COLUMN] & (DIGITS - 1)
        if codes.size != 1:
            raise ColumnError(
                "monetary values have several types in the parts of the profile",
                remedy="cast them to one",
            )
        keys = (KeyType("int32"), KeyType("int64"), _key_type(int(codes[0])))
        searches = []
        by_hand = tuple(self.scheme.by_hand)
        for number, key in enumerate(keys):
            if SCORES[number] in by_hand:
                searches.append(Search.for_nothing(key))
                continue
            ranks = [
                rank
                for place in _places(key, buyers, self.scheme.bins)
                for rank in (place.before, min(place.before + 1, buyers - 1))
            ]
            searches.append(_searched(number, Search.of(key, ranks), total))
        account = RfmAccount(as_of=as_of_in(total), buyers=buyers, by_hand=by_hand)
        scheme = replace(self.scheme, account=account)
        return replace(self, scheme=scheme, searches=tuple(searches))


@dataclass(frozen=True)
class _Place:
    """Where a quantile lies: behind so many values, and this part of the way to the next."""

    before: int
    part: Any


def _places(key: KeyType, count: int, bins: int) -> list[_Place]:
    """Return where the quantiles 1/bins to (bins - 1)/bins of so many values lie.

    For decimals exactly; else in the floats in which NumPy computes them, so that cuts are its.
    """
    if key.name == "decimal":
        whole = [divmod((count - 1) * number, bins) for number in range(1, bins)]
        return [_Place(before, Fraction(rest, bins)) for before, rest in whole]
    virtual = [(count - 1) * (number / bins) for number in range(1, bins)]
    return [_Place(math.floor(place), place - math.floor(place)) for place in virtual]


def _cuts(search: Search, account: RfmAccount, bins: int) -> tuple[float | Decimal, ...]:
    values = search.values()
    places = _places(search.key, account.buyers, bins)
    pairs = zip(places, values[::2], values[1::2], strict=True)
    return tuple(_between(one, other, place.part, search.key) for place, one, other in pairs)


def _between(one: Any, other: Any, part: Any, key: KeyType) -> float | Decimal:
    """Return the value a part of the way from one to the other.

    A decimal is rounded down to the scale of the column, which divides its values alike.
    """
    if key.name == "decimal":
        low, high = Fraction(one), Fraction(other)
        exact = (low + (high - low) * part) * Fraction(10) ** key.scale
        return exact_decimal(math.floor(exact), key.scale)
    if key.name == "float64" or int(other) - int(one) < 2**63:
        with np.errstate(over="ignore", invalid="ignore"):
            cut = float(np.quantile(np.array([one, other]), part))
        if math.isfinite(cut):
            return cut
    # Too far apart for a difference.
    return float(float(one) * (1 - part) + float(other) * part)


def _searched(number: int, search: Search, total: Cells) -> Search:
    """Return a column's search with the digit that was counted."""
    own = (total.cell >> COLUMN_SHIFT) == number
    cells = total.cell[own] & ((1 << COLUMN_SHIFT) - 1)
    return search.then(cells >> DIGIT_BITS, cells & (DIGITS - 1), total.count[own])


def _cells(number: int, table: Any) -> Cells:
    flat = table.ravel()
    places = np.flatnonzero(flat)
    return Cells(places | number << COLUMN_SHIFT, flat[places])


def _code(kind: KeyType) -> int:
    if kind.name == "decimal":
        return DECIMAL_TYPE + kind.scale
    return FLOAT_TYPE if kind.name == "float64" else INTEGER_TYPE


def _key_type(code: int) -> KeyType:
    if code in (FLOAT_TYPE, INTEGER_TYPE):
        return KeyType("float64" if code == FLOAT_TYPE else "int64")
    return KeyType("decimal", code - DECIMAL_TYPE)
