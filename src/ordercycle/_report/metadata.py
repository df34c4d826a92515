"""What a report was made with, and what a reader of it has to know of its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._attribution.option_checks import CHANNEL
from ordercycle._attribution.touch_classes import CAMPAIGN
from ordercycle._errors import counted, printable
from ordercycle._expressions.expression_text import as_text
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._report.as_of import AsOf
from ordercycle._report.counting import Counted
from ordercycle._report.event_log import DAY
from ordercycle._report.loyalty import unknown_kinds
from ordercycle._report.metric_values import Figures
from ordercycle._report.sources import Sources
from ordercycle._report.touched import TYPE

#: Campaigns that a note names.
MOST_NAMED = 5


def notes_of(made: Counted) -> list[str]:
    """Return what a reader has to know of the streams of a report, in words."""
    return [printable(one) for one in _notes(made)]


def _notes(made: Counted) -> Iterator[str]:
    sources, summary = made.sources, made.summary
    touched = sources.touched
    if touched is not None:
        yield from _of_strangers(summary.strangers)
        if summary.unknown_refunds:
            refunds = counted(summary.unknown_refunds, "refund is", "refunds are")
            yield f"{refunds} of no known order, and credited to nobody"
        if summary.without_group:
            absent = counted(sum(summary.without_group.values()), "touch is", "touches are")
            named = ", ".join(map(repr, summary.without_group))
            yield f"{absent} of channels in no group ({named}), and never win"
        if summary.long_paths:
            yield f"{counted(summary.long_paths, 'path was', 'paths were')} cut"
        missing = _without_row(sources)
        if missing:
            named = ", ".join(map(repr, missing[:MOST_NAMED]))
            more = ", ..." if len(missing) > MOST_NAMED else ""
            has = "has" if len(missing) == 1 else "have"
            yield f"{counted(len(missing), 'campaign')} {has} no row in the lookup ({named}{more})"
        if touched.scan.model.compete == CHANNEL:
            yield "an order may have a winner in each channel: channels do not add up to groups"
    if sources.points is not None:
        if made.unclear_points:
            number = counted(made.unclear_points, "event", "events")
            yield f"{number} of points without a kind or a number: counted nowhere"
        kinds = unknown_kinds(sources.points)
        if kinds:
            named = ", ".join(kinds[:MOST_NAMED]) + (", ..." if len(kinds) > MOST_NAMED else "")
            yield f"points of kinds that are not known count nowhere: {named}"


def _of_strangers(number: int) -> Iterator[str]:
    """Yield that touches are of customers whom the orders do not know, where any are."""
    if number:
        absent = counted(number, "touch is", "touches are")
        verb = "counts" if number == 1 else "count"
        yield (
            f"{absent} of customers whom the history of orders does not have, and {verb} nowhere; "
            "build the history with the customers table"
        )


def _without_row(sources: Sources) -> list[str]:
    """Return the campaigns that have no type, where others have one."""
    touched = sources.touched
    if touched is None:
        return []
    attribute = touched.scan.touches.columns.attributes.get(CAMPAIGN)
    if attribute is None or TYPE not in attribute.lookups:
        return []
    absent = np.asarray(pc.is_null(attribute.lookups[TYPE].values))
    return [str(one) for one, is_absent in zip(attribute.values.to_pylist(), absent) if is_absent]  # noqa: B905 - of one length


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
