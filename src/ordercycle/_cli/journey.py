"""`ordercycle journey`: who entered a journey, what is due, and who converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import OneLineError, say
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)
from ordercycle._cli.stream_files import STREAMS, StreamTable, found_in, opened
from ordercycle._cli.toml_files import read_toml
from ordercycle._errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from ordercycle import Journey, JourneyRun, Membership, OrderHistory

#: The table of schemes in a file: of the memberships that a journey names.
SCHEMES = "schemes"
#: What of a run is shown, by the word for it.
SHOWN = ("analytics", "entries", "states", "funnel", "time_to_convert", "log_rank", "withdrawn")
GROUPS = ("arm", "cohort", "segment", "version")

day_type = click.DateTime(["%Y-%m-%d"])

history_option = click.option(
    "--history",
    "folder",
    type=click.Path(),
    required=True,
    metavar="FOLDER",
    help="A saved history of orders.",
)


@click.command()
@click.argument("file", type=DiskPath(is_read=True), metavar="JOURNEY.toml")
@history_option
@click.option(
    "--as-of",
    type=day_type,
    metavar="DAY",
    help="The last day that is known. Default: that of the feed, or of the last order.",
)
@click.option(
    "--feed", type=day_type, metavar="DAY", help="What is to be sent on a day: for a sender."
)
@click.option(
    "--ledger",
    metavar="FILE",
    help="What was sent: action_key and sent_on. It is left out of the feed.",
)
@click.option(
    "--after",
    "earlier",
    type=DiskPath(is_read=True),
    multiple=True,
    metavar="JOURNEY.toml",
    help="A version before this one; may be given several times, the oldest first.",
)
@click.option(
    "--show",
    type=click.Choice(SHOWN),
    default=SHOWN[0],
    show_default=True,
    help="What to show where it is no feed.",
)
@click.option(
    "--by",
    metavar="|".join((*GROUPS, "SCHEME")),
    help="Groups of the analytics, or segments of a scheme on the day of entry. Default: none.",
)
@result_option("Without it: CSV on stdout.")
@overwrite_option
@quiet_option
def journey(  # noqa: PLR0913 - one argument per option
    *,
    file: Path,
    folder: str,
    as_of: datetime | None,
    feed: datetime | None,
    ledger: str | None,
    earlier: tuple[Path, ...],
    show: str,
    by: str | None,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Replay a journey over a saved history. Nothing is sent.

    JOURNEY.toml has the definition; a table [schemes.NAME] for memberships that are not those of a
    scheme of this name with its defaults; and [streams.NAME] for the events that it waits for.

    \b
    Examples:
      ordercycle journey win-back.toml --history history --feed 2026-11-01 --out feed.csv
      ordercycle journey win-back.toml --history history --show entries --out entries.parquet
      ordercycle journey win-back.toml --history history --by arm
    """  # noqa: D301 - click's mark for "keep these lines"
    if by is not None and (feed is not None or show != "analytics"):
        raise click.UsageError("--by is of the analytics")
    refuse_existing(out, overwrite=overwrite)
    with watched(quiet=quiet) as watch:
        import ordercycle as oc

        definition, schemes, tables = _read(file)
        before = [_read(one)[0] for one in earlier]
        history = oc.OrderHistory.open(folder)
        due = None if feed is None else feed.date()
        day = due if as_of is None else as_of.date()
        if day is None:
            day = history.summary().last_day
        if day is None:
            raise OneLineError(f"{folder} has no orders; say until when it is known by --as-of")
        streams = opened(tables, tables, watch)
        with found_in(file):
            run = definition.replay(
                history,
                memberships=_memberships([definition, *before], schemes, history, day, streams, by),
                as_of=day,
                streams=streams,
                ledger=ledger,
                after=before,
            )
        table = _shown(run, show, by) if due is None else run.feed(due)
        with result_writer(out, overwrite=overwrite, harmless=None) as writer:
            writer.write(table)
    if not quiet:
        for doubt in definition.lint():
            say(f"Note: {doubt}")
        say(f"{run!r} -> {counted(table.num_rows, 'row')} in {out or 'stdout'}")


def _read(file: Path) -> tuple[Journey, dict[str, Any], dict[str, StreamTable]]:
    """Return the journey of a file, its schemes and its streams."""
    import ordercycle as oc

    given = read_toml(file)
    tables = StreamTable.all_of(file, given.pop(STREAMS, {}))
    described = given.pop(SCHEMES, {})
    schemes = {}
    with found_in(file):
        definition = oc.Journey.from_dict(given)
    for name, one in described.items():
        with found_in(file, SCHEMES, name):
            schemes[name] = oc.scheme_from_dict(one)
    return definition, schemes, tables


def _memberships(
    versions: Sequence[Journey],
    schemes: Mapping[str, Any],
    history: OrderHistory,
    day: date,
    streams: Mapping[str, Any],
    by: str | None,
) -> dict[str, Membership]:
    """Return the memberships that versions and their analytics name, known until a day."""
    import ordercycle as oc

    found: dict[str, Membership] = {}
    names = [name for one in versions for name in (one.trigger["of"], one.conversion.get("of"))]
    for name in (*names, None if by in GROUPS else by):
        if name is None or name in found:
            continue
        scheme = schemes[name] if name in schemes else oc.scheme_from_dict({"scheme": name})
        if not scheme.is_fitted and not scheme.recalculates:
            scheme = scheme.fit(history)
        more = {"streams": streams} if scheme.reads_streams else {}
        found[name] = scheme.membership(history, end=day, **more)
    return found


def _shown(run: JourneyRun, show: str, by: str | None) -> pa.Table:
    if show == "analytics":
        return run.analytics(by)
    tables: dict[str, Any] = {
        "entries": run.entries,
        "states": run.states,
        "funnel": run.funnel,
        "time_to_convert": run.time_to_convert,
        "log_rank": run.log_rank,
        "withdrawn": run.withdrawn,
    }
    found: pa.Table = tables[show]()
    return found
