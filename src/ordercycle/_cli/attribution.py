"""`ordercycle attribution`: which touches orders are credited to, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import say
from ordercycle._cli.order_options import account_of, history_of, order_options
from ordercycle._cli.progress import watched
from ordercycle._cli.results import (
    overwrite_option,
    quiet_option,
    refuse_existing,
    result_option,
    result_writer,
)
from ordercycle._cli.stream_files import missing_option
from ordercycle._cli.touch_files import TouchFile, rule_options, rules_of, touches_option
from ordercycle._errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from ordercycle import Credited, OrderHistory

#: Windows whose metric is shown, unless --days says otherwise.
DAYS = "1:30"
NAME_WIDTH, NUMBER_WIDTH, MOST_NAME = 22, 14, 40
#: Columns whose texts are anybody's, which a spreadsheet may take for formulas.
NAMES = ("group", "channel", "campaign", "kind", "form", "outcome")


def _range(text: str) -> list[int]:
    first, colon, last = text.partition(":")
    return list(range(int(first), int(last if colon else first) + 1))


def _days(_ctx: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    """Return the lengths that a text such as 1:30 or 5 stands for."""
    if value is None:
        return None
    try:
        lengths = _range(value)
    except ValueError:
        lengths = []
    if not lengths:
        raise click.BadParameter(f"{value!r} is no number of days, and no range such as {DAYS}")
    return lengths


@click.command()
@touches_option(required=True)
@rule_options
@click.option(
    "--explain",
    metavar="ORDER",
    help="Instead of the credits: every touch in reach of an order, and why it won or lost.",
)
@click.option(
    "--windows",
    "metric",
    metavar="METRIC",
    help='Instead of the credits: a metric, as "Revenue from Campaigns", by the length of windows.',
)
@click.option(
    "--days",
    callback=_days,
    metavar="DAYS",
    help=f"The lengths of --windows, as 1:30 or 7. Default: {DAYS}.",
)
@click.option(
    "--paths",
    is_flag=True,
    help="Instead of the credits: the touches that led to each order; in CSV, a row each.",
)
@click.option(
    "--campaigns",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="How many campaigns the summary on stderr has, those of most revenue.",
)
@result_option("Without it: CSV on stdout.")
@overwrite_option
@missing_option
@order_options
@quiet_option
def attribution(  # noqa: PLR0913 - one argument per option
    *,
    touches: str,
    explain: str | None,
    metric: str | None,
    days: list[int] | None,
    paths: bool,
    campaigns: int,
    out: Path | None,
    overwrite: bool,
    missing: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Credit orders to the touches before them.

    ORDERS are files, folders or quoted patterns of Parquet, CSV or Arrow data, with the instant of
    each order. The result has a row for each order, group and touch that is credited, and one for
    an order without any; a summary by channel and campaign is on stderr.

    \b
    Examples:
      ordercycle attribution orders/*.parquet --order order_id --touches "touches/*.parquet" \\
          --out credits.parquet
      ordercycle attribution orders/*.parquet --order order_id --touches touches.toml \\
          --preset klaviyo --window 7d > credits.csv
      ordercycle attribution orders.csv --order order_id --touches touches.toml --explain 1042
      ordercycle attribution orders.csv --touches touches.toml \\
          --windows "Revenue from Campaigns" --days 1:14
    \b
    touches.toml:
      [streams.touches]
      path = "events/*.parquet"
      columns = { time = "sent_at", id = "event_id", attributes = ["kind", "channel", "campaign"] }
      lookups = { campaign = "campaigns.csv" }
      [attribution]
      window = "5d"
      windows = { "SMS:delivery" = "12h" }
      exclude = "campaign.type == 'transactional'"
    """  # noqa: D301 - click's mark for "keep these lines"
    asked = sum([explain is not None, metric is not None, paths])
    if asked > 1:
        raise click.UsageError("--explain, --windows and --paths each have a result of their own")
    if days is not None and metric is None:
        raise click.UsageError("--days is of --windows METRIC; leave it out")
    refuse_existing(out, overwrite=overwrite)
    given = rules_of(options)
    with watched(quiet=quiet) as watch:
        file = TouchFile.read(touches)
        model = file.attribution(given)
        history = history_of(watch, options, quiet=quiet, missing=missing, instants=True)
        stream, visits = file.opened(watch, options)
        credited = model.credit(history, stream, visits)
        if explain is not None:
            tables: Iterable[pa.Table] = [credited.explain(_order(history, explain))]
        elif metric is not None:
            tables = [_curve(credited, metric, days or _range(DAYS))]
        else:
            tables = _path_tables(credited, out) if paths else _credit_tables(credited)
        with result_writer(out, overwrite=overwrite, harmless=NAMES) as writer:
            for table in tables:
                writer.write(table)
        if quiet:
            return
        if not asked:
            for line in summary_of(credited, campaigns):
                say(line)
    what = f"{writer.rows:,} {'row' if writer.rows == 1 else 'rows'} in {out or 'stdout'}"
    say(f"{account_of(history.summary(), options['where'])} -> {what}")


def _curve(credited: Credited, metric: str, days: list[int]) -> pa.Table:
    from ordercycle._errors import OrdercycleError, renamed_error

    flags = {"metric": "windows"}
    try:
        return credited.windows(metric, days)
    except OrdercycleError as error:
        raise renamed_error(error, lambda name: flags.get(name, name)) from None


def _credit_tables(credited: Credited) -> Iterator[pa.Table]:
    import pyarrow as pa

    empty = True
    for batch in credited.to_batches():
        empty = False
        yield pa.Table.from_batches([batch])
    if empty:
        yield credited.to_table()


def _path_tables(credited: Credited, out: Path | None) -> Iterator[pa.Table]:
    """Yield the paths; for CSV, which has no lists, a row for each of their touches."""
    table = credited.paths()
    if out is not None and out.suffix.lower() != ".csv":
        yield table
        return
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = np.asarray(pc.list_value_length(table["path"]), np.int64)
    ends = np.cumsum(lengths)
    rows = np.repeat(np.arange(lengths.size), lengths)
    steps = pc.list_flatten(table["path"])
    within = np.arange(rows.size) - np.repeat(ends - lengths, lengths)
    long = table.select(["order", "group"]).take(pa.array(rows))
    long = long.append_column("step", pa.array(within + 1))
    for name in ("channel", "campaign", "touched_at"):
        long = long.append_column(name, pc.struct_field(steps, name))
    yield long


def _order(history: OrderHistory, text: str) -> Any:
    """Return the id of an order in the type that ids have."""
    from ordercycle._history.order_history import grouped_orders

    reader = grouped_orders(history).spec.order_ids
    if reader is not None and reader.is_integer and text.removeprefix("-").isdecimal():
        return int(text)
    return text


def summary_of(credited: Credited, campaigns: int) -> Iterator[str]:
    """Yield what channels and campaigns are credited with, a line each."""
    from ordercycle._attribution.credited import notes_of

    made = credited.summary()
    channels = credited.totals(by="channel").to_pylist()
    yield _line(("group", "channel"), "orders", "revenue", "share")
    for row in channels:
        if row["group"] is not None:
            yield _row((row["group"], row["channel"]), row)
    whole = made.revenue
    for name, orders, revenue in (
        ("all channels", made.attributed, made.attributed_revenue),
        ("nobody", made.unattributed, None if whole is None else whole - made.attributed_revenue),
        ("all orders", made.orders, whole),
    ):
        share = float(revenue / whole) if whole else None
        yield _row((name,), {"orders": orders, "revenue": revenue, "share": share})
    won = credited.totals(by="campaign").to_pylist() if campaigns else []
    won = [row for row in won if row["group"] is not None and row["campaign"] is not None]
    won.sort(key=lambda row: (-(row["revenue"] or 0), -row["orders"], str(row["campaign"])))
    if won:
        yield ""
        yield _line(("channel", "campaign"), "orders", "revenue", "share")
    for row in won[:campaigns]:
        yield _row((row["channel"], row["campaign"]), row)
    if len(won) > campaigns:
        yield f"and {len(won) - campaigns:,} more campaigns"
    yield from notes_of(credited)


def _row(names: Iterable[Any], row: dict[str, Any]) -> str:
    orders, revenue, share = row["orders"], row["revenue"], row["share"]
    whole = orders == int(orders)
    return _line(
        names,
        f"{orders:,.0f}" if whole else f"{orders:,.2f}",
        "-" if revenue is None else f"{revenue:,.2f}",
        "-" if share is None else f"{100 * share:.1f} %",
    )


def _line(names: Iterable[Any], *numbers: str) -> str:
    shown = (printable("(none)" if one is None else str(one))[:MOST_NAME] for one in names)
    left = " ".join(f"{one:<{NAME_WIDTH}}" for one in shown)
    return f"{left:<{2 * NAME_WIDTH + 1}}" + "".join(f"{one:>{NUMBER_WIDTH}}" for one in numbers)
