"""`ordercycle profile`: one row per customer as of a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.feature_files import FeatureFile
from ordercycle._cli.order_options import account_of, history_of, order_options, profiles_of
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    harmless_option,
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)
from ordercycle._cli.stream_files import missing_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
@click.option(
    "--features",
    type=DiskPath(is_read=True, exists=True, dir_okay=False),
    metavar="FILE",
    help="Add what a TOML file says: [features] of [streams.NAME], and [rules] over both.",
)
@missing_option
@result_option("Without it: CSV on stdout.")
@overwrite_option
@harmless_option
@order_options
@quiet_option
def profile(  # noqa: PLR0913 - one argument per option
    *,
    as_of: datetime,
    window_days: int | None,
    lifecycle: str | None,
    features: Path | None,
    missing: str,
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
    \b
    features.toml, for --features; paths are relative to its folder, and "orders" are ORDERS:
      [features]
      coffee_orders = "distinct(lines.order_id, category == 'coffee', last=90)"
      orders_90 = "count(orders, last=90)"
      [streams.lines]
      path = "lines/*.parquet"
      columns = { attributes = ["category"], keys = ["order_id"] }
    """  # noqa: D301 - click's mark for "keep these lines"
    if lifecycle is not None and window_days is not None:
        raise click.UsageError(
            "--lifecycle needs all orders of a customer; leave --window-days out"
        )
    refuse_existing(out, overwrite=overwrite)
    import pyarrow as pa

    import ordercycle as oc
    from ordercycle._errors import counted

    steps: list[Callable[[pa.Table], pa.Table]] = []
    if lifecycle is not None:
        steps.append(oc.Lifecycle.preset(lifecycle).assign)
    described = None if features is None else FeatureFile.read(features)
    named = ("lifecycle", *(() if described is None else described.adds))
    with watched(quiet=quiet) as watch:
        day, streams = as_of.date(), {}
        profiles: Iterable[pa.RecordBatch]
        summary: Callable[[], Any]
        if orders["history"] is not None or (described is not None and described.reads_orders):
            history = streams["orders"] = history_of(watch, orders, quiet=quiet, missing=missing)
            profiles, summary = history.profile_batches(day, window_days), history.summary
        else:
            stream = profiles_of(watch, orders, day, window_days, quiet=quiet, missing=missing)
            profiles, summary = stream, lambda: stream.summary
        if described is not None:
            steps.append(described.assigning(day, missing, watch, streams, orders))
        with result_writer(
            out, overwrite=overwrite, harmless=None if harmless else named
        ) as writer:
            for batch in profiles:
                table = pa.Table.from_batches([batch])
                for step in steps:
                    table = step(table)
                writer.write(table)
    if not quiet:
        written = f"{counted(writer.rows, 'profile')} in {out or 'stdout'}"
        say(f"{account_of(summary(), orders['where'])} -> {written}")
