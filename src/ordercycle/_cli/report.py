"""`ordercycle report`: what each segment bought in a period, and who is in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.order_options import account_of, history_of, order_options
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.progress import watched
from ordercycle._cli.report_options import (
    QUESTIONS,
    SOURCES,
    Question,
    sources_of,
    with_options,
)
from ordercycle._cli.results import overwrite_option, quiet_option, refuse_existing
from ordercycle._cli.schemes import SchemeCommand, scheme_option
from ordercycle._cli.stream_files import missing_option, opened
from ordercycle._cli.touch_files import TouchFile, touches_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ordercycle import Membership, OrderHistory, Scheme
    from ordercycle._cli.stream_files import StreamTable

COMPARE = ("previous-year", "previous-period", "none")
MODES = ("comparison", "dynamics")
GRAINS = ("channel", "mailing-type", "form-type")


@click.command(cls=SchemeCommand)
@click.option(
    "--period",
    required=True,
    metavar="MONTHS",
    help="The first and the last month, as in 2025-10:2025-12, or one month.",
)
@click.option(
    "--compare",
    type=click.Choice(COMPARE),
    default="previous-year",
    show_default=True,
    help="The prior period: the same months a year earlier, or as many just before.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="A day of the period: the report is to date, and so is the prior period. Default: the "
    "last of the period, or the last known day where the period is not over.",
)
@scheme_option
@click.option(
    "--every",
    type=click.Choice(["day", "week", "month"]),
    help="How often schemes are recalculated, such as rfm and rules. Default: every month.",
)
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="NAME",
    help="Only this segment; may be given several times. Default: all.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="comparison",
    show_default=True,
    help="A row per segment and period, or a row per segment and month.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="The only metric of the dynamics, or that of --top-campaigns. Default: all.",
)
@click.option(
    "--months",
    metavar="MONTHS",
    help="Months of the dynamics, or of --audit. Default: from the first customer's to the end of "
    "the period; of --audit, the period.",
)
@touches_option(required=False)
@click.option(
    "--by",
    type=click.Choice(GRAINS),
    help="Behind each row of a segment, one for each of these, as --touches say.",
)
@with_options(SOURCES)
@with_options(QUESTIONS)
@click.option(
    "--out",
    type=DiskPath(),
    metavar="FILE",
    help="Result: a .csv file; of --audit and --top-campaigns also .parquet, .arrow or .feather. "
    "Without it: CSV on stdout.",
)
@overwrite_option
@missing_option
@order_options
@quiet_option
def report(  # noqa: PLR0913 - one argument per option
    *,
    period: str,
    compare: str,
    as_of: datetime | None,
    schemes: list[Scheme],
    streams: dict[str, StreamTable],
    every: str | None,
    segments: tuple[str, ...],
    mode: str,
    metric: str | None,
    months: str | None,
    touches: str | None,
    by: str | None,
    brand: str | None,
    targets: dict[str, str | None],
    subscriptions: str | None,
    out: Path | None,
    overwrite: bool,
    missing: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Report what each segment bought in a period, and who is in it at the end.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data. Of several schemes,
    segments are named like "rfm: Champions"; a later one may read what the earlier ones find.

    \b
    Examples:
      ordercycle report orders/*.parquet --scheme lifecycle --period 2025-10:2025-12 \\
          --out report.csv
      ordercycle report orders/*.parquet --period 2025-12 --mode dynamics --metric Revenue \\
          --months 2024-01:2025-12
      ordercycle report orders/*.parquet --order order_id --period 2025-12 \\
          --touches touches.toml --by channel --out channels.csv
      ordercycle report orders/*.parquet --order order_id --period 2025-12 --segment Loyal \\
          --touches touches.toml --audit "Revenue from Campaigns" --audit-of channel=Email
    \b
    What orders are credited to follows the rules under [attribution] in touches.toml, which is
    written as for `ordercycle attribution`.
    """  # noqa: D301 - click's mark for "keep these lines"
    if by is not None and touches is None:
        raise click.UsageError("--by needs --touches, which say what orders are credited to")
    question = Question(options)
    question.check(
        out,
        {
            "--by": by is not None,
            "--mode": mode != "comparison",
            "--brand": brand is not None,
            "--target": len(targets) > 1,
            "--metric": metric is not None and question.campaigns is None,
            "--months": months is not None and question.metric is None,
        },
        segments,
    )
    refuse_existing(out, overwrite=overwrite)
    if out is not None and touches is not None and not question.is_asked:
        refuse_existing(Path(f"{out}.json"), overwrite=overwrite)
    import ordercycle as oc
    from ordercycle._errors import counted

    if every is not None and not any(scheme.recalculates for scheme in schemes):
        raise click.UsageError("--every needs a --scheme that is recalculated, such as rfm")
    with watched(quiet=quiet) as watch:
        file = None if touches is None else TouchFile.read(touches)
        history = history_of(
            watch, options, quiet=quiet, missing=missing, instants=file is not None
        )
        summary = history.summary()
        wanted = [name for scheme in schemes for name in scheme.reads_streams]
        there = opened(streams, wanted, watch, {"orders": history}, options)
        credited = None
        if file is not None:
            credited = file.attribution({}).credit(history, *file.opened(watch, options))
        made = oc.SegmentReport.build(
            history,
            _memberships(schemes, history, every, there, missing),
            period=months_of(period),
            compare=None if compare == "none" else compare.replace("-", "_"),
            segments=list(segments) or None,
            as_of=None if as_of is None else as_of.date(),
            credited=credited,
            **sources_of(brand, targets, subscriptions),
        )
        if question.is_asked:
            rows = question.write(
                made,
                out,
                segment=segments[0] if segments else None,
                months=None if months is None else months_of(months),
                metric=metric,
                overwrite=overwrite,
            )
            if not quiet:
                said = f"{counted(rows, 'row')}, {made.period}, in {out or 'stdout'}"
                say(f"{account_of(summary, options['where'])} -> {said}")
            return
        made.to_csv(
            sys.stdout if out is None else out,
            mode=mode,
            metric=metric,
            months=None if months is None else months_of(months),
            by=None if by is None else by.replace("-", "_"),
            every_view=True,
        )
    if not quiet:
        written = f"{counted(len(made.segments), 'segment')}, {made.period}, in {out or 'stdout'}"
        say(f"{account_of(summary, options['where'])} -> {written}")


def _memberships(
    schemes: Sequence[Scheme],
    history: OrderHistory,
    every: str | None,
    streams: Mapping[str, Any],
    missing: str,
) -> Membership | dict[str, Membership]:
    """Return the membership of a scheme, or of several by their names; missing: of streams."""
    from ordercycle._days import date_of

    found: dict[str, Membership] = {}
    before: list[Scheme] = []
    for scheme in schemes:
        made = scheme
        if scheme.fitted_to == "profile" and not (scheme.is_fitted or scheme.refits):
            # Without orders any day says as well that there is nothing to fit to.
            made = scheme.fit(history.profile(history.summary().last_day or date_of(0)))
        if made.name in found:
            raise click.UsageError(f"two schemes are called {made.name!r}; name one differently")
        found[made.name] = (
            made.membership(
                history,
                every=every,
                schemes=before,
                **_read_by([*before, made], streams, missing),
            )
            if made.recalculates
            else made.membership(history)
        )
        before.append(made)
    return found if len(found) > 1 else next(iter(found.values()))


def _read_by(schemes: Sequence[Scheme], streams: Mapping[str, Any], missing: str) -> dict[str, Any]:
    """Return what schemes need to read streams; nothing where none of them reads any."""
    if not any(scheme.reads_streams for scheme in schemes):
        return {}
    return {"streams": streams, "missing": missing}


def months_of(months: str) -> str | tuple[str, str]:
    """Return the first and the last month of a text such as 2025-10:2025-12, or the only one."""
    first, colon, last = months.partition(":")
    return (first, last) if colon else first
