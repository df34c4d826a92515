"""What a report was made with, and what a reader of it has to know of its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._attribution.credit_counts import few_of, lookup_notes
from ordercycle._attribution.option_checks import CHANNEL, DELIVERY
from ordercycle._attribution.touch_classes import KIND
from ordercycle._errors import counted, printable
from ordercycle._expressions.expression_text import as_text
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._report.as_of import AsOf
from ordercycle._report.counting import Counted
from ordercycle._report.event_log import DAY
from ordercycle._report.loyalty import unknown_kinds
from ordercycle._report.metric_values import Figures
from ordercycle._report.touched import Touched
from ordercycle._report.visits import VisitReader

#: What kinds of messages may be called elsewhere, which count as nothing here: parts of words.
WORDS_FOR = {
    DELIVERY: ("deliver", "sent", "send", "receiv"),
    "open": ("open",),
    "click": ("click",),
    "unsubscribe": ("unsub", "optout", "opt-out", "opt_out"),
}


def notes_of(made: Counted) -> list[str]:
    """Return what a reader has to know of the streams of a report, in words."""
    return [printable(one) for one in _notes(made)]


def _notes(made: Counted) -> Iterator[str]:
    sources, summary = made.sources, made.summary
    touched = sources.touched
    if touched is not None:
        yield from _of_strangers(summary.strangers, VisitReader.of(sources, None))
        if summary.unknown_refunds:
            refunds = counted(summary.unknown_refunds, "refund is", "refunds are")
            yield f"{refunds} of no known order, and credited to nobody"
        if summary.without_group:
            lost = sum(summary.without_group.values())
            absent, verb = counted(lost, "touch is", "touches are"), "win" + "s" * (lost == 1)
            named = few_of(map(repr, summary.without_group))
            yield f"{absent} of channels in no group ({named}), and never {verb}"
        yield from _unlike_kinds(touched)
        if summary.long_paths:
            yield f"{counted(summary.long_paths, 'path was', 'paths were')} cut"
        yield from lookup_notes(touched.scan.touches)
        if touched.scan.model.compete == CHANNEL:
            yield "an order may have a winner in each channel: channels do not add up to groups"
    if sources.points is not None:
        if made.unclear_points:
            number = counted(made.unclear_points, "event", "events")
            yield f"{number} of points without a kind or a number: counted nowhere"
        if made.points_of_others:
            number = counted(made.points_of_others, "event", "events")
            yield f"{number} of points of people who are no members on that day: counted nowhere"
        kinds = unknown_kinds(sources.points)
        if kinds:
            yield f"points of kinds that are not known count nowhere: {few_of(kinds)}"


def _of_strangers(number: int, visits: VisitReader | None) -> Iterator[str]:
    """Yield that touches are of customers whom the orders do not know, where any are."""
    if number:
        absent = counted(number, "touch is", "touches are")
        verb = "counts" if number == 1 else "count"
        where = "nowhere" if visits is None else "in Contact Collection Rate alone"
        yield (
            f"{absent} of customers whom the history of orders does not have, and {verb} {where}; "
            "build the history with the customers table"
        )


def _unlike_kinds(touched: Touched) -> Iterator[str]:
    """Yield what kinds count as nothing, though another word for them would."""
    kinds = [one for one in touched.scan.touches.columns.attributes[KIND].values.to_pylist() if one]
    for meant, stems in WORDS_FOR.items():
        alike = [one for one in kinds if any(stem in one.lower() for stem in stems)]
        if alike and meant not in kinds:
            yield f"no touch is of the kind {meant!r}, and {few_of(map(repr, alike))} is none"


def given_of(
    memberships: Sequence[Membership], targets: Mapping[str, Any] | None, compare: str | None
) -> dict[str, Any]:
    """Return what a report was asked for, as plain data."""
    sources = [intervals_of(one) for one in memberships]
    return {
        "compare": compare,
        "targets": None if targets is None else {k: as_text(one) for k, one in targets.items()},
        "memberships": [
            {
                "segments": list(membership.segments),
                "known_from": _day(source.known_from),
                "known_until": _day(source.known_until),
            }
            for membership, source in zip(memberships, sources, strict=True)
        ],
    }


def _day(day: date | None) -> str | None:
    return None if day is None else str(day)


def changes_of(changes: pa.Table) -> list[dict[str, Any]]:
    """Return changes of segments as plain data."""
    return [row | {DAY: str(row[DAY])} for row in changes.to_pylist()]


def metadata_of(
    figures: Figures,
    as_of: AsOf,
    given: Mapping[str, Any],
    changes: pa.Table,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return what a report was made with, as plain data.

    given: as of `given_of`.
    """
    from importlib.metadata import version  # loads what mail needs

    found: dict[str, Any] = {
        "period": str(as_of.period),
        "previous": None if as_of.previous is None else str(as_of.previous),
        "as_of": str(as_of.period.last_day),
        "segments": list(figures.plan.segments),
        **given,
        "changes": changes_of(changes),
        "notes": list(notes),
        "version": version("ordercycle"),
    }
    made = figures.counted
    if made is None:
        return found
    sources = made.sources
    found["orders"] = sources.orders.entries
    found["views"] = {"orders": [text for text, _ in sources.orders.views]}
    found["brand"] = sources.brand
    found["metrics"] = [
        {"name": one.name, "numerator": one.numerator, "denominator": one.denominator,
         "where": one.where}
        for one in sources.own
    ]  # fmt: skip
    if sources.touched is not None:
        scan = sources.touched.scan
        found["attribution"] = scan.model.to_dict()
        found["touches"] = scan.touches.entries
        found["views"]["touches"] = [text for text, _ in scan.touches.views]
        found["visits"] = None if scan.visits is None else scan.visits.entries
    if sources.subscriptions is not None:
        found["subscriptions"] = "snapshot" if sources.subscriptions.is_snapshot else "intervals"
    if sources.loyalty is not None:
        found["discount"] = list(sources.loyalty.discount or ())
        found["points"] = None if sources.points is None else sources.points.entries
    return found
