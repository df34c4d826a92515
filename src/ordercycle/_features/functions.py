"""The functions of features, each declared once: what it takes, needs, makes and means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from ordercycle._features import results
from ordercycle._features.measures import Measured, Measures

#: What a column of a stream can be.
ColumnKind: TypeAlias = Literal["attribute", "key", "value"]
#: Which events are seen: without refunds; with them; or with them where it is about the amount.
Events: TypeAlias = Literal["counted", "all", "net"]

COUNT = pa.int64()
DAYS = pa.int32()
RATIO = pa.float64()
TRUTH = pa.bool_()


@dataclass(frozen=True)
class Need:
    """What a function needs of a selection of a customer's events.

    measure: the name of one of `Measures`; of_column: whether of the events with a value there;
    everything: whether those for whom the condition does not hold as well.
    """

    measure: str
    of_column: bool = True
    events: Events = "counted"
    everything: bool = False


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of features.

    takes: what its column may be, nothing for a stream itself; result: its type, or that of the
    type of its column; nothing: the value without events; needs: what is measured for it, in the
    order in which `finish` takes it; wants_values, wants_condition: what has to be given.
    """

    takes: tuple[ColumnKind, ...] = ()
    result: pa.DataType | Callable[[pa.DataType], pa.DataType]
    nothing: Any
    needs: tuple[Need, ...]
    finish: Callable[[Measures, results.Asked, list[Measured]], pa.Array]
    wants_values: bool = False
    wants_condition: bool = False
    meaning: str

    def result_of(self, column: pa.DataType | None) -> pa.DataType:
        """Return the type of the result, for a column of a type."""
        return self.result if isinstance(self.result, pa.DataType) else self.result(column)

    @property
    def finds_values(self) -> bool:
        """Whether its results are values of its column, an attribute."""
        return self.result is _dictionary


def _dictionary(kind: pa.DataType) -> pa.DataType:
    return pa.dictionary(pa.int32(), kind)


def _sum(kind: pa.DataType) -> pa.DataType:
    return pa.decimal128(results.MOST_DIGITS, kind.scale) if pa.types.is_decimal(kind) else kind


def _itself(kind: pa.DataType) -> pa.DataType:
    return kind


FUNCTIONS: Mapping[str, Function] = {
    "count": Function(
        result=COUNT,
        nothing=0,
        needs=(Need("count", of_column=False),),
        finish=results.numbers,
        meaning="events",
    ),
    "days": Function(
        result=COUNT,
        nothing=0,
        needs=(Need("days", of_column=False),),
        finish=results.numbers,
        meaning="distinct days with an event",
    ),
    "sum": Function(
        takes=("value",),
        result=_sum,
        nothing=0,
        needs=(Need("total", events="all"),),
        finish=results.sums,
        meaning="exact sum, net of refunds",
    ),
    "mean": Function(
        takes=("value",),
        result=RATIO,
        nothing=None,
        needs=(Need("total", events="net"), Need("count")),
        finish=results.means,
        meaning="exact mean, rounded once; of amounts the net sum by the number of orders",
    ),
    "min": Function(
        takes=("value",),
        result=_itself,
        nothing=None,
        needs=(Need("smallest"), Need("any")),
        finish=results.extremes,
        meaning="smallest value",
    ),
    "max": Function(
        takes=("value",),
        result=_itself,
        nothing=None,
        needs=(Need("largest"), Need("any")),
        finish=results.extremes,
        meaning="largest value",
    ),
    "distinct": Function(
        takes=("attribute", "key"),
        result=COUNT,
        nothing=0,
        needs=(Need("distinct"),),
        finish=results.numbers,
        meaning="distinct values, null left out",
    ),
    "first": Function(
        takes=("attribute",),
        result=_dictionary,
        nothing=None,
        needs=(Need("first", of_column=False),),
        finish=results.values_of_events,
        meaning="value of the first event, which may be null",
    ),
    "last": Function(
        takes=("attribute",),
        result=_dictionary,
        nothing=None,
        needs=(Need("last", of_column=False),),
        finish=results.values_of_events,
        meaning="value of the last event, which may be null",
    ),
    "top": Function(
        takes=("attribute",),
        result=_dictionary,
        nothing=None,
        needs=(Need("top"),),
        finish=results.frequent_values,
        meaning="most frequent value, null left out; of several the smallest",
    ),
    "days_since": Function(
        result=DAYS,
        nothing=None,
        needs=(Need("last", of_column=False),),
        finish=results.days_since,
        meaning="days since the last event, as of the day",
    ),
    "days_since_first": Function(
        result=DAYS,
        nothing=None,
        needs=(Need("first", of_column=False),),
        finish=results.days_since,
        meaning="days since the first event, as of the day",
    ),
    "share": Function(
        takes=("value",),
        result=RATIO,
        nothing=None,
        needs=(Need("total", events="all"), Need("total", events="all", everything=True)),
        finish=results.shares,
        wants_condition=True,
        meaning="sum where the condition holds by the sum of all in the window; null where that "
        "is 0",
    ),
    "has": Function(
        result=TRUTH,
        nothing=False,
        needs=(Need("any", of_column=False),),
        finish=results.truths,
        meaning="whether there is an event",
    ),
    "has_all": Function(
        takes=("attribute",),
        result=TRUTH,
        nothing=False,
        needs=(Need("any", of_column=False),),  # for each of the values
        finish=results.truths,
        wants_values=True,
        meaning="whether every one of the values occurs",
    ),
}
