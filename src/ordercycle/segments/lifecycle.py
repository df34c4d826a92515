"""The nine lifecycle segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from ordercycle.arrow_views import array_of, fixed_view
from ordercycle.errors import ColumnError, ConfigError, DataError, suggestion
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

#: The profile columns that decide the segment: type, and whether it may be null.
INPUTS = {
    "days_since_registration": (pa.int32(), False),
    "days_since_last_order": (pa.int32(), True),
    "orders": (pa.int64(), False),
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
            days = getattr(self, name)
            whole = isinstance(days, (int, np.integer)) and not isinstance(days, bool)
            if not whole or not 0 <= days < 2**31:
                raise ConfigError(f"{name}={days!r}: pass a number of days, 0 or more")
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
            Where a value that decides the segment is null.

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
        inputs = table.select(_checked_inputs(table))
        thresholds = np.array([self.new_days, self.active_days, self.churned_days], np.int32)
        names = pa.array(SEGMENTS, pa.string())
        chunks = []
        for batch in inputs.to_batches():
            codes = np.empty(batch.num_rows, np.int8)
            registered, last_order, orders = (
                fixed_view(batch.column(name), INPUTS[name][0].to_pandas_dtype()) for name in INPUTS
            )
            lifecycle_codes(registered, last_order, orders, thresholds, codes)
            chunks.append(pa.DictionaryArray.from_arrays(array_of(codes, pa.int8()), names))
        column = pa.chunked_array(chunks, SEGMENT_TYPE)
        return table.append_column(pa.field("lifecycle", SEGMENT_TYPE, nullable=False), column)


def _checked_inputs(table: pa.Table) -> list[str]:
    """Return the names of the columns that decide the segment, checked."""
    for name, (kind, may_be_null) in INPUTS.items():
        if table.column_names.count(name) != 1:
            hint = suggestion(name, table.column_names)
            raise ColumnError(
                f"the table has no single column {name!r}{hint}; pass a profile, or a table that "
                f"has {', '.join(map(repr, INPUTS))}"
            )
        column = table.column(name)
        if column.type != kind:
            raise ColumnError(f"{name} is {column.type}; cast it to {kind}")
        if not may_be_null and column.null_count:
            row = column.is_null().index(True).as_py()
            raise DataError(
                f"{name} is null at row {row} ({column.null_count:,} such rows); every customer "
                "needs a value to have a segment"
            )
    return list(INPUTS)
