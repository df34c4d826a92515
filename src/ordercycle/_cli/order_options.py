"""The options of every command that reads orders, and the history made of it."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ordercycle._cli import source_options
from ordercycle._cli.errors import REFUSED_FLAGS
from ordercycle._cli.paths import DiskPath
from ordercycle._cli.sql import relation_of
from ordercycle._cli.stream_files import OF_MACHINE, UNUSED_LIMIT
from ordercycle._cli.toml_files import read_toml
from ordercycle._columns import Columns
from ordercycle._history.source_options import SourceOptions, source_from_dict
from ordercycle._policies import declared_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ordercycle import OrderHistory
    from ordercycle._cli.progress import Watch
    from ordercycle._history.profile_stream import ProfileStream

Command = TypeVar("Command", bound="Callable[..., Any]")

#: Parameters of `mallopt` in the GNU C library: from which size an array is mapped by itself, and
#: how much may stay free at the end of the heap.
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
LARGE_BYTES = 2**20
#: Options by the field of Columns that they give, with the help.
COLUMNS = {
    "customer": "Customer id, in the orders and the customer table.",
    "time": "When an order was made.",
    "amount": 'The value of an order, as in "price * quantity".',
    "order": "Order id: rows that share it are one order. Without it every row is an order.",
    "registered": 'Registration time in the customer table; "" where it has none.',
    "listed_customer": "Customer id in the customer table, where that has another name.",
    "attributes": "What --where asks for, such as a status; may be given several times.",
    "values": "A further number of an order, such as a discount; may be given several times.",
    "refund_of": "The id of the order that a row refunds.",
}


#: What a saved history may be given with: all else was said when it was built.
OF_SAVED = ("history", "where", *OF_MACHINE)

#: What the help calls the values of policies.
METAVARS = {"timezone": "ZONE", "only": "CONDITION", "nobody": "ID"}


def _column_option(name: str, default: Any) -> Callable[[Command], Command]:
    """Return the option of a field of Columns; one that holds several is given for each."""
    several = isinstance(default, tuple)
    return click.option(
        f"--{name.removesuffix('s' if several else '').replace('_', '-')}",
        name,
        multiple=several,
        metavar="COLUMN",
        help=COLUMNS[name] + (f" Default: {default}." if default else ""),
    )


DEFAULTS = {column.name: column.default for column in fields(Columns)}
COLUMN_OPTIONS = tuple(_column_option(name, DEFAULTS[name]) for name in COLUMNS)

#: In the order of the help.
BEFORE = (
    click.argument("orders", nargs=-1, metavar="[ORDERS]..."),
    click.option(
        "--sql",
        metavar="QUERY",
        help="Orders that DuckDB finds, instead of ORDERS: joins and unions of files. The options "
        "of read_csv in the query are those of whoever writes it.",
    ),
    click.option(
        "--history",
        type=click.Path(),
        metavar="FOLDER",
        help="A saved history, instead of ORDERS and of all that says how they are read.",
    ),
    click.option("--customers", metavar="PATH", help="Customer table: one row per customer."),
    click.option(
        "--source",
        type=DiskPath(is_read=True, exists=True, dir_okay=False),
        metavar="FILE",
        help="A TOML file with any of these options; those that are given here come first.",
    ),
)
#: After those of columns, policies and files.
AFTER = (
    click.option(
        "--where",
        metavar="CONDITION",
        help="Only orders and refunds whose attributes satisfy this, of all customers, as in "
        "\"status == 'paid'\".",
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
        type=DiskPath(),
        metavar="FOLDER",
        help="Where it waits. Default: the system's folder for temporary files.",
    ),
)


def _policy_option(declared: Any) -> Callable[[Command], Command]:
    """Return the option of a policy that the library declares."""
    name, default = declared.name, declared.default
    choices = [one for one in declared.metadata["choices"] or () if one is not None]
    several = isinstance(default, tuple)
    more = "; may be given several times." if several else ""
    if default not in (None, ()):
        more = f". Default: {default}."
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        multiple=several,
        type=click.Choice(choices) if choices else str,
        metavar=None if choices else METAVARS.get(name, "TEXT"),
        help=declared.metadata["doc"].removesuffix("." if more else "") + more,
    )


NO_AMOUNT = click.option(
    "--no-amount", is_flag=True, help="Nothing is known about money; no column is read."
)
POLICY_OPTIONS = tuple(_policy_option(one) for one in declared_policies())
OPTIONS = (*BEFORE, *COLUMN_OPTIONS, NO_AMOUNT, *POLICY_OPTIONS, *source_options.OPTIONS, *AFTER)


def order_options(command: Command) -> Command:
    """Add the options to a command, which gets them as keywords and passes them on."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def history_of(
    watch: Watch,
    options: dict[str, Any],
    *,
    quiet: bool,
    missing: str = "error",
    instants: bool = False,
) -> OrderHistory:
    """Build or open the history that the options describe; missing: as for `OrderHistory.where`.

    instants: whether they are kept, whatever is said of columns.
    """
    import ordercycle as oc

    if options["history"] is not None:
        return _opened(options, missing)
    orders, customers, named = _arguments(watch, options, quiet=quiet)
    if instants:
        source = named["source"]
        described = None if source is None else source.given.get("columns")
        columns = named.get("columns", described or Columns())
        named["columns"] = replace(columns, instants=True)
    where = named.pop("where", None)
    history = oc.OrderHistory.build(orders, customers, **named)
    return history if where is None else history.where(where, missing=missing)


def profiles_of(
    watch: Watch,
    options: dict[str, Any],
    as_of: date,
    window_days: int | None,
    *,
    quiet: bool,
    missing: str = "error",
) -> ProfileStream:
    """Return the profiles of the orders that the options describe; missing: as for `where`."""
    from ordercycle._history.options import BuildOptions
    from ordercycle._history.profile_stream import ProfileStream

    orders, customers, named = _arguments(watch, options, quiet=quiet)
    where = named.pop("where", None)
    checked = BuildOptions.of(named, has_customers=customers is not None)
    return ProfileStream(
        orders,
        customers,
        checked,
        as_of=as_of,
        window_days=window_days,
        where=None if where is None else (where, missing),
    )


def _opened(options: dict[str, Any], missing: str) -> OrderHistory:
    """Open the saved history that is named.

    Raises
    ------
    click.UsageError
        Where something is said that it has of its own.
    """
    import ordercycle as oc
    from ordercycle._ingest.spill import Spill

    context = click.get_current_context()
    flags = {one.name: one.opts[0] for one in context.command.params}
    for name in options:
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and name == "orders":
            raise click.UsageError("--history takes the place of ORDERS; leave one of them out")
        if is_given and name not in OF_SAVED:
            raise click.UsageError(
                f"{flags[name]} says nothing of --history, which has its own; leave it out"
            )
    context.meta[REFUSED_FLAGS] = frozenset(
        one.opts[0] for one in context.command.params if one.name in set(options) - {*OF_SAVED}
    )
    Spill.of(options["memory_limit"], options["spill_directory"])  # of streams, where there are any
    if options["memory_limit"] is not None:
        context.meta[UNUSED_LIMIT] = True
        context.call_on_close(partial(_say_unused, context))
    history = oc.OrderHistory.open(options["history"], threads=options["threads"])
    where = options["where"]
    return history if where is None else history.where(where, missing=missing)


def _say_unused(context: click.Context) -> None:
    """Warn where a command has built nothing that a limit would be of; not behind an error."""
    from ordercycle._errors import Option, warn

    if context.meta.get(UNUSED_LIMIT) and sys.exc_info()[0] is None:
        warn((Option("memory_limit"), " limits nothing: ", Option("history"), " is built already"))


def _arguments(
    watch: Watch, options: dict[str, Any], *, quiet: bool
) -> tuple[Any, Any, dict[str, Any]]:
    """Return the orders, the customers, and the other arguments of OrderHistory.build."""
    named = dict(options)
    del named["history"]
    orders, query, customers = named.pop("orders"), named.pop("sql"), named.pop("customers")
    if bool(orders) == (query is not None):
        what = "--sql takes the place of ORDERS; leave one of them out" if orders else (
            "name the files of ORDERS, or give a query with --sql or a saved history with --history"
        )  # fmt: skip
        raise click.UsageError(what)
    source = _source(named.pop("source"))
    described = {} if source is None else source.given
    columns = _columns(named, described.get("columns"))
    read = source_options.read_of(named, described.get("read"))
    named = {name: value for name, value in named.items() if value not in (None, ())}
    if (
        query is not None
        and customers is None
        and read is not None
        and described.get("read") is None
    ):
        raise click.UsageError("options of files say nothing of --sql; read_csv in it has its own")
    named |= {} if columns is None else {"columns": columns}
    named |= {} if read is None else {"read": read}
    if (named | dict(described)).get("memory_limit") is not None:
        _give_back_large_arrays()
    named |= {"source": source, "progress": watch.report}
    if query is not None:
        return relation_of(query, quiet=quiet), customers, named
    return orders[0] if len(orders) == 1 else list(orders), customers, named


def _source(path: Path | None) -> SourceOptions | None:
    """Return what a source file says, or None without one."""
    if path is None:
        return None
    return source_from_dict(read_toml(path))


def _columns(named: dict[str, Any], described: Columns | None) -> Columns | None:
    """Take the options of columns out; return the columns, or None where they are the usual ones.

    described: what a source file says, which comes after the options.
    """
    given = {name: named.pop(name) for name in COLUMNS}
    given = {name: value for name, value in given.items() if value not in (None, ())}
    if named.pop("no_amount"):
        if "amount" in given:
            raise click.UsageError("--no-amount and --amount contradict each other")
        given["amount"] = None
    for name in ("order", "registered", "listed_customer", "refund_of"):
        if given.get(name) == "":
            given[name] = None
    return replace(described or Columns(), **given) if given else described


def account_of(summary: Any, where: str | None = None) -> str:
    """Return what was read and left out, in words; where: which orders are looked at."""
    from ordercycle._errors import counted

    said = list(summary.notes())
    if where is not None:
        said.append(f"where {where}")
    notes = f" ({', '.join(said)})" if said else ""
    return (
        f"{counted(summary.rows, 'row')}, {counted(summary.orders, 'order')}, "
        f"{counted(summary.customers, 'customer')}{notes}"
    )


def _give_back_large_arrays() -> None:
    """Have large arrays go back to the system when they are let go of.

    Of itself, the GNU C library keeps what was freed in a heap for each thread, arrays of up to 32
    MB among it: 4 million profiles of text ids reached 580 MB under a limit of 200 MB, and 490 this
    way, in the same time. A matter for the whole process, which only a command may decide.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, LARGE_BYTES)
            mallopt(TRIM_THRESHOLD, LARGE_BYTES)
