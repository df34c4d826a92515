"""How value lists are fitted: the value of a rank, then what the list Top has, by counting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._errors import ColumnError, DataError, counted
from ordercycle._public import public
from ordercycle._segments.assigning import refuse_undecided
from ordercycle._segments.counting_rounds import (
    AS_OF_COLUMNS,
    Cells,
    Round,
    as_of_cells,
    as_of_in,
    of_day,
)
from ordercycle._segments.fittable import Fittable, first_round, with_options
from ordercycle._segments.order_statistics import KeyType, Search
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.score_maps import FrozenDict
from ordercycle._segments.value.clv import Clv, forecast_of
from ordercycle._segments.value.columns import Forecast, Predicted, predict_batch
from ordercycle._segments.value.inputs import as_floats, purchases_of
from ordercycle._segments.value.list_cuts import SEGMENTS, Cuts, Values
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS
from ordercycle_kernels.purchase_cells import add_floats
from ordercycle_kernels.selection import DIGITS
from ordercycle_kernels.value_lists import LOST, TOP

#: Statistics of Top that can be the number on top of the list, with what they are.
STATISTICS = {
    "mean_clv": "mean of revenue so far and predicted value",
    "median_clv": "median of revenue so far and predicted value",
    "mean_value": "mean of predicted value",
}
#: A cell is a kind, a prefix and a digit; a kind and a chunk of a sum; or a kind and a list.
KIND_SHIFT = 40
VALUE_DIGITS, CLV_DIGITS, SIZES, CLV_SUM, VALUE_SUM, REACHED = range(6)

MEDIAN = "median_clv"
#: The columns of a model by which customers are put in lists.
VALUES = ("p_active", "predicted_value", "clv")
FLOATS = KeyType("float64")
#: Bits of a chunk of an exact sum of floats, and what its lowest bit stands for.
CHUNK, LOWEST_BIT = 32, -1074

#: A scheme with a model of value, `clv`: its cuts and its account are options.
F = TypeVar("F", bound=Fittable)
Floats = NDArray[np.float64]


@public()
@dataclass(frozen=True, kw_only=True)
class ValueListsAccount:
    """What value lists were fitted from, and the number on top of the list.

    Attributes
    ----------
    as_of
        The day of the profile; None where it does not say.
    customers
        Customers with orders.
    sizes
        How many customers each list has.
    numbers
        Of the customers of Top: ``mean_clv`` and ``median_clv``, of revenue so far and predicted
        value together, and ``mean_value``, of the predicted value alone. None where Top is empty.
    reached
        By number and list: how many customers have spent as much so far.
    by_hand
        Whether the cuts were given and not fitted.
    """

    as_of: date | None
    customers: int
    sizes: Mapping[str, int]
    numbers: Mapping[str, float] | None = None
    reached: Mapping[str, Mapping[str, int]] | None = None
    by_hand: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", FrozenDict(self.sizes))
        if self.numbers is not None:
            object.__setattr__(self, "numbers", FrozenDict(self.numbers))
        if self.reached is not None:
            reached = {name: FrozenDict(counts) for name, counts in self.reached.items()}
            object.__setattr__(self, "reached", FrozenDict(reached))

    @property
    def origin(self) -> str:
        """Where the numbers come from, in a few words."""
        return f"fitted{of_day(self.as_of)} to {counted(self.customers, 'customer')}"

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        lines = [f"{counted(self.customers, 'customer')} with orders{of_day(self.as_of)}: {sizes}."]
        for name, number in (self.numbers or {}).items():
            reached = (self.reached or {}).get(name, {})
            others = sum(count for which, count in reached.items() if which != SEGMENTS[TOP])
            lost = reached.get(SEGMENTS[LOST], 0)
            lines.append(
                f"{number:,.2f} is the {STATISTICS.get(name, name)} in Top; "
                f"{counted(others, 'other customer')} spent as much so far, of whom {lost:,} Lost."
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the account as text and numbers, without what is unknown."""
        made: dict[str, Any] = {"customers": self.customers, "sizes": dict(self.sizes)}
        if self.as_of is not None:
            made["as_of"] = str(self.as_of)
        if self.numbers is not None:
            made["numbers"] = dict(self.numbers)
        if self.reached is not None:
            made["reached"] = {name: dict(counts) for name, counts in self.reached.items()}
        if self.by_hand:
            made["by_hand"] = True
        return made

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ValueListsAccount:
        """Return the account that `to_dict` wrote."""
        as_of = given.get("as_of")
        return cls(**{**given, "as_of": None if as_of is None else date.fromisoformat(as_of)})


@dataclass(frozen=True)
class ModelRound(Round[pa.Table, F]):
    """Fits the model of value first, then the lists."""

    model: Round[pa.Table, Any]
    scheme: F

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read, by the rounds of the lists too."""
        return self.model.columns

    def count(self, batch: pa.Table) -> Cells:
        """Count what the model is fitted to."""
        return self.model.count(batch)

    def then(self, total: Cells) -> Round[pa.Table, F] | F:
        """Return the first round of the lists."""
        lists = with_options(self.scheme, clv=self.model.then(total))
        first: Round[pa.Table, F] | None = first_round(lists)
        return lists if first is None else first


@dataclass(frozen=True)
class ListsRound(Round[pa.Table, F]):
    """Counts what decides the lists: digits of values, then the customers of each list.

    bounds: hi and lo; share: of the customers, whose least value is the cut; cut: once it is
    known; account: once the lists have been counted; search: of the value or the median that is
    being looked for.
    """

    scheme: F
    model: Clv
    bounds: tuple[float, float]
    share: Fraction
    by_hand: bool = False
    cut: float | None = None
    account: ValueListsAccount | None = None
    search: Search | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The profile columns that are read."""
        inputs = self.forecast.models.inputs
        return (*inputs.columns, *self.forecast.names, "orders", "window_days", *AS_OF_COLUMNS)

    @property
    def forecast(self) -> Forecast:
        """What predicts, made in each process where it is needed."""
        return forecast_of(self.model)

    @property
    def is_reaching(self) -> bool:
        """Whether the numbers on top of the list are known."""
        return self.account is not None and MEDIAN in (self.account.numbers or {})

    def count(self, batch: pa.Table) -> Cells:
        """Count a profile's customers."""
        table = as_table(batch)
        parts = valued(table, self.forecast).to_batches()
        made = Cells.total(self._counted(values_of(part, self.forecast)) for part in parts)
        return made.plus(as_of_cells(table)) if self._counts_lists else made

    @property
    def _counts_lists(self) -> bool:
        return self.cut is not None and self.account is None

    def _counted(self, values: Values) -> Cells:
        if self.cut is None:
            return self._digits(values.predicted_value, values.has_orders, VALUE_DIGITS)
        codes = Cuts(*self.bounds, self.cut).codes(values)
        if self.is_reaching:
            return self._reaching(values, codes)
        is_top = codes == TOP
        made = self._digits(values.clv, is_top, CLV_DIGITS)
        if not self._counts_lists:
            return made
        sizes = np.bincount(codes[codes >= 0], minlength=len(SEGMENTS))
        made = made.plus(_of_kind(SIZES, sizes))
        for kind, amounts in ((CLV_SUM, values.clv), (VALUE_SUM, values.predicted_value)):
            chunks = np.zeros(FLOAT_CHUNKS, np.int64)
            add_floats(amounts, is_top, chunks)
            made = made.plus(_of_kind(kind, chunks))
        return made

    def _digits(self, amounts: Floats, kept: NDArray[np.bool_], kind: int) -> Cells:
        search = Search.of(FLOATS) if self.search is None else self.search
        table = np.zeros((len(search.prefixes), DIGITS), np.int64)
        search.count(array_of(amounts, pa.float64()), kept, table)
        return _of_kind(kind, table.ravel())

    def _reaching(self, values: Values, codes: NDArray[np.int8]) -> Cells:
        """Count who spent as much as each number, by list."""
        tables = []
        for place, number in enumerate(self._numbers.values()):
            reached = codes[(values.revenue >= number) & (codes >= 0)]
            counts = np.bincount(reached, minlength=len(SEGMENTS))
            tables.append(_of_kind(REACHED, counts, place * len(SEGMENTS)))
        return Cells.total(tables)

    @property
    def _numbers(self) -> Mapping[str, float]:
        return {} if self.account is None else self.account.numbers or {}

    def then(self, total: Cells) -> Round[pa.Table, F] | F:
        """Return the next round, or the fitted scheme."""
        if self.cut is None:
            return self._with_cut(total)
        if self.account is None:
            return self._with_lists(total)
        if not self.is_reaching:
            return self._with_median(total, self.account)
        return self._fitted(total, self.account)

    def _with_cut(self, total: Cells) -> ListsRound[F]:
        places, counts = _found(total, VALUE_DIGITS)
        search = self.search
        if search is None:
            customers = int(counts.sum())
            if not customers:
                raise DataError(
                    "no customer of this profile has orders, so there are no lists",
                    remedy="take a later day, or more orders",
                )
            # The value of a rank from above, hence so many come before it.
            search = Search.of(FLOATS, [customers - math.ceil(self.share * customers)])
        search = search.then(places // DIGITS, places % DIGITS, counts)
        if search.is_over:
            return replace(self, cut=float(search.values()[0]), search=None)
        return replace(self, search=search)

    def _with_lists(self, total: Cells) -> Round[pa.Table, F] | F:
        """Take note of the lists; of Top, begin to look for the median."""
        codes, counts = _found(total, SIZES)
        sizes = dict.fromkeys(SEGMENTS, 0) | {
            SEGMENTS[code]: int(count) for code, count in zip(codes, counts, strict=True)
        }
        customers, top = sum(sizes.values()), sizes[SEGMENTS[TOP]]
        if not customers:
            raise DataError(
                "no customer of this profile has orders, so there are no lists",
                remedy="take a later day, or more orders",
            )
        account = ValueListsAccount(
            as_of=as_of_in(total), customers=customers, sizes=sizes, by_hand=self.by_hand
        )
        if not top:
            return self._scheme(account)
        means = {
            name: _exact_mean(*_found(total, kind), top)
            for name, kind in (("mean_clv", CLV_SUM), ("mean_value", VALUE_SUM))
        }
        search = Search.of(FLOATS, [(top - 1) // 2, top // 2])
        places, digits = _found(total, CLV_DIGITS)
        search = search.then(places // DIGITS, places % DIGITS, digits)
        return replace(self, account=replace(account, numbers=means), search=search)

    def _with_median(self, total: Cells, account: ValueListsAccount) -> ListsRound[F]:
        begun = cast("Search", self.search)  # by `_with_lists`
        places, counts = _found(total, CLV_DIGITS)
        search = begun.then(places // DIGITS, places % DIGITS, counts)
        if not search.is_over:
            return replace(self, search=search)
        low, high = (float(value) for value in search.values())
        known = self._numbers
        numbers = {name: (low + high) / 2 if name == MEDIAN else known[name] for name in STATISTICS}
        return replace(self, account=replace(account, numbers=numbers), search=None)

    def _fitted(self, total: Cells, account: ValueListsAccount) -> F:
        found = dict(zip(*(array.tolist() for array in _found(total, REACHED)), strict=True))
        reached = {
            name: {
                segment: found.get(place * len(SEGMENTS) + code, 0)
                for code, segment in enumerate(SEGMENTS)
            }
            for place, name in enumerate(self._numbers)
        }
        return self._scheme(replace(account, reached=reached))

    def _scheme(self, account: ValueListsAccount) -> F:
        return with_options(self.scheme, cuts=(*self.bounds, self.cut), account=account)


def valued(table: pa.Table, forecast: Forecast) -> pa.Table:
    """Return what a forecast reads of a profile, and those of its columns that are there.

    Raises
    ------
    ColumnError
        Where a column of a forecast is there that is not of this one, or is no double.
    DataError
        Where one has no number though there are orders.
    """
    there = [name for name in forecast.names if name in table.column_names]
    for name in there:
        metadata = table.schema.field(name).metadata or {}
        if any(metadata.get(key) != value for key, value in forecast.metadata.items()):
            raise ColumnError(
                f"the table has a column {name!r} that does not say it is of this model, its "
                "horizon and its discount rate",
                remedy="drop it: it is added again",
                column=name,
            )
        kind = table.schema.field(name).type
        if kind != pa.float64():
            raise ColumnError(
                f"the table's column {name!r} of the model is {kind}, and was double",
                remedy="drop it: it is added again",
                column=name,
            )
    inputs = forecast.models.inputs.of(table)
    has_orders = pc.greater(inputs.column("order_days"), 0)
    for name in there:
        column = table.column(name)
        is_number = pc.fill_null(pc.is_finite(column), fill_value=False)
        bad = pc.and_(has_orders, pc.invert(is_number))
        refuse_undecided(f"{name} is null, NaN or infinite though there are orders,", bad)
        inputs = inputs.append_column(table.schema.field(name), column)
    return inputs


def values_of(batch: pa.RecordBatch, forecast: Forecast, room: Predicted | None = None) -> Values:
    """Return what decides the lists of a batch that `valued` returned.

    room: where columns that are missing are written to; of those that are there, it says nothing.
    """
    names = batch.schema.names
    if all(name in names for name in forecast.names):
        known = purchases_of(batch).has_orders
        active, value, total = (fixed_view(batch.column(name), np.float64) for name in VALUES)
    else:
        if room is None:
            room = Predicted.empty(batch.num_rows, has_money=forecast.models.inputs.has_spend)
        known = predict_batch(batch, forecast, room)
        active, value, total = (getattr(room, name) for name in VALUES)
    return Values(known, active, value, total, as_floats(batch.column("revenue")))


def _of_kind(kind: int, counts: NDArray[Any], first: int = 0) -> Cells:
    """Return counts as cells of a kind, from a place on."""
    places = np.flatnonzero(counts)
    return Cells((places + first) | np.int64(kind << KIND_SHIFT), counts[places].astype(np.int64))


def _found(total: Cells, kind: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places and the counts of a kind of cells."""
    own = (total.cell >> KIND_SHIFT) == kind
    return total.cell[own] & ((1 << KIND_SHIFT) - 1), total.count[own]


def _exact_mean(chunks: NDArray[np.int64], sums: NDArray[np.int64], size: int) -> float:
    """Return a mean of floats of which the exact sum is given in chunks, rounded once."""
    whole = sum(
        value << (CHUNK * place)
        for place, value in zip(chunks.tolist(), sums.tolist(), strict=True)
    )
    return float(Fraction(whole, size << -LOWEST_BIT))
