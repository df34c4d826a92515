"""ordercycle: customer lifecycle knowledge from an order table."""

from ordercycle import datasets
from ordercycle.columns import Columns
from ordercycle.errors import (
    ColumnError,
    ConfigError,
    DataError,
    OrdercycleError,
    OrdercycleWarning,
    SourceError,
    StorageError,
)
from ordercycle.history.order_history import OrderHistory
from ordercycle.history.source_options import SourceOptions, source_from_dict
from ordercycle.history.summary import HistorySummary
from ordercycle.membership.membership import Membership
from ordercycle.report.segment_report import SegmentReport
from ordercycle.segments.cadence import Cadence
from ordercycle.segments.lifecycle import Lifecycle
from ordercycle.segments.presets import LifecyclePreset
from ordercycle.segments.registry import scheme_from_dict
from ordercycle.segments.rfm import Rfm
from ordercycle.segments.rules import Rules
from ordercycle.segments.scheme import Scheme
from ordercycle.segments.transitions import transition_matrix, transitions
from ordercycle.sources.file_formats import CsvFormat, ExcelSheet, NdJson
from ordercycle.warm_up import WarmupResult, warmup

__all__ = [
    "Cadence",
    "ColumnError",
    "Columns",
    "ConfigError",
    "CsvFormat",
    "DataError",
    "ExcelSheet",
    "HistorySummary",
    "Lifecycle",
    "LifecyclePreset",
    "Membership",
    "NdJson",
    "OrderHistory",
    "OrdercycleError",
    "OrdercycleWarning",
    "Rfm",
    "Rules",
    "Scheme",
    "SegmentReport",
    "SourceError",
    "SourceOptions",
    "StorageError",
    "WarmupResult",
    "datasets",
    "scheme_from_dict",
    "source_from_dict",
    "transition_matrix",
    "transitions",
    "warmup",
]
