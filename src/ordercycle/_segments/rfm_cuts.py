"""Cuts between scores: given, compared with values, and written as plain values."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._errors import ConfigError, Option, counted, suggestion
from ordercycle._segments.order_statistics import WORD, KeyType
from ordercycle._segments.score_maps import SCORES, FrozenDict
from ordercycle_kernels.scores import count_below, count_below_wide

Cut = float | Decimal

#: The least value of what is scored of orders; whole numbers only.
LEAST = {"recency": 0, "frequency": 1}


def checked_cuts(given: Any, bins: int, *, fitted: Container[str]) -> FrozenDict:
    """Return cuts by score, as tuples of numbers; those that are fitted may be equal."""
    listed = isinstance(given, Mapping) and all(
        np.iterable(cuts) and not isinstance(cuts, str) for cuts in given.values()
    )
    unknown = [score for score in given if score not in SCORES] if listed else []
    if not listed or not given or unknown:
        hint = suggestion(str(unknown[0]), SCORES) if unknown else ""
        raise ConfigError(
            (Option("cuts", given), f" divides nothing{hint}"),
            remedy=f"pass a dict of {', '.join(map(repr, SCORES))}, or some of them, with "
            f"{counted(bins - 1, 'number')} each, which ascend",
        )
    made = {
        score: tuple(_number(value, score) for value in given[score])
        for score in SCORES
        if score in given
    }
    for score, cuts in made.items():
        if len(cuts) != bins - 1:
            raise ConfigError(
                f"cuts: {score} has {counted(len(cuts), 'cut')}",
                remedy=f"pass {bins - 1}, which divide {bins} bins",
            )
        if any(
            one > other or (one == other and score not in fitted) for one, other in pairwise(cuts)
        ):
            raise ConfigError(
                f"cuts: those of {score} do not ascend: {cuts}",
                remedy="sort them, and leave out equal ones, as no customer has a score between",
            )
    return FrozenDict(made)


def _number(value: Any, score: str) -> Cut:
    """Return a cut: a float, or a Decimal, which plain values have as text."""
    try:
        exact = isinstance(value, str | Decimal)
        number: Cut = Decimal(value) if exact else float(value)
    except (TypeError, ValueError, InvalidOperation):
        raise ConfigError(f"cuts: {value!r} of {score} is not a number") from None
    except OverflowError:
        raise ConfigError(f"cuts: one of {score} is beyond all floats") from None
    if not (number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)):
        raise ConfigError(
            f"cuts: {value!r} of {score} is not finite", remedy="leave it out, with fewer bins"
        )
    return number


def plain_cuts(cuts: Mapping[str, Sequence[Cut]]) -> dict[str, list[float | str]]:
    """Return cuts as lists, decimals as text."""
    return {
        score: [str(cut) if isinstance(cut, Decimal) else cut for cut in cuts[score]]
        for score in SCORES
        if score in cuts
    }


def scores_reached(
    cuts: Sequence[Cut], score: str, *, are_of_orders: bool = True
) -> NDArray[np.bool_]:
    """Return which scores any value can have, the lowest first.

    are_of_orders: whether recency and frequency are whole numbers of days and orders; else the
    frequency is above 0.
    """
    bounds: list[Any] = list(cuts)
    can_be_lowest = True
    if not are_of_orders:
        if score == "frequency":
            can_be_lowest = bounds[0] > 0
            bounds = [max(bound, 0) for bound in bounds]
    elif score in LEAST:
        bounds = [math.floor(cut) for cut in cuts]
        can_be_lowest = bounds[0] >= LEAST[score]
        # Below the least value nothing lies between cuts either.
        bounds = [max(bound, LEAST[score] - 1) for bound in bounds]
    reached = [can_be_lowest, *(one < other for one, other in pairwise(bounds)), True]
    return np.array(reached[::-1] if score == "recency" else reached)


@dataclass(frozen=True)
class TypedCuts:
    """Cuts as the values of a column's type that divide the column alike: rounded down."""

    key: KeyType
    lows: NDArray[Any]  # the values, or the low words of decimals
    highs: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, cuts: Sequence[Cut], kind: pa.DataType) -> TypedCuts:
        """Return cuts for a type."""
        key = KeyType.of(kind)
        if key.name == "float64":
            return cls(key, np.array([float(cut) for cut in cuts]))
        unit = Fraction(10) ** key.scale
        bound = 1 << (key.bits - 1)
        whole = [min(max(math.floor(Fraction(cut) * unit), -bound), bound - 1) for cut in cuts]
        if key.name == "decimal":
            lows = np.array([value & WORD for value in whole], np.uint64)
            highs = np.array([value >> 64 for value in whole], np.int64)
            return cls(key, lows, highs)
        return cls(key, np.array(whole, key.name))

    def count_below(self, column: pa.Array, out_below: NDArray[np.int8]) -> None:
        """Count the cuts strictly below each value of a column."""
        if self.highs is not None:
            words = fixed_view(column, np.uint64, per_row=2)
            count_below_wide(words, words.view(np.int64), self.lows, self.highs, out_below)
        else:
            count_below[self.key.name](fixed_view(column, self.key.name), self.lows, out_below)
