"""`ordercycle profile`: one row per customer as of a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle.cli.results import checked_out, refuse_existing, result_writer
from ordercycle.cli.watch import Watch, watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa


@click.command()
@click.argument("orders", nargs=-1, required=True, metavar="ORDERS...")
@click.option("--customers", metavar="PATH", help="Customer table: one row per customer.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    metavar="DAY",
    help="The state at the end of this day, as in 2026-11-01.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=checked_out,
    metavar="FILE",
    help="Result: .parquet, .arrow, .feather or .csv. Without it: CSV on stdout.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing result.")
@click.option("--customer-column", default="customer_id", show_default=True, metavar="NAME")
@click.option("--time-column", default="ordered_at", show_default=True, metavar="NAME")
@click.option("--amount-column", default="amount", show_default=True, metavar="NAME")
@click.option(
    "--order-column",
    metavar="NAME",
    help="Order id: rows that share it are one order. Without it every row is an order.",
)
@click.option(
    "--registered-column",
    default="registered_at",
    show_default=True,
    metavar="NAME",
    help='Registration time in the customer table; "" where it has none.',
)
@click.option("--timezone", default="UTC", show_default=True, help="Where days begin and end.")
@click.option(
    "--refunds",
    type=click.Choice(["net", "drop", "count"]),
    default="net",
    show_default=True,
    help="Negative amounts: lower the revenue, are ignored, or count as orders.",
)
@click.option(
    "--anonymous",
    type=click.Choice(["drop", "error"]),
    default="drop",
    show_default=True,
    help="Rows without a customer id.",
)
@click.option(
    "--unknown",
    type=click.Choice(["add", "drop", "error"]),
    default="add",
    show_default=True,
    help="Customers who order but are not in the customer table.",
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
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads. Default: every core."
)
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help="What building may hold in memory, as in 4GB; the rest waits on disk. Default: no limit.",
)
@click.option(
    "--spill-directory",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where it waits. Default: the system's folder for temporary files.",
)
@click.option("--quiet", is_flag=True, help="Nothing on stderr but errors.")
def profile(  # noqa: PLR0913 - one argument per option
    *,
    orders: tuple[str, ...],
    customers: str | None,
    as_of: datetime,
    out: Path | None,
    overwrite: bool,
    customer_column: str,
    time_column: str,
    amount_column: str,
    order_column: str | None,
    registered_column: str,
    timezone: str,
    refunds: str,
    anonymous: str,
    unknown: str,
    window_days: int | None,
    lifecycle: str | None,
    threads: int | None,
    memory_limit: str | None,
    spill_directory: Path | None,
    quiet: bool,
) -> None:
    """Turn orders into one row per customer.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data.

    \b
    Example:
      ordercycle profile orders/*.parquet --customers customers.parquet \\
          --as-of 2026-11-01 --order-column order_id --timezone Europe/Madrid \\
          --lifecycle fashion --out profile.parquet
    """  # noqa: D301 - click's mark for "keep these lines"
    if lifecycle is not None and window_days is not None:
        raise click.UsageError(
            "--lifecycle needs all orders of a customer; leave --window-days out"
        )
    refuse_existing(out, overwrite=overwrite)
    import ordercycle as oc

    segments = None if lifecycle is None else oc.Lifecycle.preset(lifecycle)
    with watched(quiet=quiet) as watch:
        history = oc.OrderHistory.build(
            orders[0] if len(orders) == 1 else list(orders),
            customers,
            columns=oc.Columns(
                customer=customer_column,
                time=time_column,
                amount=amount_column,
                order=order_column,
                registered=registered_column or None,
            ),
            timezone=timezone,
            refunds=refunds,
            anonymous=anonymous,
            unknown=unknown,
            threads=threads,
            memory_limit=memory_limit,
            spill_directory=spill_directory,
            progress=watch.report,
        )
        summary = history.summary()
        with result_writer(out, overwrite=overwrite) as writer:
            for table in _profiles(history, as_of, window_days, watch):
                writer.write(table if segments is None else segments.assign(table))
    if not quiet:
        click.echo(_account(summary, writer.rows, out), err=True)


def _profiles(
    history: Any, as_of: datetime, window_days: int | None, watch: Watch
) -> Iterator[pa.Table]:
    """Yield the profile in pieces; an empty one still yields its schema."""
    import pyarrow as pa

    day = as_of.date()
    customers, done = history.summary().customers, 0
    for batch in history.profile_batches(day, window_days=window_days):
        yield pa.Table.from_batches([batch])
        done += batch.num_rows
        watch.report(done, customers, "profile")
    if not done:
        yield history.profile(day, window_days=window_days)


def _account(summary: Any, written: int, out: Path | None) -> str:
    """Say in a line what was read, left out and written."""
    left_out = [
        f"{count:,} {what}"
        for count, what in (
            (summary.refunds, "refunds"),
            (summary.anonymous, "anonymous rows"),
            (summary.unknown, "unknown customers"),
            (summary.undated, "customers without any date"),
        )
        if count
    ]
    notes = f" ({', '.join(left_out)})" if left_out else ""
    return (
        f"{summary.rows:,} rows, {summary.orders:,} orders, {summary.customers:,} customers{notes}"
        f" -> {written:,} profiles in {out or 'stdout'}"
    )
