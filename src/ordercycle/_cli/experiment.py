"""`ordercycle experiment`: who is in which arm, and what the arms did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.journey import day_type, history_option
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
    from datetime import datetime

#: The stream of a file that has the views of the experience.
EXPOSURES = "exposures"
SHOWN = ("table", "path", "rehearsal")


@click.command()
@click.argument("file", type=DiskPath(is_read=True), metavar="EXPERIMENT.toml")
@history_option
@click.option("--since", type=day_type, required=True, metavar="DAY", help="The day of assignment.")
@click.option(
    "--as-of", type=day_type, required=True, metavar="DAY", help="The last day that is known."
)
@click.option(
    "--window-days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="How long orders count after it.",
)
@click.option(
    "--covariate",
    metavar="COLUMN",
    help="A number of the profile on the day of assignment, such as revenue: narrower intervals.",
)
@click.option(
    "--show",
    type=click.Choice(SHOWN),
    default=SHOWN[0],
    show_default=True,
    help="The arms; the always-valid interval day by day; or an A/A test on these days.",
)
@result_option("Without it: CSV on stdout.")
@overwrite_option
@quiet_option
def experiment(  # noqa: PLR0913 - one argument per option
    *,
    file: Path,
    folder: str,
    since: datetime,
    as_of: datetime,
    window_days: int,
    covariate: str | None,
    show: str,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Compare what customers of the arms of an experiment ordered.

    EXPERIMENT.toml has the definition, and perhaps [streams.exposures]: who viewed it, and when.

    \b
    Examples:
      ordercycle experiment banner.toml --history history --since 2026-10-01 --as-of 2026-11-01
      ordercycle experiment banner.toml --history history --since 2025-10-01 --as-of 2025-11-01 \\
          --show rehearsal
    """  # noqa: D301 - click's mark for "keep these lines"
    refuse_existing(out, overwrite=overwrite)
    with watched(quiet=quiet) as watch:
        import ordercycle as oc

        given = read_toml(file)
        tables = StreamTable.all_of(file, given.pop(STREAMS, {}))
        with found_in(file):
            definition = oc.Experiment.from_dict(given)
        history = oc.OrderHistory.open(folder)
        days: dict[str, Any] = {"since": since.date(), "as_of": as_of.date()}
        if show == "rehearsal":
            table = definition.rehearse(
                history, **days, window_days=window_days, covariate=covariate
            )
            said = f"{definition.name} rehearsed"
        else:
            streams = opened(tables, tables, watch)
            result = definition.measure(
                history,
                streams.get(EXPOSURES),
                **days,
                window_days=window_days,
                covariate=covariate,
            )
            table = result.to_table() if show == "table" else result.path()
            said = repr(result)
        with result_writer(out, overwrite=overwrite, harmless=None) as writer:
            writer.write(table)
    if not quiet:
        say(f"{said} -> {counted(table.num_rows, 'row')} in {out or 'stdout'}")
