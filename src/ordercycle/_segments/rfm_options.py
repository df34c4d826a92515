"""What RFM scores are made of: checked, compared, and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._columns import has_no_money
from ordercycle._errors import ConfigError, Option, check_choice, whole_number
from ordercycle._expressions.compiling import parsed_condition
from ordercycle._expressions.expression_text import language_text
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.reprs import Shown
from ordercycle._segments.rfm_cuts import checked_cuts, plain_cuts
from ordercycle._segments.rfm_fit import RfmAccount
from ordercycle._segments.rule_values import bound
from ordercycle._segments.scheme import (
    refuse_bad_orders,
    refuse_missing,
    refuse_undecided,
    selected,
)
from ordercycle._segments.score_maps import SCORES, MapRules, ScoreMap, rules_of
from ordercycle._segments.serialization import FrozenDict, options_of

#: The profile column that is M, and its types.
MONETARY: dict[str, tuple[str, tuple[pa.DataType, ...]]] = {
    "sum": ("revenue", (pa.float64(), pa.int64(), pa.decimal128(1))),
    "average": ("average_order_value", (pa.float64(),)),
}
OPTIONS = ("bins", "monetary", "map", "where", "cuts", "account")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RfmOptions(Shown):
    """The options of RFM scores, and the values of a profile that they speak of."""

    bins: int = 5
    monetary: str = "sum"
    map: str | ScoreMap = "five"
    where: pc.Expression | str | None = None
    cuts: Mapping[str, Sequence[float | Decimal]] | None = None
    account: RfmAccount | None = field(default=None, repr=False)

    name: ClassVar[str]

    def __post_init__(self) -> None:
        bins = whole_number(self.bins)
        if bins is None or not 2 <= bins <= 10:
            raise ConfigError(
                (Option("bins", self.bins), " is no number of scores"), remedy="pass 2 to 10"
            )
        object.__setattr__(self, "bins", bins)
        check_choice("monetary", self.monetary, MONETARY)
        if not isinstance(self.map, str):
            if not isinstance(self.map, Mapping):
                raise ConfigError(
                    (Option("map", self.map), " is no map"),
                    remedy="pass 'five', 'ten', or names with scores",
                )
            object.__setattr__(self, "map", FrozenDict(self.map))
        _ = self.rules
        if self.where is not None and not isinstance(self.where, pc.Expression | str):
            raise ConfigError(
                (Option("where", self.where), " is no condition"),
                remedy='pass a pyarrow expression such as pc.field("orders") > 1, or text such as '
                '"orders > 1"',
            )
        _ = self._condition
        if self.cuts is not None:
            by_hand = SCORES if self.account is None else self.account.by_hand
            fitted = [score for score in SCORES if score not in by_hand]
            object.__setattr__(self, "cuts", checked_cuts(self.cuts, bins, fitted=fitted))

    @property
    def by_hand(self) -> Mapping[str, Sequence[float | Decimal]]:
        """The cuts that no fit has set, by score."""
        cuts = self.cuts or {}
        of = SCORES if self.account is None else self.account.by_hand
        return {score: cuts[score] for score in of if score in cuts}

    @property
    def lacking(self) -> tuple[str, ...]:
        """The scores without cuts: those that a fit has to set."""
        return tuple(score for score in SCORES if score not in (self.cuts or {}))

    @property
    def is_fitted(self) -> bool:
        """Whether all scores have cuts."""
        return not self.lacking

    @property
    def rules(self) -> MapRules:
        """The map written out for the bins."""
        return rules_of(self.map, self.bins)

    @property
    def _condition(self) -> pc.Expression | None:
        return parsed_condition(self.where) if isinstance(self.where, str) else self.where

    @property
    def inputs(self) -> dict[str, tuple[pa.DataType, ...]]:
        """The profile columns that are R, F and M, with their types."""
        name, kinds = MONETARY[self.monetary]
        return {"days_since_last_order": (pa.int32(),), "orders": (pa.int64(),), name: kinds}

    def chosen(
        self, table: pa.Table, *, is_checked: bool = False
    ) -> tuple[pa.Table, NDArray[np.bool_]]:
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
        if self._condition is not None:
            holds = bound(table, {"where": self.where}).truths(table).column(0)
            kept &= holds.fill_null(fill_value=False).to_numpy()
        return inputs, kept

    def to_dict(self) -> dict[str, Any]:
        """Return the options, the cuts and what they were fitted from, as plain values.

        Raises
        ------
        ConfigError
            Where `where` is an expression that the language of :class:`Rules` does not have.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.Rfm(map="ten", where="orders > 1").to_dict()
        {'scheme': 'rfm', 'bins': 5, 'monetary': 'sum', 'map': 'ten', 'where': 'orders > 1'}
        """
        made: dict[str, Any] = {"scheme": self.name, "bins": self.bins, "monetary": self.monetary}
        made["map"] = (
            self.map
            if isinstance(self.map, str)
            else {name: list(of) if isinstance(of, tuple) else of for name, of in self.map.items()}
        )
        if self.where is not None:
            made["where"] = self._where_text()
            if made["where"] is None:
                raise ConfigError(
                    (Option("where", str(self.where)), " has no text"),
                    remedy="give the condition as text to save it, such as 'orders > 1'",
                )
        if self.cuts is not None:
            made["cuts"] = plain_cuts(self.cuts)
        return made if self.account is None else made | {"account": self.account.to_dict()}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return the scheme that `to_dict` wrote."""
        return cls(**options_of(given, cls, OPTIONS, RfmAccount))

    def _where_text(self) -> str | None:
        return self.where if isinstance(self.where, str) else language_text(self.where)

    def _compared(self) -> tuple[Any, ...]:
        where = None if self.where is None else str(self._condition)
        return (self.bins, self.monetary, self.map, where, self.cuts, self.account)

    def __eq__(self, other: object) -> bool:
        return (
            self._compared() == other._compared()
            if isinstance(other, RfmOptions)
            else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self._compared())

    def _options(self) -> list[tuple[str, Any]]:
        shown = [(name, value) for name, value in super()._options() if value is not None]
        return [
            (name, (self._where_text() or str(value)) if name == "where" else value)
            for name, value in shown
        ]


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
