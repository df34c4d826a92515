"""The values that RFM scores, and the cuts: exact quantiles, by rounds of counting digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
    suggestion,
)
from ordercycle._public import public
from ordercycle._segments.assigning import (
    refuse_absent,
    refuse_bad_orders,
    refuse_missing,
    refuse_undecided,
    selected,
)
from ordercycle._segments.counting_rounds import (
    AS_OF_COLUMNS,
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

#: A cell is column, prefix and digit; of the column after the scores, score and type of its values.
COLUMN_SHIFT = 40
TYPE_COLUMN = len(SCORES)
#: Types of values in cells; a decimal's scale is counted from `DECIMAL_TYPE` on.
TYPES = {0: "float64", 1: "int64", 2: "int32"}
DECIMAL_TYPE = 1000
#: The profile columns that are R and F where nothing else is said, and those that are M by words.
RECENCY, FREQUENCY = "days_since_last_order", "orders"
MONETARY = {"sum": "revenue", "average": "average_order_value"}
#: The types of these.
OF_ORDERS: dict[str, tuple[pa.DataType, ...]] = {
    RECENCY: (pa.int32(),),
    FREQUENCY: (pa.int64(),),
    "revenue": (pa.float64(), pa.int64(), pa.decimal128(1)),
    "average_order_value": (pa.float64(),),
}
#: How other columns are brought to a type that is scored.
CASTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...] = (
    (pa.types.is_integer, lambda _: pa.int64()),
    (pa.types.is_floating, lambda _: pa.float64()),
    (pa.types.is_decimal128, lambda kind: kind),
    (pa.types.is_decimal, lambda kind: pa.decimal128(38, kind.scale)),
    (pa.types.is_null, lambda _: pa.float64()),
)
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
        The customers with scores: of those with orders, whom `where` did not leave out.
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

    Columns, or a word of :data:`MONETARY`; where: the condition that leaves customers out, or None.
    """

    recency: str
    frequency: str
    monetary: str
    where: pc.Expression | str | None

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns that are R, F and M; two of them may be one."""
        return self.recency, self.frequency, MONETARY.get(self.monetary, self.monetary)

    @property
    def are_of_orders(self) -> bool:
        """Whether they are those of orders, so that whoever has orders has all three."""
        recency, frequency, monetary = self.columns
        return (recency, frequency) == (RECENCY, FREQUENCY) and monetary in MONETARY.values()

    @property
    def has_all(self) -> str:
        """What those have who have scores."""
        if self.are_of_orders:
            return "orders"
        recency, frequency, monetary = self.columns
        return f"{recency}, {monetary} and a {frequency} above 0"

    def of(self, table: Any, *, is_checked: bool = False) -> tuple[pa.Table, NDArray[np.bool_]]:
        """Return R, F and M of a profile, checked, and which customers have scores."""
        table = as_table(table)
        if self.columns[-1] in MONETARY.values() and has_no_money(table.column_names):
            raise ConfigError(
                "the orders of this profile have no amounts, and RFM needs monetary values",
                remedy=(
                    "build the history with ",
                    Option("Columns.amount"),
                    ", name another column with ",
                    Option("monetary"),
                    ", or use Lifecycle or Cadence, which need none",
                ),
            )
        monetary = self.columns[-1]
        hint = "" if monetary in table.column_names else suggestion(monetary, MONETARY)
        if hint:
            raise ColumnError(
                f"the table has no column {monetary!r}{hint}",
                remedy=("pass ", Option("monetary", "average"), " or a column of the table"),
                column=monetary,
            )
        if self.are_of_orders:
            inputs, kept = _of_orders(table, self.columns, is_checked=is_checked)
        else:
            inputs, kept = _of_columns(table, self.columns, is_checked=is_checked)
        if self.where is not None:
            holds = bound(table, {"where": self.where}).truths(table).column(0)
            kept &= holds.fill_null(fill_value=False).to_numpy()
        return inputs, kept


def _of_orders(
    table: pa.Table, columns: tuple[str, ...], *, is_checked: bool
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return the values of orders, and who has any."""
    inputs = selected(table, {name: OF_ORDERS[name] for name in columns})
    if not is_checked:
        _check_orders(inputs)
    kept = np.empty(table.num_rows, np.bool_)
    start = 0
    for chunk in inputs.column(FREQUENCY).chunks:
        stop = start + len(chunk)
        np.greater(fixed_view(chunk, np.int64), 0, out=kept[start:stop])
        start = stop
    return inputs, kept


def _check_orders(inputs: pa.Table) -> None:
    """Raise a DataError where a customer with orders has a value that cannot be scored."""
    _, orders, monetary = inputs.columns
    refuse_bad_orders(orders)
    for name in (RECENCY, inputs.column_names[-1]):
        refuse_missing(inputs, name, at_least=1)
    if monetary.type == pa.float64() and not pc.all(pc.is_finite(monetary)).as_py():
        bad = pc.and_(pc.invert(pc.is_finite(monetary)), pc.greater(orders, 0))
        refuse_undecided(
            f"{inputs.column_names[-1]} is NaN or infinite", bad.fill_null(fill_value=False)
        )


def _of_columns(
    table: pa.Table, columns: tuple[str, ...], *, is_checked: bool
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return the values of any columns, and who has all three, with a frequency above 0."""
    refuse_absent(table, dict.fromkeys(columns))
    values = [_number(table.column(name), name) for name in columns]
    frequency = values[1]
    is_positive = pc.greater(frequency, pa.scalar(0, frequency.type))
    if not is_checked:
        for name, column in zip(columns, values, strict=True):
            if column.type == pa.float64() and not pc.all(pc.is_finite(column)).as_py():
                bad = pc.invert(pc.is_finite(column))
                if column is not frequency:
                    bad = pc.and_(bad, is_positive)
                bad = bad.fill_null(fill_value=False)
                refuse_undecided(f"{name} is NaN or infinite", bad, column=name)
    kept = is_positive.fill_null(fill_value=False).to_numpy().copy()
    for column in values:
        if column.null_count:
            kept &= column.is_valid().to_numpy()
    return pa.table(values, names=list(SCORES)), kept


def _number(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a column in a type that is scored."""
    kind = next((to(column.type) for fits, to in CASTS if fits(column.type)), None)
    if kind is None:
        raise ColumnError(
            f"{name} is {column.type}, and scores are of numbers",
            remedy="cast it to an integer, float64 or decimal128, or name another column",
            column=name,
        )
    try:
        return column if column.type == kind else column.cast(kind)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{name} is {column.type}, with values beyond {kind}: {error}",
            remedy="cast it to float64",
            column=name,
        ) from None


@dataclass(frozen=True)
class RfmRound(Round[pa.Table, R]):
    """Counts one more digit of the values around each cut.

    A cell is (column, prefix, digit). The first round, which has no searches yet, also counts
    rows by the types of the values.
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
        read = (*self.values.columns, *AS_OF_COLUMNS)
        return None if self.values.where is not None else tuple(dict.fromkeys(read))

    def count(self, batch: pa.Table) -> Cells:
        """Count digits of a profile's customers."""
        batch = as_table(batch)
        inputs, kept = self.values.of(batch, is_checked=bool(self.searches))
        searches = self.searches or tuple(
            Search.of(KeyType.of(column.type)) for column in inputs.columns
        )
        types = [KeyType.of(column.type) for column in inputs.columns]
        for score, search, found in zip(SCORES, searches, types, strict=True):
            if search.key != found:
                raise ColumnError(
                    f"{score} values are {found.name} here and {search.key.name} elsewhere",
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
        buyers = np.count_nonzero(kept)
        codes = [
            TYPE_COLUMN << COLUMN_SHIFT | number << DIGIT_BITS | _code(found)
            for number, found in enumerate(types)
        ]
        return made.plus(Cells.summed(codes, [buyers] * len(codes)), as_of_cells(batch))

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
            raise self._nobody()
        searches = []
        keys = [_key_type(number, score, total) for number, score in enumerate(SCORES)]
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

    def _nobody(self) -> DataError:
        """Return the error for a profile in which nobody has scores."""
        text: list[str | Option] = [f"no customer of this profile has {self.values.has_all}"]
        if self.values.where is not None:
            text += [" and satisfies ", Option("where", Code(str(self.values.where)))]
        return DataError(
            (*text, ", so there is nothing to take quantiles of"),
            remedy="take a later day, more orders or other customers",
        )


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
    return next(code for code, name in TYPES.items() if name == kind.name)


def _key_type(number: int, score: str, total: Cells) -> KeyType:
    """Return the type of a score's values in all parts of a profile."""
    place = TYPE_COLUMN << (COLUMN_SHIFT - DIGIT_BITS) | number
    codes = total.cell[(total.cell >> DIGIT_BITS) == place] & (DIGITS - 1)
    if codes.size != 1:
        raise ColumnError(
            f"{score} values have several types in the parts of the profile",
            remedy="cast them to one",
        )
    code = int(codes[0])
    return KeyType(TYPES[code]) if code in TYPES else KeyType("decimal", code - DECIMAL_TYPE)
