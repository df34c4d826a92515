"""`ordercycle dashboard`: segments side by side and over time, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.order_options import account_of, history_of, order_options
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.progress import watched
from ordercycle._cli.report import months_of
from ordercycle._cli.report_options import SOURCES, sources_of, with_options
from ordercycle._cli.results import overwrite_option, quiet_option, refuse_existing
from ordercycle._cli.schemes import SchemeCommand, scheme_option
from ordercycle._cli.stream_files import missing_option, opened
from ordercycle._cli.touch_files import TouchFile, touches_option

if TYPE_CHECKING:
    from datetime import datetime

    from ordercycle import Scheme
    from ordercycle._cli.stream_files import StreamTable


def _html_only(_ctx: click.Context, _option: click.Parameter, value: Path) -> Path:
    if value.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{str(value)!r} must end in .html: a dashboard is a page")
    return value


@click.command(cls=SchemeCommand)
@scheme_option
@click.option(
    "--months",
    metavar="MONTHS",
    help="The first and the last month, as in 2024-01:2025-12. Default: the last 24 that are "
    "known.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="The last day that counts. Default: the last of the months, or the last known day.",
)
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="NAME",
    help="Only this segment; may be given several times. Default: all.",
)
@touches_option(required=False)
@with_options(SOURCES)
@click.option("--title", default="Segments", show_default=True, help="What the page is called.")
@click.option(
    "--amounts-in",
    default="EUR",
    show_default=True,
    metavar="CODE",
    help="The currency of the amounts, in three letters.",
)
@click.option(
    "--min-customers",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Segments that never have so many are merged, and rows of fewer show no numbers.",
)
@click.option(
    "--out",
    type=DiskPath(),
    callback=_html_only,
    required=True,
    metavar="FILE",
    help="Result: an .html file that needs nothing else.",
)
@click.option("--open", "is_opened", is_flag=True, help="Show the page in a browser.")
@overwrite_option
@missing_option
@order_options
@quiet_option
def dashboard(  # noqa: PLR0913 - one argument per option
    *,
    schemes: list[Scheme],
    streams: dict[str, StreamTable],
    months: str | None,
    as_of: datetime | None,
    segments: tuple[str, ...],
    touches: str | None,
    brand: str | None,
    targets: dict[str, str | None],
    subscriptions: str | None,
    title: str,
    amounts_in: str,
    min_customers: int,
    out: Path,
    is_opened: bool,
    overwrite: bool,
    missing: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Write a page that compares segments, and shows them over time.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data. The page is one
    file; who opens it can choose any of its months, segments and metrics, and export them.

    \b
    Example:
      ordercycle dashboard orders/*.parquet --scheme lifecycle --scheme rfm \\
          --out segments.html --open
    \b
    With --touches there are channels and campaigns, credited by the rules under [attribution] of a
    file as for `ordercycle attribution`. --brand and --target each give the page a box to choose
    from:
      ordercycle dashboard orders.parquet --scheme lifecycle --touches touches.toml \\
          --attribute brand --brand brand --attribute status \\
          --target Orders --target "Paid=status == 'paid'" --out segments.html
    """  # noqa: D301 - click's mark for "keep these lines"
    refuse_existing(out, overwrite=overwrite)
    import ordercycle as oc
    from ordercycle._errors import counted
    from ordercycle._page.vega import require

    require()

    with watched(quiet=quiet) as watch:
        file = None if touches is None else TouchFile.read(touches)
        history = history_of(
            watch, options, quiet=quiet, missing=missing, instants=file is not None
        )
        summary = history.summary()
        wanted = [name for scheme in schemes for name in scheme.reads_streams]
        credited = None
        if file is not None:
            credited = file.attribution({}).credit(history, *file.opened(watch, options))
        page = oc.Dashboard.build(
            history,
            schemes,
            segments=list(segments) or None,
            months=None if months is None else months_of(months),
            as_of=None if as_of is None else as_of.date(),
            credited=credited,
            **sources_of(brand, targets, subscriptions),
            streams=opened(streams, wanted, watch, {"orders": history}, options),
            missing=missing,
            title=title,
            currency=amounts_in,
            min_customers=min_customers,
        )
        page.save(out)
    if not quiet:
        written = f"{counted(len(page.report.segments), 'segment')} in {out}"
        say(f"{account_of(summary, options['where'])} -> {written}")
    if is_opened:
        click.launch(str(out))
