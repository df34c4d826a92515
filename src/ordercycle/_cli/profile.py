"""`ordercycle profile`: one row per customer as of a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.order_options import account_of, order_options, profiles_of
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    harmless_option,
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="DAY",
    help="The state at the end of this day, as in 2026-11-01.",
)
@click.option(
    "--window-days",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only orders of the last N days up to --as-of.",
)
@click.option(
    "--lifecycle",
    metavar="PRESET",
    help="Add the lifecycle segment, by the thresholds of a preset such as fashion.",
)
@result_option("Without it: CSV on stdout.")
@overwrite_option
@harmless_option
@order_options
@quiet_option
def profile(
    *,
    as_of: datetime,
    window_days: int | None,
    lifecycle: str | None,
    out: Path | None,
    overwrite: bool,
    harmless: bool,
    quiet: bool,
    **orders: Any,
) -> None:
    """Turn orders into one row per customer.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data.

    \b
    Example:
      ordercycle profile orders/*.parquet --customers customers.parquet \\
          --as-of 2026-11-01 --order order_id --timezone Europe/Madrid \\
          --lifecycle fashion --out profile.parquet
    """  # noqa: D301 - click's mark for "keep these lines"
    if lifecycle is not None and window_days is not None:
        raise click.UsageError(
            "--lifecycle needs all orders of a customer; leave --window-days out"
        )
    refuse_existing(out, overwrite=overwrite)
    import pyarrow as pa

    import ordercycle as oc
    from ordercycle._errors import counted

    segments = None if lifecycle is None else oc.Lifecycle.preset(lifecycle)
    with watched(quiet=quiet) as watch:
        profiles = profiles_of(watch, orders, as_of.date(), window_days, quiet=quiet)
        with result_writer(
            out, overwrite=overwrite, harmless=None if harmless else ("lifecycle",)
        ) as writer:
            for batch in profiles:
                table = pa.Table.from_batches([batch])
                writer.write(table if segments is None else segments.assign(table))
    if not quiet:
        written = f"{counted(writer.rows, 'profile')} in {out or 'stdout'}"
        say(f"{account_of(profiles.summary)} -> {written}")
