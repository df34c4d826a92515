"""ordercycle: customer lifecycle knowledge from an order table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordercycle import datasets
    from ordercycle._attribution.attribution import Attribution
    from ordercycle._attribution.credit_counts import CreditSummary
    from ordercycle._attribution.credited import Credited
    from ordercycle._audiences.audience import Audience
    from ordercycle._audiences.contacts import ContactColumns, Contacts
    from ordercycle._audiences.forgetting import forget
    from ordercycle._audiences.lists import (
        AudienceLists,
        audiences_from_dict,
        ready_made_audiences,
    )
    from ordercycle._audiences.overlap import AudienceOverlap, overlap
    from ordercycle._audiences.reach import Reach
    from ordercycle._audiences.summaries import AudienceSummary
    from ordercycle._columns import Columns
    from ordercycle._dashboard.dashboard import Dashboard
    from ordercycle._errors import (
        ColumnError,
        ConfigError,
        DataError,
        OrdercycleError,
        OrdercycleWarning,
        SourceError,
        StorageError,
        SyncError,
    )
    from ordercycle._event_columns import EventColumns
    from ordercycle._events.event_history import EventHistory, EventSummary
    from ordercycle._experiments.experiment import Experiment
    from ordercycle._experiments.planning import sample_size
    from ordercycle._experiments.result import ExperimentResult
    from ordercycle._history.customer_card import CustomerCard
    from ordercycle._history.order_history import OrderHistory
    from ordercycle._history.source_options import SourceOptions, source_from_dict
    from ordercycle._history.summary import HistorySummary
    from ordercycle._journeys.journey import Journey, enters
    from ordercycle._journeys.run import JourneyRun
    from ordercycle._membership.membership import Membership
    from ordercycle._report.audit import Audit
    from ordercycle._report.holdout_lift import HoldoutLift
    from ordercycle._report.loyalty import Loyalty
    from ordercycle._report.own_metrics import Metric
    from ordercycle._report.reach import ReachedCustomers, reach
    from ordercycle._report.segment_report import SegmentReport
    from ordercycle._segments.backtest.backtest import Backtest
    from ordercycle._segments.cadence import Cadence
    from ordercycle._segments.cadence_fit import CadenceAccount
    from ordercycle._segments.explaining import Explanation
    from ordercycle._segments.feature_columns import features, lint_features
    from ordercycle._segments.feature_lint import FeatureCount, FeaturesLint
    from ordercycle._segments.lifecycle import Lifecycle, LifecyclePreset
    from ordercycle._segments.lifecycle_fit import GapAccount
    from ordercycle._segments.registry import register_scheme, scheme_from_dict
    from ordercycle._segments.rfm import Rfm
    from ordercycle._segments.rfm_fit import RfmAccount
    from ordercycle._segments.rule_lint import RuleCount, RulesLint
    from ordercycle._segments.rules import Rules
    from ordercycle._segments.scheme import Scheme
    from ordercycle._segments.scheme_options import SchemeOption
    from ordercycle._segments.score_maps import MapLint
    from ordercycle._segments.transitions import transition_matrix, transitions
    from ordercycle._segments.value.account import ClvAccount
    from ordercycle._segments.value.clv import Clv
    from ordercycle._segments.value.lists import ValueLists
    from ordercycle._segments.value.lists_fit import ValueListsAccount
    from ordercycle._sources.file_formats import CsvFormat, ExcelSheet, NdJson
    from ordercycle._sync.credentials import Secret, env
    from ordercycle._sync.syncing import SyncReport
    from ordercycle._warm_up import WarmupResult, warmup
else:
    from ordercycle._public import loaded_when_used

    #: Public names by the module that has them, which is loaded when they are used first: all of
    #: them together take 0.33 s, of which pyarrow is half.
    __getattr__, __dir__ = loaded_when_used(
        __name__,
        {
            "datasets": (),
            "_attribution.attribution": ("Attribution",),
            "_attribution.credit_counts": ("CreditSummary",),
            "_attribution.credited": ("Credited",),
            "_audiences.audience": ("Audience",),
            "_audiences.contacts": ("ContactColumns", "Contacts"),
            "_audiences.forgetting": ("forget",),
            "_audiences.lists": ("AudienceLists", "audiences_from_dict", "ready_made_audiences"),
            "_audiences.overlap": ("AudienceOverlap", "overlap"),
            "_audiences.reach": ("Reach",),
            "_audiences.summaries": ("AudienceSummary",),
            "_columns": ("Columns",),
            "_dashboard.dashboard": ("Dashboard",),
            "_errors": (
                "ColumnError",
                "ConfigError",
                "DataError",
                "OrdercycleError",
                "OrdercycleWarning",
                "SourceError",
                "StorageError",
                "SyncError",
            ),
            "_event_columns": ("EventColumns",),
            "_events.event_history": ("EventHistory", "EventSummary"),
            "_experiments.experiment": ("Experiment",),
            "_experiments.planning": ("sample_size",),
            "_experiments.result": ("ExperimentResult",),
            "_history.customer_card": ("CustomerCard",),
            "_history.order_history": ("OrderHistory",),
            "_history.source_options": ("SourceOptions", "source_from_dict"),
            "_history.summary": ("HistorySummary",),
            "_journeys.journey": ("Journey", "enters"),
            "_journeys.run": ("JourneyRun",),
            "_membership.membership": ("Membership",),
            "_report.audit": ("Audit",),
            "_report.holdout_lift": ("HoldoutLift",),
            "_report.loyalty": ("Loyalty",),
            "_report.own_metrics": ("Metric",),
            "_report.reach": ("ReachedCustomers", "reach"),
            "_report.segment_report": ("SegmentReport",),
            "_segments.backtest.backtest": ("Backtest",),
            "_segments.cadence": ("Cadence",),
            "_segments.cadence_fit": ("CadenceAccount",),
            "_segments.value.clv": ("Clv",),
            "_segments.value.account": ("ClvAccount",),
            "_segments.explaining": ("Explanation",),
            "_segments.feature_columns": ("features", "lint_features"),
            "_segments.feature_lint": ("FeatureCount", "FeaturesLint"),
            "_segments.lifecycle_fit": ("GapAccount",),
            "_segments.lifecycle": ("Lifecycle", "LifecyclePreset"),
            "_segments.registry": ("register_scheme", "scheme_from_dict"),
            "_segments.rfm": ("Rfm",),
            "_segments.rfm_fit": ("RfmAccount",),
            "_segments.rule_lint": ("RuleCount", "RulesLint"),
            "_segments.rules": ("Rules",),
            "_segments.scheme": ("Scheme",),
            "_segments.scheme_options": ("SchemeOption",),
            "_segments.score_maps": ("MapLint",),
            "_segments.transitions": ("transition_matrix", "transitions"),
            "_segments.value.lists": ("ValueLists",),
            "_segments.value.lists_fit": ("ValueListsAccount",),
            "_sources.file_formats": ("CsvFormat", "ExcelSheet", "NdJson"),
            "_sync.credentials": ("Secret", "env"),
            "_sync.syncing": ("SyncReport",),
            "_warm_up": ("WarmupResult", "warmup"),
        },
    )

__all__ = [
    "Attribution",
    "Audience",
    "AudienceLists",
    "AudienceOverlap",
    "AudienceSummary",
    "Audit",
    "Backtest",
    "Cadence",
    "CadenceAccount",
    "Clv",
    "ClvAccount",
    "ColumnError",
    "Columns",
    "ConfigError",
    "ContactColumns",
    "Contacts",
    "CreditSummary",
    "Credited",
    "CsvFormat",
    "CustomerCard",
    "Dashboard",
    "DataError",
    "EventColumns",
    "EventHistory",
    "EventSummary",
    "ExcelSheet",
    "Experiment",
    "ExperimentResult",
    "Explanation",
    "FeatureCount",
    "FeaturesLint",
    "GapAccount",
    "HistorySummary",
    "HoldoutLift",
    "Journey",
    "JourneyRun",
    "Lifecycle",
    "LifecyclePreset",
    "Loyalty",
    "MapLint",
    "Membership",
    "Metric",
    "NdJson",
    "OrderHistory",
    "OrdercycleError",
    "OrdercycleWarning",
    "Reach",
    "ReachedCustomers",
    "Rfm",
    "RfmAccount",
    "RuleCount",
    "Rules",
    "RulesLint",
    "Scheme",
    "SchemeOption",
    "Secret",
    "SegmentReport",
    "SourceError",
    "SourceOptions",
    "StorageError",
    "SyncError",
    "SyncReport",
    "ValueLists",
    "ValueListsAccount",
    "WarmupResult",
    "audiences_from_dict",
    "datasets",
    "enters",
    "env",
    "features",
    "forget",
    "lint_features",
    "overlap",
    "reach",
    "ready_made_audiences",
    "register_scheme",
    "sample_size",
    "scheme_from_dict",
    "source_from_dict",
    "transition_matrix",
    "transitions",
    "warmup",
]
