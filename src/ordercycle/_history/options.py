"""How a history is built: the options of OrderHistory.build, declared and checked once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self, TypedDict, TypeVar

import pyarrow.compute as pc

from ordercycle._columns import Columns, customer_of_listing
from ordercycle._errors import Code, ConfigError, Option, Text, suggestion
from ordercycle._ingest.spill import Spill
from ordercycle._policies import Policies
from ordercycle._sources.file_formats import FileFormat, check_read
from ordercycle._sources.file_names import DESCRIBED
from ordercycle._sources.locations import store_of
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.row_source import Files
from ordercycle._workspace import thread_count

Progress = Callable[[int, int | None, str], object]
Built = TypeVar("Built", bound=Callable[..., Any])


class BuildArguments(TypedDict, total=False):
    """The options of OrderHistory.build, for type checkers; BuildOptions declares them."""

    source: Any
    columns: Columns
    lookups: Mapping[str, Any] | None
    day_instants: bool
    read: FileFormat | None
    filesystem: Any
    timezone: str
    times_without_zone: str | None
    refunds: str
    anonymous: str
    unknown: str
    only: str | pc.Expression | None
    nobody: Iterable[str | int]
    same_day: str
    amount_per: str
    duplicates: str
    threads: int | None
    memory_limit: int | str | None
    spill_directory: str | os.PathLike[str] | None
    progress: Progress | None


_OF_READING = {"of_reading": True}


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What to read, what it means, and with how much of the machine."""

    columns: Columns = field(default_factory=Columns)
    lookups: Mapping[str, Any] = field(default_factory=dict)
    day_instants: bool = False
    read: FileFormat | None = field(default=None, metadata=_OF_READING)  # files of both tables
    filesystem: Any = field(default=None, metadata=_OF_READING)  # where paths of both lead
    policies: Policies = field(default_factory=Policies)
    threads: int | None = None
    memory_limit: int | str | None = None
    spill_directory: str | os.PathLike[str] | None = None
    progress: Progress | None = field(default=None, metadata={"of_one_machine": True})
    #: Whether the time zone is said, rather than the usual one.
    zone_is_given: bool = field(default=False, metadata={"is_no_option": True})

    def __post_init__(self) -> None:
        if not isinstance(self.columns, Columns):
            raise ConfigError(
                (Option("columns", self.columns), " names no columns"),
                remedy=("pass ordercycle.", Option("Columns.customer"), " with the names of yours"),
            )
        check_read(self.read)
        if self.filesystem is not None:
            store_of(self.filesystem)
        if self.progress is not None and not callable(self.progress):
            raise ConfigError(
                (Option("progress", self.progress), " cannot be called"),
                remedy="pass a function of done, total and stage",
            )
        thread_count(self.threads)

    @classmethod
    def of(cls, given: Mapping[str, Any], *, has_customers: bool = True) -> Self:
        """Return the options of OrderHistory.build, checked; those not given have their defaults.

        Raises
        ------
        ConfigError
            Where there is no such option, or it is not one of its choices, or two contradict.
        """
        given = with_source(given)
        refuse_unknown(given, OPTIONS, "option")
        own = {name: value for name, value in given.items() if name not in POLICIES}
        for name in ("columns", "lookups"):
            if own.get(name, own) is None:
                del own[name]
        policies = Policies(**{name: given[name] for name in POLICIES if name in given})
        zone_is_given = given.get("timezone") is not None
        made = cls(**own, policies=policies, zone_is_given=zone_is_given)
        check_options_act(made, has_customers=has_customers)
        return made

    @property
    def spill(self) -> Spill | None:
        """What to do past the memory limit; None without one."""
        return Spill.of(self.memory_limit, self.spill_directory)

    @property
    def most_threads(self) -> int:
        """How many threads to use."""
        number, spill = thread_count(self.threads), self.spill
        return number if spill is None else min(number, spill.most_threads)

    @property
    def orders_request(self) -> ReadRequest:
        """What is read of the orders, customer ids first."""
        columns, policies = self.columns, self.policies
        roles: dict[str, Role] = {columns.customer: "customer", columns.time: "time"}
        if columns.amount is not None:
            roles[columns.amount] = "amount"
        if columns.order is not None:
            roles[columns.order] = "order"
        roles |= dict.fromkeys(columns.attributes, "other")
        roles |= dict.fromkeys(columns.values, "amount")
        if columns.refund_of is not None:
            roles[columns.refund_of] = "order"
        return ReadRequest(
            "orders",
            roles,
            self.read,
            self.filesystem,
            policies.only,
            compared=policies.duplicates != "keep",
            times=policies.times,
            as_codes=True,
        )

    @property
    def customers_request(self) -> ReadRequest:
        """What is read of the customers table, customer ids first."""
        columns = self.columns
        roles: dict[str, Role] = {customer_of_listing(columns): "customer"}
        if columns.registered is not None:
            roles[columns.registered] = "registered"
        return ReadRequest(
            "customers", roles, self.read, self.filesystem, times=self.policies.times
        )


#: The options that are policies, and all of them, in the order of the documentation.
POLICIES = tuple(one.name for one in fields(Policies))
OPTIONS = tuple(
    name
    for one in fields(BuildOptions)
    if "is_no_option" not in one.metadata
    for name in (POLICIES if one.name == "policies" else (one.name,))
)
_DECLARED = {one.name: one.metadata for kind in (BuildOptions, Policies) for one in fields(kind)}
#: Those that matter until the rows are read, and those that clusters take.
OF_READING = tuple(name for name in OPTIONS if _DECLARED[name].get("of_reading"))
OF_CLUSTERS = tuple(name for name in OPTIONS if not _DECLARED[name].get("of_one_machine"))


def with_source(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of their source, which come after what is given beside it.

    Raises
    ------
    ConfigError
        Where the source is nothing that ``source_from_dict`` made.
    """
    options = dict(given)
    source = options.pop("source", None)
    if source is None:
        return options
    if not isinstance(getattr(source, "given", None), Mapping):
        raise ConfigError(
            (Option("source", source), " describes no source"),
            remedy="pass ordercycle.source_from_dict(...)",
        )
    return dict(source.given) | options


def refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise a ConfigError for a name that is none of those known."""
    known = tuple(known)
    for name in given:
        if name not in known:
            raise ConfigError(
                f"there is no {what} {name!r}{suggestion(name, known)}",
                remedy=f"there are {', '.join(known)}",
            )


def with_options(build: Built) -> Built:
    """Show the declared options, with their defaults, in the signature of a function."""
    shown = inspect.signature(build)
    defaults = {
        one.name: None if one.default is MISSING else one.default
        for kind in (BuildOptions, Policies)
        for one in fields(kind)
    }
    arguments = [one for one in shown.parameters.values() if one.kind is not one.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name))
        for name in ("source", *OPTIONS)
    ]
    build.__signature__ = shown.replace(parameters=[*arguments, *options])  # type: ignore[attr-defined]
    return build


class RowProgress:
    """Adds up rows and passes them on to the caller's progress function."""

    def __init__(self, progress: Progress | None, stage: str, total: int | None) -> None:
        self._progress = progress
        self._stage = stage
        self._total = total
        self._done = 0

    def __call__(self, rows: int) -> None:
        """Count some more rows."""
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total, self._stage)


#: Files by table, None for a table that is none.
Tables = Mapping[str, "Files | None"]
#: What formats are called.
KINDS = {"csv": "CSV", "ndjson": "NDJSON", "excel": "Excel", "parquet": "Parquet", "ipc": "Arrow"}


def _nothing(option: Option, why: str, remedy: Text = "leave it out") -> ConfigError:
    return ConfigError((option, f" finds nothing to act on: {why}"), remedy=remedy)


def _unknown(options: BuildOptions, *, has_customers: bool) -> None:
    unknown = options.policies.unknown
    if not has_customers and unknown != "add":
        raise ConfigError(
            (Option("unknown", unknown), " needs a customers table"),
            remedy=("pass ", Option("customers"), " to say who is known"),
        )


def _refunds(options: BuildOptions, *, has_customers: bool) -> None:  # noqa: ARG001
    refunds = options.policies.refunds
    if refunds != "net" and options.columns.amount is None:
        raise _nothing(
            Option("refunds", refunds),
            "without amounts, no order is a refund",
            ("leave it out, or name the amounts with ", Option("Columns.amount")),
        )


def _amount_per(options: BuildOptions, *, has_customers: bool) -> None:  # noqa: ARG001
    columns = options.columns
    if options.policies.amount_per == "order" and None in (columns.order, columns.amount):
        raise ConfigError(
            (Option("amount_per", "order"), " needs a column of amounts and one of order ids"),
            remedy=("name both: ", Option("Columns.order"), " and ", Option("Columns.amount")),
        )


def _lookups(options: BuildOptions, *, has_customers: bool) -> None:  # noqa: ARG001
    if options.lookups and not options.columns.attributes:
        raise _nothing(
            Option("lookups"),
            "orders have no attributes",
            ("leave it out, or name some with ", Option("Columns.attributes")),
        )


def _day_instants(options: BuildOptions, *, has_customers: bool) -> None:  # noqa: ARG001
    if options.day_instants and not options.columns.instants:
        raise _nothing(
            Option("day_instants", options.day_instants),
            "no instants are kept",
            ("leave it out, or pass ", Option("Columns.instants", value=True)),
        )


def _spill_directory(options: BuildOptions, *, has_customers: bool) -> None:  # noqa: ARG001
    _ = options.spill  # which asks for the limit


def _read(options: BuildOptions, tables: Tables) -> None:
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
    types: Mapping[str, Any] = getattr(read, "types", {})
    for column, kind_of_column in types.items():
        if not any(column in files.names for files in described):
            raise _nothing(
                Option(f"{name}.types", {column: kind_of_column}),
                f"no file has a column {column!r}",
                "look at its name, or leave it out",
            )


def _filesystem(options: BuildOptions, tables: Tables) -> None:
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
    "lookups": _lookups,
    "day_instants": _day_instants,
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
OPEN: dict[str, Callable[[BuildOptions, Tables], None]] = {
    "read": _read,
    "filesystem": _filesystem,
}


def check_options_act(options: BuildOptions, *, has_customers: bool) -> None:
    """Refuse, or warn of, options that find nothing to act on whatever the rows are.

    Raises
    ------
    ConfigError
        Where an option needs another one, or a table that is not there.
    """
    for check in GIVEN.values():
        if not isinstance(check, str):
            check(options, has_customers=has_customers)


def check_tables_need(options: BuildOptions, tables: Tables, *, are_appended: bool = False) -> None:
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
