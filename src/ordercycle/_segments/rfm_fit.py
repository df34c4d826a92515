"""The values that RFM scores, and the cuts: exact quantiles, by rounds of counting digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._columns import has_no_money
from ordercycle._errors import (
    Code,
    ColumnError,
    ConfigError,
    DataError,
    Option,
    counted,
)
from ordercycle._public import public
from ordercycle._segments.assigning import (
    refuse_bad_orders,
    refuse_missing,
    refuse_undecided,
    selected,
)
from ordercycle._segments.counting_rounds import (
    AS_OF_COLUMN,
    Cells,
    Round,
    as_of_cells,
    as_of_in,
    of_day,
)
from ordercycle._segments.fittable import with_options
from ordercycle._segments.order_statistics import KeyType, Search, exact_decimal
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.rule_values import bound
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.score_maps import SCORES, FrozenDict
from ordercycle_kernels.selection import DIGIT_BITS, DIGITS

#: An RFM scheme: its cuts and its account are options.
R = TypeVar("R", bound=Scheme)

#: A cell is column, prefix and digit; of the column after the scores, the type of monetary.
COLUMN_SHIFT = 40
TYPE_COLUMN = len(SCORES)
#: Types of monetary in cells; a decimal's scale is counted from `DECIMAL_TYPE` on.
FLOAT_TYPE, INTEGER_TYPE, DECIMAL_TYPE = 0, 1, 1000
#: The profile column that is M, and its types.
MONETARY: dict[str, tuple[str, tuple[pa.DataType, ...]]] = {
    "sum": ("revenue", (pa.float64(), pa.int64(), pa.decimal128(1))),
    "average": ("average_order_value", (pa.float64(),)),
}
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
class ScoredValues:
    """The values of a profile that are scored, and whose.

    monetary: of :data:`MONETARY`; where: the condition that leaves customers out, or None.
    """

    monetary: str
    where: pc.Expression | str | None

    @property
    def inputs(self) -> dict[str, tuple[pa.DataType, ...]]:
        """The profile columns that are R, F and M, with their types."""
        name, kinds = MONETARY[self.monetary]
        return {"days_since_last_order": (pa.int32(),), "orders": (pa.int64(),), name: kinds}

    def of(self, table: Any, *, is_checked: bool = False) -> tuple[pa.Table, NDArray[np.bool_]]:
        """Return R, F and M of a profile, checked, and which customers have scores."""
        table = as_table(table)
        if has_no_money(table.column_names):
            raise ConfigError(
                "the orders of this profile have no amounts, and RFM needs monetary values",
                remedy=(
                    "build the history with ",
                    Option("Columns.amount"),
                    ", or use Lifecycle or Cadence, which need none",
                ),
            )
        inputs = selected(table, self.inputs)
        orders = inputs.column("orders")
        if not is_checked:
            _check_values(inputs)
        kept = np.empty(table.num_rows, np.bool_)
        start = 0
        for chunk in orders.chunks:
            stop = start + len(chunk)
            np.greater(fixed_view(chunk, np.int64), 0, out=kept[start:stop])
            start = stop
        if self.where is not None:
            holds = bound(table, {"where": self.where}).truths(table).column(0)
            kept &= holds.fill_null(fill_value=False).to_numpy()
        return inputs, kept


def _check_values(inputs: pa.Table) -> None:
    """Raise a DataError where a customer with orders has a value that cannot be scored."""
    _, orders, monetary = inputs.columns
    refuse_bad_orders(orders)
    for name in ("days_since_last_order", inputs.column_names[-1]):
        refuse_missing(inputs, name, at_least=1)
    if monetary.type == pa.float64() and not pc.all(pc.is_finite(monetary)).as_py():
        bad = pc.and_(pc.invert(pc.is_finite(monetary)), pc.greater(orders, 0))
        refuse_undecided(
            f"{inputs.column_names[-1]} is NaN or infinite", bad.fill_null(fill_value=False)
        )


@dataclass(frozen=True)
class RfmRound(Round[pa.Table, R]):
    """Counts one more digit of the values around each cut.

    A cell is (column, prefix, digit). The first round, which has no searches yet, also counts
    rows by the type of monetary.
    """

    scheme: R
    values: ScoredValues
    bins: int
    by_hand: FrozenDict  # the cuts that are not fitted, by score
    account: RfmAccount | None = None
    searches: tuple[Search, ...] = ()

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read: any, where an expression chooses customers."""
        return None if self.values.where is not None else (*self.values.inputs, AS_OF_COLUMN)

    def count(self, batch: pa.Table) -> Cells:
        """Count digits of a profile's customers."""
        batch = as_table(batch)
        inputs, kept = self.values.of(batch, is_checked=bool(self.searches))
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

    def then(self, total: Cells) -> RfmRound[R] | R:
        """Return the next round, or the scheme with its cuts."""
        made = self._begun(total) if not self.searches else self._counted(total)
        if not all(search.is_over for search in made.searches):
            return made
        account = made.account
        if account is None or len(self.by_hand) == len(SCORES):
            return self.scheme
        cuts = {
            name: self.by_hand[name] if name in self.by_hand else _cuts(search, account, self.bins)
            for name, search in zip(SCORES, made.searches, strict=True)
        }
        return with_options(self.scheme, cuts=FrozenDict(cuts), account=account)

    def _counted(self, total: Cells) -> RfmRound[R]:
        searches = tuple(
            search if search.is_over else _searched(number, search, total)
            for number, search in enumerate(self.searches)
        )
        return replace(self, searches=searches)

    def _begun(self, total: Cells) -> RfmRound[R]:
        of_recency = (total.cell >> COLUMN_SHIFT) == 0
        buyers = int(total.count[of_recency].sum())
        if not buyers:
            condition = self.values.where
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
        by_hand = tuple(self.by_hand)
        for number, key in enumerate(keys):
            if SCORES[number] in by_hand:
                searches.append(Search.for_nothing(key))
                continue
            ranks = [
                rank
                for place in _quantile_positions(key, buyers, self.bins)
                for rank in (place.before, min(place.before + 1, buyers - 1))
            ]
            searches.append(_searched(number, Search.of(key, ranks), total))
        account = RfmAccount(as_of=as_of_in(total), buyers=buyers, by_hand=by_hand)
        return replace(self, account=account, searches=tuple(searches))


@dataclass(frozen=True)
class _QuantilePosition:
    """Where a quantile lies: behind so many values, and this part of the way to the next."""

    before: int
    part: Any


def _quantile_positions(key: KeyType, count: int, bins: int) -> list[_QuantilePosition]:
    """Return where the quantiles 1/bins to (bins - 1)/bins of so many values lie.

    For decimals exactly; else in the floats in which NumPy computes them, so that cuts are its.
    """
    if key.name == "decimal":
        whole = [divmod((count - 1) * number, bins) for number in range(1, bins)]
        return [_QuantilePosition(before, Fraction(rest, bins)) for before, rest in whole]
    virtual = [(count - 1) * (number / bins) for number in range(1, bins)]
    return [_QuantilePosition(math.floor(place), place - math.floor(place)) for place in virtual]


def _cuts(search: Search, account: RfmAccount, bins: int) -> tuple[float | Decimal, ...]:
    values = search.values()
    places = _quantile_positions(search.key, account.buyers, bins)
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
