"""ordercycle: customer lifecycle knowledge from an order table."""

from ordercycle.columns import Columns
from ordercycle.errors import (
    ColumnError,
    ConfigError,
    DataError,
    OrdercycleError,
    SourceError,
    StorageError,
)
from ordercycle.history.order_history import OrderHistory
from ordercycle.history.summary import HistorySummary
from ordercycle.membership.membership import Membership
from ordercycle.segments.lifecycle import Lifecycle
from ordercycle.segments.presets import LifecyclePreset
from ordercycle.segments.transitions import transition_matrix, transitions
from ordercycle.warm_up import WarmupResult, warmup

__all__ = [
    "ColumnError",
    "Columns",
    "ConfigError",
    "DataError",
    "HistorySummary",
    "Lifecycle",
    "LifecyclePreset",
    "Membership",
    "OrderHistory",
    "OrdercycleError",
    "SourceError",
    "StorageError",
    "WarmupResult",
    "transition_matrix",
    "transitions",
    "warmup",
]
