"""What every command that reads orders asks for, and the history made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ordercycle.cli.freed_memory import give_back_large_arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ordercycle import OrderHistory
    from ordercycle.cli.watch import Watch
    from ordercycle.history.profiling import ProfileStream

Command = TypeVar("Command", bound="Callable[..., Any]")

#: In the order of the help.
OPTIONS = (
    click.argument("orders", nargs=-1, required=True, metavar="ORDERS..."),
    click.option("--customers", metavar="PATH", help="Customer table: one row per customer."),
    click.option("--customer-column", default="customer_id", show_default=True, metavar="NAME"),
    click.option("--time-column", default="ordered_at", show_default=True, metavar="NAME"),
    click.option("--amount-column", default="amount", show_default=True, metavar="NAME"),
    click.option(
        "--order-column",
        metavar="NAME",
        help="Order id: rows that share it are one order. Without it every row is an order.",
    ),
    click.option(
        "--registered-column",
        default="registered_at",
        show_default=True,
        metavar="NAME",
        help='Registration time in the customer table; "" where it has none.',
    ),
    click.option("--timezone", default="UTC", show_default=True, help="Where days begin and end."),
    click.option(
        "--refunds",
        type=click.Choice(["net", "drop", "count"]),
        default="net",
        show_default=True,
        help="Negative amounts: lower the revenue, are ignored, or count as orders.",
    ),
    click.option(
        "--anonymous",
        type=click.Choice(["drop", "error"]),
        default="drop",
        show_default=True,
        help="Rows without a customer id.",
    ),
    click.option(
        "--unknown",
        type=click.Choice(["add", "drop", "error"]),
        default="add",
        show_default=True,
        help="Customers who order but are not in the customer table.",
    ),
    click.option(
        "--threads", type=click.IntRange(min=1), metavar="N", help="Threads. Default: every core."
    ),
    click.option(
        "--memory-limit",
        metavar="SIZE",
        help="What building may hold in memory, as in 4GB; the rest waits on disk. "
        "Default: no limit.",
    ),
    click.option(
        "--spill-directory",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Where it waits. Default: the system's folder for temporary files.",
    ),
)


def order_options(command: Command) -> Command:
    """Add the options to a command, which gets them as keywords and passes them on."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def history_of(watch: Watch, options: dict[str, Any]) -> OrderHistory:
    """Build the history that the options describe."""
    import ordercycle as oc

    orders, customers, named = _arguments(watch, options)
    return oc.OrderHistory.build(orders, customers, **named)


def profiles_of(
    watch: Watch, options: dict[str, Any], as_of: date, window_days: int | None
) -> ProfileStream:
    """Return the profiles of the orders that the options describe."""
    from ordercycle.history.options import BuildOptions
    from ordercycle.history.profiling import ProfileStream

    orders, customers, named = _arguments(watch, options)
    checked = BuildOptions.of(named, has_customers=customers is not None)
    return ProfileStream(orders, customers, checked, as_of=as_of, window_days=window_days)


def _arguments(watch: Watch, options: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Return the orders, the customers, and the other arguments of OrderHistory.build."""
    import ordercycle as oc

    named = dict(options)
    if named["memory_limit"] is not None:
        give_back_large_arrays()
    roles = ("customer", "time", "amount", "order", "registered")
    columns = {role: named.pop(f"{role}_column") for role in roles}
    columns["registered"] = columns["registered"] or None
    orders, customers = named.pop("orders"), named.pop("customers")
    named |= {"columns": oc.Columns(**columns), "progress": watch.report}
    return orders[0] if len(orders) == 1 else list(orders), customers, named


def account_of(summary: Any) -> str:
    """Say what was read and left out."""
    from ordercycle.errors import counted

    said = list(summary.notes())
    notes = f" ({', '.join(said)})" if said else ""
    return (
        f"{counted(summary.rows, 'row')}, {counted(summary.orders, 'order')}, "
        f"{counted(summary.customers, 'customer')}{notes}"
    )
