"""Pieces of work whose results are known, for campaigns that disturb them."""

import tempfile
from pathlib import Path

import ordercycle as oc
from campaigns.writers import AS_OF, AppendedEvents, digest, events, orders

ROWS = 20_000


def build(threads):
    """Group orders and profile them."""
    return digest(oc.OrderHistory.build(orders(ROWS, 1), threads=threads).profile(AS_OF))


def spill(threads):
    """Group orders under a memory limit."""
    with tempfile.TemporaryDirectory() as folder:
        limited = {"memory_limit": "100MB", "spill_directory": folder, "threads": threads}
        return digest(oc.OrderHistory.build(orders(ROWS, 1), **limited).profile(AS_OF))


def report(threads):
    """Make a report of a membership."""
    history = oc.OrderHistory.build(orders(ROWS // 4, 2), threads=threads)
    membership = oc.Lifecycle().membership(history)
    made = oc.SegmentReport.build(history, membership, period="2026-03")
    return digest(made.comparison())


def schemes(threads):
    """Fit and assign."""
    profile = oc.OrderHistory.build(orders(ROWS // 4, 3), threads=threads).profile(AS_OF)
    rfm = oc.Rfm().fit(profile, threads=threads).assign(profile)
    return digest(rfm, oc.Cadence().fit(profile, threads=threads).assign(profile))


def features(threads):
    """Ask a stream."""
    stream = oc.EventHistory.build(
        events(ROWS // 4, 4), columns=AppendedEvents.columns, threads=threads
    )
    profile = oc.OrderHistory.build(orders(ROWS // 4, 4), threads=threads).profile(AS_OF)
    asked = {"n": "count(s, kind == 'click', last=90)", "total": "sum(s.price)"}
    found = oc.features(profile, asked, as_of=AS_OF, streams={"s": stream}, threads=threads)
    return digest(found)


def saved(threads):
    """Save, append and open."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "history"
        history = oc.OrderHistory.build(orders(ROWS // 4, 5), threads=threads).save(place)
        history.append(orders(500, 6))
        return digest(oc.OrderHistory.open(place, threads=threads).profile(AS_OF))


WORK = {
    "build": build,
    "spill": spill,
    "report": report,
    "schemes": schemes,
    "features": features,
    "save": saved,
}
