"""What is measured on clusters: a case for every verb under every row of the README.

A case says which streams it needs, what ours is, and which of its results are compared with those
of the formulations of the engine itself, if there are any (`spark_peers`, `dask_peers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from typing import Any, NamedTuple

import ordercycle as oc

from .asked_features import CHANNELS, FEW, KINDS, MANY, MIXED, WINDOWS
from .cluster_shop import HELD_OUT, Shop
from .generate import AS_OF, FIRST_DAY
from .generate_events import VALUES

#: Of the orders asked for, the share that most cases take, and those beside the engines' own.
PART, HALF = 0.25, 0.5
#: What our task may take of memory, where there is a limit, and how few of them there are then: at
#: two million orders and more for each, these wait on disk.
MEMORY_LIMIT, FEW_PARTITIONS = "100MB", 2

ENGINES = ("spark", "dask")
FRAMES, FILES = ("frames",), ("files",)
BOTH_VERBS = ("fit", "assign")

SINCE, WINDOW = AS_OF - timedelta(days=60), 30
EXPERIMENT = oc.Experiment("banner", {"control": 50, "banner": 50})
JOURNEY = oc.Journey(
    "win-back",
    oc.enters("At-risk", of="lifecycle"),
    [
        {"name": "hello", "action": "mail/we-miss-you"},
        {"name": "bought", "wait_for": {"event": "order", "within_days": 7}, "then": "end"},
        {"name": "offer", "action": "mail/offer", "wait_days": 3},
    ],
)
RULES = oc.Rules(
    {
        "Best": "orders >= 12 and revenue > 1500",
        "Big baskets": "average_order_value > 120 and orders > 1",
        "Every month": "gap_median <= 30 and last_gap <= 30",
        "Gone": "days_since_last_order > 365",
    }
)
RULES_OF_TOUCHES = oc.Rules(
    {
        "Clickers": "clicks >= 2",
        "Readers": "count(touches, kind == 'open', last=90) >= 3",
        "Silent": "not has(touches, last=30)",
    },
    features={"clicks": "count(touches, kind == 'click', last=90)"},
)
#: Days are the unit of time.
CLV = oc.Clv(
    model="mbg_nbd",
    parameters={
        "r": 0.525,
        "alpha": 43.3,
        "a": 0.891,
        "b": 1.614,
        "p": 6.25,
        "q": 3.74,
        "gamma": 15.44,
    },
)
MBG = oc.Clv(model="mbg_nbd")
VALUE_COLUMNS = (
    *("customer_id", "p_alive", "p_active", "expected_orders"),
    *("expected_order_value", "predicted_value", "clv"),
)
CREDIT_COLUMNS = ("order", "kind", "channel", "campaign", "touched_at", "revenue")
ATTRIBUTION = oc.Attribution(compete="all")
#: What the streams are to attribution.
OF_STREAMS = {
    "orders": oc.Columns(order="order_id", instants=True),
    "touches": oc.EventColumns(attributes=("kind", "channel", "campaign")),
}
PERIOD = ("2025-01", "2025-12")


@dataclass(frozen=True)
class Needed:
    """The touches that can matter to a case: all others are left out first, whatever is measured.

    kinds: of these kinds and channels, None for any; since: from a day on.
    """

    kinds: tuple[tuple[tuple[str, ...], tuple[str, ...] | None], ...]
    since: date = FIRST_DAY

    @property
    def condition(self) -> str:
        """The condition, in our language and in SQL."""
        any_of = " or ".join(
            f"kind in ({_listed(kinds)})"
            + ("" if channels is None else f" and channel in ({_listed(channels)})")
            for kinds, channels in self.kinds
        )
        return f"occurred_at >= date('{self.since}') and ({any_of})"


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


#: The last click, or the last text message, wins an order.
CAN_WIN = Needed(((("click",), None), (("delivery",), ("SMS",))))
#: What is counted at all, and within the longest window.
COUNTED = Needed(((KINDS, CHANNELS),), AS_OF - timedelta(days=max(WINDOWS) - 1))


class Given(NamedTuple):
    """What a formulation works with.

    verbs: ours, of the engine; keep: of a frame, the rows that are needed, by the engine.
    """

    verbs: Any
    keep: Callable[[Any, Needed], Any]
    shop: Shop
    partitions: int
    kind: str = "frames"

    def __getitem__(self, stream: str) -> Any:
        """Return a stream as our verbs are given it: as a frame, or as files."""
        return self.shop.path(stream) if self.kind == "files" else self.frame(stream)

    def frame(self, stream: str, needed: Needed | None = None) -> Any:
        """Return a stream as a frame, or what is needed of it."""
        frame = self.shop.frame(stream)
        return frame if needed is None else self.keep(frame, needed)

    def touches(self, needed: Needed | None) -> dict[str, Any]:
        """Return the arguments that say which touches to take: tasks leave out those of files."""
        if needed is None or self.kind != "files":
            return {"touches": self["touches"] if needed is None else self.frame("touches", needed)}
        only = {"touches": {"only": needed.condition}}
        return {"touches": self["touches"], "stream_options": only}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something that a verb does.

    name: to choose it by; of: the row of the README; verb: of the engine; also: other rows and
    verbs that this is of; counted: the stream whose rows it is divided by; given: frames, files;
    share: of the orders asked for; key: by which rows are compared, None where none is unique;
    columns: that are compared, None for all; tolerance: of floats; engines: that have the verb.
    """

    name: str
    of: str
    verb: str
    ours: Callable[[Given], Any]
    counted: str
    also: tuple[tuple[str, str], ...] = ()
    given: tuple[str, ...] = FRAMES + FILES
    share: float = PART
    key: str | None = "customer_id"
    columns: tuple[str, ...] | None = None
    tolerance: float = 1e-9
    engines: tuple[str, ...] = ENGINES

    @property
    def covers(self) -> set[tuple[str, str]]:
        """Rows of the README with verbs."""
        return {(self.of, self.verb), *self.also}


def profiled(given: Given, stream: str = "orders", **options: Any) -> Any:
    """Return profiles of orders."""
    return given.verbs.profile(given[stream], as_of=AS_OF, partitions=given.partitions, **options)


def _touched(
    given: Given,
    attributes: tuple[str, ...],
    values: tuple[str, ...] = (),
    needed: Needed | None = None,
) -> dict[str, Any]:
    taken = given.touches(needed)
    return {
        "as_of": AS_OF,
        "streams": {"touches": taken.pop("touches")},
        "columns": {"touches": oc.EventColumns(attributes=attributes, values=values)},
        "partitions": given.partitions,
        **taken,
    }


def _featured(
    asked: Any, *attributes: str, values: tuple[str, ...] = (), needed: Needed | None = None
) -> Callable:
    def ours(given: Given) -> Any:
        return given.verbs.features(
            given.frame("people"),
            {one.name: one.text for one in asked},
            **_touched(given, attributes, values, needed),
        )

    return ours


def _featured_profile(given: Given) -> Any:
    streams = _touched(given, ("kind", "channel"), needed=COUNTED) | {
        "columns": {
            "orders": OF_STREAMS["orders"],
            "touches": oc.EventColumns(attributes=("kind", "channel")),
        }
    }
    features = {one.name: one.text for one in FEW}
    return given.verbs.profile(given["placed"], features=features, **streams)


def _reached(given: Given) -> Any:
    columns = oc.EventColumns(attributes=("kind",))
    return given.verbs.reach(given["touches"], columns=columns, partitions=given.partitions)


def _segments_by_touches(given: Given) -> Any:
    return given.verbs.assign(given.frame("people"), RULES_OF_TOUCHES, **_touched(given, ("kind",)))


def _credited(given: Given) -> Any:
    taken = given.touches(CAN_WIN)
    return given.verbs.attribution(
        given["placed"],
        taken.pop("touches"),
        model=ATTRIBUTION,
        columns=OF_STREAMS,
        partitions=given.partitions,
        **taken,
    )


def _fitted(scheme: Any, stream: str = "profiles") -> Callable[[Given], Any]:
    return lambda given: given.verbs.fit(given.frame(stream), scheme)


def _assigned(scheme: Any, stream: str = "profiles") -> Callable[[Given], Any]:
    """Assign a scheme, which is fitted on this machine where it has to be."""

    def fitted(given: Given) -> Any:
        return scheme if scheme.is_fitted else scheme.fit(given.shop.table(stream))

    def ours(given: Given) -> Any:
        made = given.shop.once(f"{scheme!r}", lambda: fitted(given))
        return given.verbs.assign(given.frame(stream), made)

    return ours


def _report(given: Given) -> Any:
    report = given.verbs.segment_report(
        given["orders"], oc.Lifecycle(), period=PERIOD, partitions=given.partitions
    )
    return report.comparison()


def _full_report(given: Given) -> Any:
    report = given.verbs.segment_report(
        given["placed"],
        oc.Lifecycle(),
        period=PERIOD,
        touches=given["touches"],
        model=ATTRIBUTION,
        columns=OF_STREAMS,
        partitions=given.partitions,
    )
    return report.channels()


def _replayed(given: Given) -> Any:
    return given.verbs.journey(
        given["orders"],
        JOURNEY,
        memberships={"lifecycle": oc.Lifecycle()},
        as_of=AS_OF,
        partitions=given.partitions,
    )


def _measured(given: Given) -> Any:
    result = given.verbs.measure(
        given["orders"],
        EXPERIMENT,
        since=SINCE,
        as_of=AS_OF,
        window_days=WINDOW,
        partitions=given.partitions,
    )
    return result.to_table()


def _rehearsed(given: Given) -> Any:
    return given.verbs.rehearse(
        given["orders"],
        EXPERIMENT,
        since=SINCE - timedelta(days=60),
        as_of=AS_OF,
        window_days=WINDOW,
        runs=50,
        partitions=given.partitions,
    )


def _lifted(given: Given) -> Any:
    lift = given.verbs.holdout_lift(
        given["placed"],
        given["touches"],
        given.frame("holdout"),
        control=HELD_OUT,
        period=("2025-07", "2025-12"),
        model=ATTRIBUTION,
        columns=OF_STREAMS,
        partitions=given.partitions,
    )
    return lift.to_table()


def _listed_customers(given: Given) -> Any:
    return given.verbs.audience(
        given.frame("profiles"), RULES.rules["Best"], name="Best", value="revenue", as_of=AS_OF
    )


def _lists(given: Given) -> Any:
    """Return how many are on each list, and what they are worth."""
    lists = oc.audiences_from_dict(
        {"audiences": {name: {"where": rule} for name, rule in RULES.rules.items()}}
    )
    made = given.verbs.audiences(given.frame("profiles"), lists, as_of=AS_OF)
    return [repr(made[name].summary()) for name in RULES.rules]


def _moved(verb: str) -> Callable[[Given], Any]:
    return lambda given: getattr(given.verbs, verb)(
        given.frame("before"), given.frame("after"), partitions=given.partitions
    )


def _page(given: Given) -> Any:
    page = given.verbs.dashboard(
        given["orders"],
        [oc.Lifecycle(), oc.Rfm()],
        months=PERIOD,
        as_of=AS_OF,
        partitions=given.partitions,
    )
    written = StringIO()
    page.save(written)
    return written.getvalue()


def _brought(given: Given) -> Any:
    """Return the profiles of three customers, made on this machine."""
    ids = given.shop.once("three ids", lambda: given.shop.table("orders")["customer_id"][:3])
    return given.verbs.history_of(given["orders"], ids.to_pylist()).history.profile(AS_OF)


def _backtested(given: Given) -> Any:
    test = given.verbs.clv_backtest(
        given["orders"], MBG, AS_OF - timedelta(days=365), share=0.05, horizon_days=365
    )
    return test.to_table()


def _intervals(given: Given) -> Any:
    fitted = given.shop.once("fitted to histories", lambda: MBG.fit(given.shop.table("histories")))
    return given.verbs.clv_intervals(given.frame("histories"), fitted, draws=20)


#: All of them, in the order of the README.
CASES = (
    Case(
        name="profile",
        of="Profiles",
        verb="profile",
        also=(("Lifecycle segments", "assign"),),
        ours=lambda given: given.verbs.assign(profiled(given), oc.Lifecycle()),
        counted="orders",
        share=1,
    ),
    Case(
        name="lifecycle-fit",
        of="Lifecycle segments",
        verb="fit_lifecycle",
        ours=lambda given: given.verbs.fit_lifecycle(
            given["orders"], as_of=AS_OF, partitions=given.partitions
        ),
        counted="orders",
    ),
    *(
        Case(
            name=f"{name}-{verb}",
            of=row,
            verb=verb,
            ours=(_fitted if verb == "fit" else _assigned)(scheme, stream),
            counted=stream,
            given=FRAMES,
            share=1,
        )
        for name, row, scheme, stream, verbs in (
            ("rfm", "RFM", oc.Rfm(), "profiles", BOTH_VERBS),
            ("cadence", "Cadence", oc.Cadence(), "profiles", BOTH_VERBS),
            ("rules", "Rules", RULES, "profiles", ("assign",)),
            ("clv", "Predicted value", MBG, "histories", BOTH_VERBS),
            ("lists", "Value lists", oc.ValueLists(MBG), "histories", BOTH_VERBS),
        )
        for verb in verbs
    ),
    Case(
        name="clv-intervals",
        of="Predicted value",
        verb="clv_intervals",
        ours=_intervals,
        counted="histories",
        given=FRAMES,
    ),
    Case(
        name="clv-backtest",
        of="Predicted value",
        verb="clv_backtest",
        ours=_backtested,
        counted="orders",
    ),
    Case(
        name="value",
        of="Predicted value",
        verb="assign",
        ours=lambda given: given.verbs.assign(profiled(given), CLV),
        counted="orders",
        share=HALF,
        columns=VALUE_COLUMNS,
        tolerance=1e-7,
    ),
    Case(
        name="features-8",
        of="Events and features",
        verb="features",
        ours=_featured(FEW, "kind", "channel", needed=COUNTED),
        counted="touches",
        share=HALF,
    ),
    Case(
        name="features-64",
        of="Events and features",
        verb="features",
        ours=_featured(MANY, "kind", "channel", needed=COUNTED),
        counted="touches",
        share=HALF,
    ),
    Case(
        name="features-mixed",
        of="Events and features",
        verb="features",
        ours=_featured(MIXED, *("kind", "channel", "campaign", "device"), values=VALUES),
        counted="touches",
        share=HALF,
    ),
    Case(
        name="profile-features",
        of="Events and features",
        verb="profile",
        ours=_featured_profile,
        counted="touches",
        share=HALF,
    ),
    Case(
        name="reach",
        of="Events and features",
        verb="reach",
        ours=_reached,
        counted="touches",
    ),
    Case(
        name="rules-touches",
        of="Events and features",
        verb="assign",
        ours=_segments_by_touches,
        counted="touches",
    ),
    Case(
        name="audience",
        of="Audiences",
        verb="audience",
        ours=lambda given: _listed_customers(given).to_frame(),
        counted="profiles",
        given=FRAMES,
        share=1,
    ),
    Case(
        name="audiences",
        of="Audiences",
        verb="audiences",
        ours=_lists,
        counted="profiles",
        given=FRAMES,
        share=1,
    ),
    Case(
        name="membership",
        of="Memberships",
        verb="membership",
        ours=lambda given: given.verbs.membership(
            given["orders"], oc.Lifecycle(), end=AS_OF, partitions=given.partitions
        ),
        counted="orders",
        key=None,
    ),
    Case(
        name="report",
        of="Segment report",
        verb="segment_report",
        also=(("Memberships", "segment_report"),),
        ours=_report,
        counted="orders",
    ),
    Case(
        name="report-touches",
        of="Segment report",
        verb="segment_report",
        ours=_full_report,
        counted="touches",
    ),
    Case(
        name="attribution",
        of="Attribution",
        verb="attribution",
        ours=lambda given: _credited(given).to_frame(),
        counted="touches",
        share=HALF,
        key="order",
        columns=CREDIT_COLUMNS,
    ),
    Case(
        name="attribution-totals",
        of="Attribution",
        verb="attribution",
        ours=lambda given: _credited(given).totals("channel"),
        counted="touches",
        share=HALF,
        key="channel",
        columns=("channel", "orders", "revenue"),
    ),
    Case(
        name="dashboard",
        of="Dashboard",
        verb="dashboard",
        ours=_page,
        counted="orders",
    ),
    Case(
        name="journey",
        of="Journeys",
        verb="journey",
        ours=lambda given: _replayed(given).entries(),
        counted="orders",
    ),
    Case(
        name="journey-analytics",
        of="Journeys",
        verb="journey",
        ours=lambda given: _replayed(given).analytics(),
        counted="orders",
    ),
    Case(
        name="arms",
        of="Experiments",
        verb="assign_arms",
        ours=lambda given: given.verbs.assign_arms(given.frame("profiles"), EXPERIMENT),
        counted="profiles",
        given=FRAMES,
        share=1,
    ),
    Case(name="measure", of="Experiments", verb="measure", ours=_measured, counted="orders"),
    Case(name="rehearse", of="Experiments", verb="rehearse", ours=_rehearsed, counted="orders"),
    Case(name="lift", of="Experiments", verb="holdout_lift", ours=_lifted, counted="touches"),
    *(
        Case(
            name=name,
            of="Transitions",
            verb=verb,
            ours=_moved(verb),
            counted="after",
            given=FRAMES,
            share=1,
        )
        for name, verb in (
            ("transitions", "transitions"),
            ("transition-matrix", "transition_matrix"),
        )
    ),
    Case(
        name="next",
        of="Transitions",
        verb="next_transition",
        ours=lambda given: given.verbs.next_transition(given.frame("profiles"), oc.Lifecycle()),
        counted="profiles",
        given=FRAMES,
        share=1,
    ),
    Case(
        name="customer",
        of="One customer",
        verb="history_of",
        ours=_brought,
        counted="orders",
    ),
    Case(
        name="csv",
        of="Sources",
        verb="profile",
        ours=lambda given: profiled(given, "csv"),
        counted="csv",
        given=FILES,
    ),
    Case(
        name="memory",
        of="Memory limits",
        verb="profile",
        ours=lambda given: profiled(
            given._replace(partitions=FEW_PARTITIONS), memory_limit=MEMORY_LIMIT
        ),
        counted="orders",
    ),
    Case(
        name="warmup",
        of="Spark",
        verb="warmup",
        ours=lambda given: given.verbs.warmup(given.frame("people").sparkSession, tasks=4),
        counted="",
        given=FRAMES,
        engines=("spark",),
    ),
)
