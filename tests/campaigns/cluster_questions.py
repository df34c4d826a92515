"""What is asked of clusters that lose things: a verb of each kind, and what one machine answers."""

import warnings
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import pyarrow as pa
from support.cluster_streams import AS_OF, FEATURES, MODELS, TOUCHED, streams, values

import ordercycle as oc
from campaigns.runner import FaultError

CUSTOMERS = 3_000
PERIOD = {"period": ("2025-10", "2025-12"), "compare": None}
MEASURED = {"since": "2025-06-01", "as_of": "2025-09-30"}
EXPERIMENT = oc.Experiment("banner", arms={"control": 40, "banner": 60})
JOURNEY = oc.Journey(
    "win-back",
    oc.enters("At-risk", of="lifecycle"),
    [{"name": "hello", "action": "mail/hello"}],
    arms={"control": 20, "treatment": 80},
)
MODEL = MODELS[0]


class There(NamedTuple):
    """The streams as frames of an engine, how they are read, and what makes a table of a frame."""

    engine: ModuleType
    orders: Any
    touches: Any
    how: dict[str, Any]
    collect: Any


def shop():
    """Return the streams of some thousand customers, on one machine."""
    return streams(CUSTOMERS)


def columns():
    """Return the columns of both streams."""
    return {"orders": shop().columns, "touches": TOUCHED}


def profile(there):
    """Profiles with segments, of which the tasks are the same."""
    profiles = there.engine.profile(there.orders, as_of=AS_OF, columns=shop().columns, **there.how)
    return {"profiles": there.collect(there.engine.assign(profiles, oc.Lifecycle()))}


def features(there):
    """Profiles with features of both streams."""
    profiles = there.engine.profile(
        there.orders,
        as_of=AS_OF,
        features=FEATURES,
        streams={"touches": there.touches},
        columns=columns(),
        **there.how,
    )
    return {"profiles": there.collect(profiles)}


def report(there):
    """A report with channels and campaigns: sums alone."""
    return tables_of(
        there.engine.segment_report(
            there.orders,
            oc.Lifecycle(),
            touches=there.touches,
            model=MODEL,
            columns=columns(),
            **PERIOD,
            **there.how,
        )
    )


def tables_of(report):
    """Return what a report tells."""
    return {
        "comparison": report.comparison(),
        "channels": report.channels(),
        "campaigns": report.top_campaigns(),
    }


def attribution(there):
    """What was credited, as rows and as sums."""
    credited = there.engine.attribution(
        there.orders, there.touches, model=MODEL, columns=columns(), **there.how
    )
    return {
        "credited": there.collect(credited.to_frame()),
        "totals": credited.totals("campaign"),
    }


def journey(there):
    """A journey's entries, and counts of them."""
    run = there.engine.journey(
        there.orders,
        JOURNEY,
        memberships={"lifecycle": oc.Lifecycle()},
        as_of=AS_OF,
        columns={"orders": shop().columns},
        **there.how,
    )
    return {"entries": there.collect(run.entries()), "analytics": run.analytics("arm")}


def measure(there):
    """An experiment: sums alone."""
    result = there.engine.measure(
        there.orders, EXPERIMENT, columns={"orders": shop().columns}, **MEASURED, **there.how
    )
    return {"result": result.to_table()}


#: By name. Those of sums alone have no rows behind which something could happen.
QUESTIONS = {
    one.__name__: one for one in (profile, features, report, attribution, journey, measure)
}
OF_SUMS = {"report", "measure"}


@cache
def answers():
    """Return what one machine answers to each question, in a form that can be compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: comparable(tables) for name, tables in on_one_machine().items()}


def on_one_machine():
    """Return what one machine answers."""
    history, events = shop().history, shop().events
    profiles = history.profile(AS_OF)
    lifecycle = oc.Lifecycle()
    membership = lifecycle.membership(history)
    credited = MODEL.credit(history, events)
    run = JOURNEY.replay(history, memberships={"lifecycle": membership}, as_of=AS_OF)
    return {
        "profile": {"profiles": lifecycle.assign(profiles)},
        "features": {
            "profiles": oc.features(
                profiles, FEATURES, as_of=AS_OF, streams={"orders": history, "touches": events}
            )
        },
        "report": tables_of(
            oc.SegmentReport.build(history, membership, credited=credited, **PERIOD)
        ),
        "attribution": {
            "credited": credited.to_table(),
            "totals": credited.totals("campaign"),
        },
        "journey": {"entries": run.entries(), "analytics": run.analytics("arm")},
        "measure": {"result": EXPERIMENT.measure(history, **MEASURED).to_table()},
    }


def comparable(tables):
    """Return rows of tables as texts, to the last bit, in whatever order they came."""
    return {
        name: sorted(map(repr, values(pa.table(table)).to_pylist()))
        for name, table in tables.items()
    }


def ask(name, there):
    """Ask a question and compare the answer with that of one machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = comparable(QUESTIONS[name](there))
        expected = answers()[name]
    for table, rows in expected.items():
        if not rows:
            raise FaultError(f"{name}: nothing is asked of {table}")
        if found[table] != rows:
            raise FaultError(f"{name}: other {table} than one machine's")
