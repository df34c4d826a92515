"""The nine lifecycle segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle.arrow_views import array_of, fixed_view
from ordercycle.columns import WINDOW_KEY
from ordercycle.errors import ColumnError, ConfigError, DataError, suggestion, whole_number
from ordercycle.history.order_history import OrderHistory
from ordercycle.membership.exact import LifecycleIntervals, Span
from ordercycle.membership.membership import Membership
from ordercycle.segments.presets import LIFECYCLE_PRESETS, LifecyclePreset
from ordercycle_kernels.lifecycle import lifecycle_codes

#: In the order of the kernel's codes.
SEGMENTS = (
    "New – no orders",
    "New – 1 order",
    "New – 2+ orders",
    "Promising",
    "Active",
    "Loyal",
    "At-risk",
    "Churned",
    "Inactive (no orders)",
)
SEGMENT_TYPE = pa.dictionary(pa.int8(), pa.string())

#: The profile columns that decide the segment, and their types.
INPUTS = {
    "days_since_registration": pa.int32(),
    "days_since_last_order": pa.int32(),
    "orders": pa.int64(),
}


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """Nine segments from registration, number of orders and days since the last order.

    With A = days_since_registration, r = days_since_last_order, n = orders:

    ======================  =========================================
    New – no orders         A <= new_days, n = 0
    New – 1 order           A <= new_days, n = 1
    New – 2+ orders         A <= new_days, n >= 2
    Promising               n = 1, r <= active_days
    Active                  n = 2, r <= active_days
    Loyal                   n >= 3, r <= active_days
    At-risk                 n >= 1, active_days < r <= churned_days
    Churned                 n >= 1, r > churned_days
    Inactive (no orders)    n = 0
    ======================  =========================================

    The last six apply to customers with A > new_days; every customer is in exactly one.

    Parameters
    ----------
    new_days, active_days, churned_days
        The thresholds in days; the defaults are published for fashion.

    Examples
    --------
    >>> Lifecycle(active_days=60, churned_days=180)
    Lifecycle(new_days=30, active_days=60, churned_days=180)
    """

    new_days: int = 30
    active_days: int = 120
    churned_days: int = 255

    def __post_init__(self) -> None:
        for name in ("new_days", "active_days", "churned_days"):
            days = whole_number(getattr(self, name))
            if days is None or not 0 <= days < 2**31:
                raise ConfigError(
                    f"{name}={getattr(self, name)!r}: pass a number of days, 0 or more"
                )
            object.__setattr__(self, name, days)  # a NumPy integer becomes an int
        if self.active_days >= self.churned_days:
            raise ConfigError(f"{self!r}: active_days has to be less than churned_days")

    @classmethod
    def preset(cls, name: str) -> Lifecycle:
        """Return the lifecycle with the thresholds of a named kind of trade.

        Raises
        ------
        ConfigError
            Where there is no preset of that name.

        Examples
        --------
        >>> Lifecycle.preset("fashion")
        Lifecycle(new_days=30, active_days=120, churned_days=255)
        """
        preset = LIFECYCLE_PRESETS.get(name)
        if preset is None:
            raise ConfigError(
                f"there is no lifecycle preset {name!r}{suggestion(str(name), LIFECYCLE_PRESETS)}; "
                f"there are {', '.join(map(repr, LIFECYCLE_PRESETS))}"
            )
        return cls(
            new_days=preset.new_days,
            active_days=preset.active_days,
            churned_days=preset.churned_days,
        )

    @staticmethod
    def presets() -> Mapping[str, LifecyclePreset]:
        """Return all presets by name, with their thresholds and where these come from.

        Examples
        --------
        >>> Lifecycle.presets()["fashion"].published
        True
        """
        return MappingProxyType(LIFECYCLE_PRESETS)

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""
        return SEGMENTS

    def assign(self, table: pa.Table) -> pa.Table:
        """Add each customer's segment to a profile.

        Parameters
        ----------
        table
            A profile (:meth:`OrderHistory.profile`), or any table with its columns
            ``days_since_registration`` (int32), ``days_since_last_order`` (int32, null without
            orders) and ``orders`` (int64). A RecordBatch is taken as a table.

        Returns
        -------
        pyarrow.Table
            The table with a column ``lifecycle``: dictionary<int8, string>, codes in the order
            of :attr:`segments`, never null.

        Raises
        ------
        ColumnError
            Where a column is missing, has another type, or ``lifecycle`` is there already.
        DataError
            Where a value that decides the segment is null, or orders are negative.
        ConfigError
            Where the profile has a window: what lies before it decides too.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_registration": pa.array([400, 10], pa.int32()),
        ...     "days_since_last_order": pa.array([200, None], pa.int32()),
        ...     "orders": pa.array([4, 0], pa.int64()),
        ... })
        >>> Lifecycle().assign(profile)["lifecycle"].to_pylist()
        ['At-risk', 'New – no orders']
        """
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        if not isinstance(table, pa.Table):
            raise ConfigError(
                f"assign takes a pyarrow Table such as OrderHistory.profile returns, not a "
                f"{type(table).__name__}; wrap it with pyarrow.table(...)"
            )
        if "lifecycle" in table.column_names:
            raise ColumnError(
                "the table has a column 'lifecycle' already; drop or rename it before assigning"
            )
        inputs = _checked_inputs(table)
        thresholds = np.array([self.new_days, self.active_days, self.churned_days], np.int32)
        names = pa.array(SEGMENTS, pa.string())
        chunks = []
        for batch in inputs.to_batches():
            codes = np.empty(batch.num_rows, np.int8)
            registered, last_order, orders = (
                fixed_view(batch.column(name), kind.to_pandas_dtype())
                for name, kind in INPUTS.items()
            )
            lifecycle_codes(registered, last_order, orders, thresholds, codes)
            chunks.append(pa.DictionaryArray.from_arrays(array_of(codes, pa.int8()), names))
        column = pa.chunked_array(chunks, SEGMENT_TYPE)
        return table.append_column(pa.field("lifecycle", SEGMENT_TYPE, nullable=False), column)

    def membership(
        self,
        history: OrderHistory,
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Membership:
        """Return who was in which segment, and when, to the day.

        The segment on a day is that of the profile as of the day: orders of the day are in it.
        Memberships change at the registration, at orders and when a threshold expires, and are
        computed from these, not day by day.

        Parameters
        ----------
        history
            The orders.
        start
            The first day of interest: intervals begin no earlier. None: with the registration.
        end
            The last day, as of which the membership is known: orders and registrations of later
            days are not looked at, and the interval that holds this day stays open. None: the
            last day there is, 2199-12-31, as if nothing more were ever bought.

        Returns
        -------
        Membership
            For each customer, intervals without gaps from the registration on, of which no two
            neighbours have the same segment.

        Raises
        ------
        ConfigError
            Where `start` or `end` is no day, or `start` is after `end`.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann"],
        ...     "ordered_at": [datetime.date(2025, 12, 3), datetime.date(2025, 12, 20)],
        ...     "amount": [20.0, 30.0],
        ... })
        >>> history = OrderHistory.build(orders)
        >>> for row in Lifecycle().membership(history, end="2026-06-30").to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        New – 1 order 2025-12-03 2025-12-20
        New – 2+ orders 2025-12-20 2026-01-03
        Active 2026-01-03 2026-04-20
        At-risk 2026-04-20 None
        """
        thresholds = (self.new_days, self.active_days, self.churned_days)
        intervals = LifecycleIntervals(history, thresholds, Span.of(start, end))
        return Membership(self.segments, intervals)


def _checked_inputs(table: pa.Table) -> pa.Table:
    """Return the columns that decide the segment, checked."""
    if WINDOW_KEY in (table.schema.metadata or {}):
        raise ConfigError(
            "this profile has a window, in which a loyal customer looks like a newcomer; assign "
            "lifecycle segments to a profile without window_days"
        )
    for name, kind in INPUTS.items():
        if table.column_names.count(name) != 1:
            hint = suggestion(name, table.column_names)
            raise ColumnError(
                f"the table has no single column {name!r}{hint}; pass a profile, or a table that "
                f"has {', '.join(map(repr, INPUTS))}"
            )
        if table.column(name).type != kind:
            raise ColumnError(f"{name} is {table.column(name).type}; cast it to {kind}")
    inputs = table.select(list(INPUTS))
    _refuse_undecided(inputs)
    return inputs


def _refuse_undecided(inputs: pa.Table) -> None:
    """Raise a DataError where a value that decides a segment is null or makes no sense."""
    registered, last_order, orders = inputs.columns
    if registered.null_count:
        raise _undecided("days_since_registration is null", registered.is_null())
    if orders.null_count or (len(orders) and pc.min_max(orders)["min"].as_py() < 0):
        bad = pc.fill_null(pc.less(orders, 0), fill_value=True)
        raise _undecided("orders is null or negative", bad)
    if last_order.null_count:
        bad = pc.and_(last_order.is_null(), pc.greater(orders, 0))
        if pc.any(bad).as_py():
            raise _undecided("days_since_last_order is null though there are orders", bad)


def _undecided(what: str, bad: pa.ChunkedArray) -> DataError:
    row, count = bad.index(pa.scalar(value=True)).as_py(), pc.sum(bad).as_py()
    return DataError(
        f"{what} at row {row} ({count:,} such rows); every customer needs a value to have a "
        "segment, so fix or drop these rows"
    )
