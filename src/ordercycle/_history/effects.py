"""Options that find nothing to act on: declared for each, so that none is given in vain.

An option that would have been needed to read the rows as they are meant, and does nothing, is an
error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ordercycle._errors import Code, ConfigError, Option, Text
from ordercycle._sources.file_names import DESCRIBED

if TYPE_CHECKING:
    from ordercycle._columns import Columns
    from ordercycle._ingest.spill import Spill
    from ordercycle._policies import Policies
    from ordercycle._sources.row_source import Files


class Options(Protocol):
    """Options of a build, as far as they are looked at here."""

    @property
    def columns(self) -> Columns: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def read(self) -> Any: ...
    @property
    def filesystem(self) -> Any: ...
    @property
    def spill(self) -> Spill | None: ...


#: Files by table, None for a table that is none.
Tables = Mapping[str, "Files | None"]
#: What formats are called.
KINDS = {"csv": "CSV", "ndjson": "NDJSON", "excel": "Excel", "parquet": "Parquet", "ipc": "Arrow"}


def _nothing(option: Option, why: str, remedy: Text = "leave it out") -> ConfigError:
    return ConfigError((option, f" finds nothing to act on: {why}"), remedy=remedy)


def _unknown(options: Options, *, has_customers: bool) -> None:
    unknown = options.policies.unknown
    if not has_customers and unknown != "add":
        raise ConfigError(
            (Option("unknown", unknown), " needs a customers table"),
            remedy=("pass ", Option("customers"), " to say who is known"),
        )


def _refunds(options: Options, *, has_customers: bool) -> None:  # noqa: ARG001
    refunds = options.policies.refunds
    if refunds != "net" and options.columns.amount is None:
        raise _nothing(
            Option("refunds", refunds),
            "without amounts, no order is a refund",
            ("leave it out, or name the amounts with ", Option("Columns.amount")),
        )


def _amount_per(options: Options, *, has_customers: bool) -> None:  # noqa: ARG001
    columns = options.columns
    if options.policies.amount_per == "order" and None in (columns.order, columns.amount):
        raise ConfigError(
            (Option("amount_per", "order"), " needs a column of amounts and one of order ids"),
            remedy=("name both: ", Option("Columns.order"), " and ", Option("Columns.amount")),
        )


def _spill_directory(options: Options, *, has_customers: bool) -> None:  # noqa: ARG001
    _ = options.spill  # which asks for the limit


def _read(options: Options, tables: Tables) -> None:
    """Refuse a description of files where no file is of its format, or none has a column of it."""
    read = options.read
    kind = DESCRIBED.get(type(read))
    if kind is None:
        return
    described = [files for files in tables.values() if files is not None and files.kind == kind]
    name = type(read).__name__
    if not described:
        there = " and ".join(
            f"{table} are {'in memory' if files is None else KINDS[files.kind]}"
            for table, files in tables.items()
        )
        raise _nothing(Option("read", Code(f"{name}()")), there)
    for column in getattr(read, "types", ()):
        if not any(column in files.names for files in described):
            raise _nothing(
                Option(f"{name}.types", {column: read.types[column]}),
                f"no file has a column {column!r}",
                "look at its name, or leave it out",
            )


def _filesystem(options: Options, tables: Tables) -> None:
    if options.filesystem is not None and not any(
        files is not None and files.are_placed for files in tables.values()
    ):
        raise _nothing(
            Option("filesystem"),
            f"{' and '.join(tables)} are no paths",
            "pass the paths of files in it, or leave it out",
        )


WHEN_OPEN = "is compared with the tables when these are open"
#: Why an option is never in vain: what it says is of all rows, or of the work.
OF_ALL_ROWS, OF_THE_WORK = "says what rows mean", "says how the work is done"
#: Options by what is known once they are all given: what refuses them, or why nothing has to.
GIVEN: dict[str, Callable[..., None] | str] = {
    "columns": "may be shared by builds with and without a customers table",
    "read": WHEN_OPEN,
    "filesystem": WHEN_OPEN,
    "timezone": "is compared with the times when these are known",
    "times_without_zone": "also says that something is known",
    "refunds": _refunds,
    "anonymous": OF_ALL_ROWS,
    "unknown": _unknown,
    "only": OF_ALL_ROWS,
    "nobody": "may be ids that come on other days",
    "same_day": OF_ALL_ROWS,
    "amount_per": _amount_per,
    "duplicates": OF_ALL_ROWS,
    "threads": OF_THE_WORK,
    "memory_limit": OF_THE_WORK,
    "spill_directory": _spill_directory,
    "progress": OF_THE_WORK,
}
#: Those that say which tables there are and how these are read, once it is known what they are.
OPEN: dict[str, Callable[[Options, Tables], None]] = {
    "read": _read,
    "filesystem": _filesystem,
}


def check_options_act(options: Options, *, has_customers: bool) -> None:
    """Refuse, or warn of, options that find nothing to act on whatever the rows are.

    Raises
    ------
    ConfigError
        Where an option needs another one, or a table that is not there.
    """
    for check in GIVEN.values():
        if not isinstance(check, str):
            check(options, has_customers=has_customers)


def check_tables_need(options: Options, tables: Tables, *, are_appended: bool = False) -> None:
    """Refuse, or warn of, what is said of tables or files that are not there.

    are_appended: whether columns are those of a history, whose customers came before.

    Raises
    ------
    ConfigError
        Where no table is a file of the format that is described, has a column that is named, or
        is found by a path.
    """
    for name, check in OPEN.items():
        if name != "columns" or not are_appended:
            check(options, tables)
