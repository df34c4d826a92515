"""A list brought in line with what is wanted: planned, sent, noted, remembered."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option, check_choice, counted, warn
from ordercycle._public import public
from ordercycle._sync.batch_sender import Tally, acknowledged, send_plan
from ordercycle._sync.connection import Connection, Outcome, RemoteAudience
from ordercycle._sync.plans import LEFT, Planned, actions_of, batches_of, folded, plan_of
from ordercycle._sync.sent_rows import (
    STALE,
    Wanted,
    array_of_flags,
    as_sent,
    divided,
    in_columns_of,
    nobody,
)
from ordercycle._sync.state_folder import AudienceFolder, Saved

MODES = ("changes", "replace", "add_only")
#: Sessions are positive numbers that JSON holds exactly.
MOST_SESSIONS = 2**52


@dataclass(frozen=True)
class SyncOptions:
    """How a list is synced."""

    mode: str
    dry_run: bool
    largest_removal: float
    allow_empty: bool

    @classmethod
    def of(cls, mode: str, dry_run: bool, largest_removal: float, allow_empty: bool) -> SyncOptions:
        """Return options, checked."""
        check_choice("mode", mode, MODES)
        is_number = isinstance(largest_removal, int | float)
        if not is_number or isinstance(largest_removal, bool) or not 0 <= largest_removal <= 1:
            raise ConfigError(
                (Option("largest_removal", largest_removal), " is no share"),
                remedy="pass a number from 0 to 1",
            )
        return cls(mode, bool(dry_run), float(largest_removal), bool(allow_empty))


@public()
@dataclass(frozen=True)
class SyncReport:
    """What :meth:`Audience.sync` did, or would do.

    Attributes
    ----------
    audience, mode : str
    added, removed, changed, unchanged : int
        Customers: new on the list, off it, sent again because something changed, and left alone.
    rejected : int
        Rows that the vendor took for wrong.
    unknown : int
        People whom the vendor does not know (Mailchimp), who are tried again next time.
    refused : int
        Rows whose removal the vendor refuses, as of a list that would become too small; tried again
        next time.
    suppressed : int
        Customers who are suppressed.
    unreachable : mapping of str to int
        All who cannot be sent, by cause, as of :class:`Reach`.
    values_replaced : int
        Values below 0, missing, or no number, which were sent as 0.
    batches : int
        Requests with rows that were sent, or would be.
    dry_run : bool
    """

    audience: str
    mode: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    refused: int = 0
    suppressed: int = 0
    unreachable: dict[str, int] = field(default_factory=dict)
    values_replaced: int = 0
    batches: int = 0
    dry_run: bool = False

    def __str__(self) -> str:
        would = "would be " if self.dry_run else ""
        parts = [
            f"{getattr(self, name):,} {name}"
            for name in ("added", "removed", "changed", "unchanged")
        ]
        parts += [
            f"{getattr(self, name):,} {name}"
            for name in ("rejected", "unknown", "refused", "suppressed")
            if getattr(self, name)
        ]
        requests = counted(self.batches, "batch", "batches")
        return f"{self.audience}: {would}{', '.join(parts)} ({requests})"


def sync(
    name: str, wanted: Wanted, connection: Connection, state: Path, options: SyncOptions
) -> SyncReport:
    """Bring a list in line with what is wanted, or say what that would take."""
    _refuse_empty(name, wanted, options)
    folder = AudienceFolder.at(state, connection.identity, name)
    if options.dry_run:
        folder.check()
        return _rehearsed(name, wanted, connection, folder, options)
    with folder.locked():
        remote, pending, tally = connection.find(name), folder.plan(), Tally()
        if pending is not None:
            tally = finish_or_drop(connection, folder, pending, remote)
        _check_kind(name, remote, wanted, connection)
        before = folder.sent()
        saved = _still_true(before, remote, connection, options)
        if saved is None and before is not None:
            folder.write_sent(nobody(connection.layout, wanted.table.schema), {"remote": ""})
        sent = _sent_before(saved, wanted, connection)
        if options.mode == "replace" and not connection.replaces and remote is not None:
            sent = _as_present(wanted, connection, remote)
            folder.write_sent(sent, _facts(remote))
        planned = plan_of(sent, wanted, connection, options.mode)
        _refuse_large_removal(sent, planned, options)
        if remote is None:
            remote = connection.create(name, has_values=wanted.has_values)
        if planned.table.num_rows:
            facts = {
                **_facts(remote),
                "mode": options.mode,
                "session": secrets.randbelow(MOST_SESSIONS) + 1,
                "started": time.time(),
                "left": planned.left,
            }
            folder.write_plan(planned.table, facts)
            plan = folder.plan()
            if plan is not None:
                finish(connection, folder, plan, tally)
        elif saved is None:
            folder.write_sent(sent, _facts(remote))
        return _report(name, wanted, planned, tally, options)


def _report(
    name: str, wanted: Wanted, planned: Planned, tally: Tally, options: SyncOptions
) -> SyncReport:
    return SyncReport(
        name,
        options.mode,
        unchanged=planned.unchanged,
        suppressed=wanted.suppressed,
        unreachable=dict(wanted.unreachable),
        values_replaced=wanted.values_replaced,
        dry_run=options.dry_run,
        **vars(tally),
    )


def _rehearsed(
    name: str, wanted: Wanted, connection: Connection, folder: AudienceFolder, options: SyncOptions
) -> SyncReport:
    """Return what a sync would do: it reads, and neither writes nor sends."""
    remote = connection.find(name)
    _check_kind(name, remote, wanted, connection)
    saved, pending, tally = folder.sent(), folder.plan(), Tally()
    if pending is not None and not _is_folded(saved, pending):
        outcomes = acknowledged(folder, pending)
        for number, rows in batches_of(pending.table):
            if number not in outcomes:
                outcomes[number] = Outcome()
                tally.count(actions_of(rows), Outcome())
        table = folded(saved, pending, outcomes, connection)
        saved = Saved(table, pending.facts)
    saved = _still_true(saved, remote, connection, options)
    sent = _sent_before(saved, wanted, connection)
    if options.mode == "replace" and not connection.replaces and remote is not None:
        sent = _as_present(wanted, connection, remote)
    planned = plan_of(sent, wanted, connection, options.mode)
    _refuse_large_removal(sent, planned, options)
    for _, rows in batches_of(planned.table):
        tally.count(actions_of(rows), Outcome())
    tally.removed += planned.left
    return _report(name, wanted, planned, tally, options)


def _refuse_empty(name: str, wanted: Wanted, options: SyncOptions) -> None:
    if not wanted.table.num_rows and not options.allow_empty:
        raise ConfigError(
            f"nobody of {name!r} can be sent",
            remedy=("pass ", Option("allow_empty", True), " where that is meant"),  # noqa: FBT003
        )


def _check_kind(
    name: str, remote: RemoteAudience | None, wanted: Wanted, connection: Connection
) -> None:
    """Raise a ConfigError where one of two lists has values and the other has none."""
    if remote is None or not connection.takes_values:
        return
    if remote.is_value_based != wanted.has_values:
        has, lacks = ("there has", "here has none")
        if wanted.has_values:
            has, lacks = ("here has", "there has none")
        raise ConfigError(
            f"the list {name!r} {has} values, and the one {lacks}",
            remedy="give the audience another name: the vendor does not turn one into the other",
        )


def _still_true(
    saved: Saved | None,
    remote: RemoteAudience | None,
    connection: Connection,
    options: SyncOptions,
) -> Saved | None:
    """Return what was sent, unless the list that it was sent to is gone."""
    if saved is not None and (remote is None or saved.facts.get("remote") != remote.id):
        warn(
            f"the list that was synced before is no longer there at {connection.vendor}; "
            "everybody is sent again"
        )
        return None
    if saved is None and remote is not None and options.mode != "replace":
        known = (
            f"{connection.vendor} has this list, and nothing is known of who is on it; they stay "
        )
        warn((known, "there unless ", Option("mode", "replace"), " makes it anew"))
    return saved


def _sent_before(saved: Saved | None, wanted: Wanted, connection: Connection) -> pa.Table:
    if saved is None:
        return nobody(connection.layout, wanted.table.schema)
    return saved.table


def _as_present(wanted: Wanted, connection: Connection, remote: RemoteAudience) -> pa.Table:
    """Return who is on a list as rows: those who are not wanted are to be removed."""
    (name,) = connection.layout.identifiers
    there = pa.array(sorted(set(connection.present(remote))), pa.large_string())
    known = pc.is_in(wanted.table.column(name), value_set=there)
    sent = as_sent(wanted.table.filter(known), connection.layout, stale=False)
    others = there.filter(pc.invert(pc.is_in(there, value_set=wanted.table.column(name))))
    stale = in_columns_of(pa.table({name: others}), sent.schema)
    place = sent.schema.get_field_index(STALE)
    flags = array_of_flags(len(others), value=True)
    return pa.concat_tables([sent, stale.set_column(place, sent.schema.field(place), flags)])


def _refuse_large_removal(sent: pa.Table, planned: Planned, options: SyncOptions) -> None:
    current, _ = divided(sent)
    left = planned.left + int(np.count_nonzero(actions_of(planned.table) == LEFT))
    if options.mode == "add_only" or left <= options.largest_removal * current.num_rows:
        return
    raise ConfigError(
        f"{left:,} of {counted(current.num_rows, 'customer')} who were sent would be removed, more "
        f"than the share of {options.largest_removal:g}",
        remedy=("pass ", Option("largest_removal", 1.0), " where that is meant"),
    )


def _is_folded(saved: Saved | None, plan: Saved) -> bool:
    """Return whether the outcome of a plan is with what was sent: a crash came right after."""
    return saved is not None and saved.facts.get("session") == plan.facts["session"]


def _facts(remote: RemoteAudience) -> dict[str, Any]:
    return {"remote": remote.id, "name": remote.name, "values": remote.is_value_based}


def finish_or_drop(
    connection: Connection, folder: AudienceFolder, plan: Saved, remote: RemoteAudience | None
) -> Tally:
    """Finish a plan that was interrupted, unless the list that it is of is gone."""
    tally = Tally()
    if remote is not None and remote.id == plan.facts["remote"]:
        finish(connection, folder, plan, tally)
    else:
        folder.drop_plan()
    return tally


def finish(connection: Connection, folder: AudienceFolder, plan: Saved, tally: Tally) -> None:
    """Send what of a plan is not acknowledged, and remember all that was sent."""
    saved = folder.sent()
    if not _is_folded(saved, plan):
        outcomes = send_plan(connection, folder, plan, tally)
        table = folded(saved, plan, outcomes, connection)
        facts = {name: plan.facts[name] for name in ("remote", "name", "values", "session")}
        folder.write_sent(table, facts)
        tally.removed += int(plan.facts["left"])
    folder.drop_plan()
