"""Streams in TOML files: a table [streams.NAME] each, beside the features and rules over them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ordercycle._cli.errors import OneLineError, flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from ordercycle._cli.progress import Watch
    from ordercycle._errors import Option

#: The table of streams in a file.
STREAMS = "streams"
#: What a stream is, by its key `kind`.
EVENTS, ORDERS = "events", "orders"
#: What a table says of a folder that is a saved history.
OF_SAVED = ("path", "lookups")
#: Options of commands that say how much of the machine building may use.
OF_MACHINE = ("threads", "memory_limit", "spill_directory")
#: Where a command keeps that a limit of memory was given and nothing built yet.
UNUSED_LIMIT = "ordercycle.unused_limit"
#: Arguments that are flags of the commands that read such files.
OF_COMMAND = ("missing",)


@contextmanager
def found_in(path: Path, *keys: str) -> Iterator[None]:
    """Say of every error in the block in which file it was found, and under which keys."""
    from ordercycle._errors import OrdercycleError, rendered

    where = f"{path}: [{'.'.join(keys)}]" if keys else path
    try:
        yield
    except OrdercycleError as error:
        raise OneLineError(f"{where}: {rendered(error, _as_written)}") from None


def _as_written(option: Option) -> str:
    """Return how a file gives an argument of the library."""
    from ordercycle._errors import NOT_GIVEN

    if option.name in OF_COMMAND:
        return flag(option)
    name = option.name.rpartition(".")[2]
    if option.value is NOT_GIVEN:
        return f"[{STREAMS}.NAME]" if name == STREAMS else repr(name)
    value = list(option.value) if isinstance(option.value, tuple) else option.value
    return f"{name} = {value!r}"


@dataclass(frozen=True)
class StreamTable:
    """A stream as a file describes it; its paths are relative to the folder of the file."""

    file: Path
    name: str
    given: Mapping[str, Any]

    @classmethod
    def all_of(cls, file: Path, given: Any) -> dict[str, StreamTable]:
        """Return the streams of a file by name, their keys checked.

        Raises
        ------
        OneLineError
            Where a table or a key is none that a stream has.
        """
        from ordercycle._errors import ConfigError

        with found_in(file):
            if not isinstance(given, Mapping):
                raise ConfigError(f"{STREAMS!r} is no table", remedy=f"write [{STREAMS}.NAME]")
        found = {}
        for name, table in given.items():
            with found_in(file, STREAMS, name):
                if not isinstance(table, Mapping):
                    raise ConfigError("is no table", remedy=f"write [{STREAMS}.{name}]")
            found[name] = cls(file, name, table)
            with found_in(file, STREAMS, name):
                found[name].check()
        return found

    def check(self) -> None:
        """Raise a ConfigError for a key that there is not, or a value that it cannot have."""
        from ordercycle._errors import ConfigError, check_choice
        from ordercycle._event_columns import EventColumns
        from ordercycle._history.options import refuse_unknown
        from ordercycle._history.source_options import KEYS

        check_choice("kind", self.kind, (EVENTS, ORDERS))
        known = (*KEYS, "customers", "lookups") if self.kind == ORDERS else _keys_of_events()
        refuse_unknown(self.given, ("path", "kind", *known), "key")
        self._paths("path", self.given.get("path"))
        for name in ("columns", "lookups", "read"):
            if not isinstance(self.given.get(name, {}), Mapping):
                raise ConfigError(f"{name!r} is no table", remedy=f"write {name} = {{ ... }}")
        for attribute, path in self.given.get("lookups", {}).items():
            self._paths(f"lookups.{attribute}", path)
        if self.kind == EVENTS:
            columns = self.given.get("columns", {})
            refuse_unknown(columns, [one.name for one in fields(EventColumns)], "column")

    @property
    def kind(self) -> Any:
        """What it is a stream of."""
        return self.given.get("kind", EVENTS)

    def _paths(self, key: str, given: Any) -> Any:
        """Return where files are, seen from here."""
        from ordercycle._errors import ConfigError

        several = given if isinstance(given, list) else [given]
        if not several or not all(isinstance(one, str) and one for one in several):
            raise ConfigError(
                f"{key!r} names no file", remedy=f'write {key} = "lines.parquet", or a list'
            )
        paths = [one if "://" in one else str(self.file.parent / one) for one in several]
        return paths if isinstance(given, list) else paths[0]

    def opened(self, watch: Watch, machine: Mapping[str, Any]) -> Any:
        """Return the history: opened where it is a saved one, else built of its files.

        machine: those options of the command that say how much of the machine building may use.

        Raises
        ------
        OneLineError
            Where it cannot be, with the file and the stream.
        """
        with found_in(self.file, STREAMS, self.name):
            path = self._paths("path", self.given["path"])
            saved = self._saved(path)
            return self._built(path, watch, machine) if saved is None else saved

    def _saved(self, path: Any) -> Any:
        """Return a saved history; None where the path is no folder of one."""
        import ordercycle as oc
        from ordercycle._errors import ConfigError
        from ordercycle._history.manifest import MANIFEST, kind_in

        if not isinstance(path, str) or not (Path(path) / MANIFEST).is_file():
            return None
        for name in self.given:
            if name not in OF_SAVED:
                raise ConfigError(
                    f"{name!r} means nothing for {path}, which holds a saved history",
                    remedy="leave it out: the history has its own",
                )
        kind = kind_in(Path(path))
        opens = oc.OrderHistory if kind and kind.opened_by == "OrderHistory" else oc.EventHistory
        history: Any = opens.open(path)
        lookups = self._lookups()
        return history.with_lookups(lookups) if lookups else history

    def _lookups(self) -> dict[str, pa.Table]:
        return {
            name: table_of(self._paths(f"lookups.{name}", path), f"the lookup of {name}")
            for name, path in self.given.get("lookups", {}).items()
        }

    def _built(self, path: Any, watch: Watch, machine: Mapping[str, Any]) -> Any:
        import ordercycle as oc
        from ordercycle._history.source_options import read_from_dict, source_from_dict

        context = click.get_current_context(silent=True)
        if context is not None:
            context.meta.pop(UNUSED_LIMIT, None)

        def report(done: int, total: int | None, stage: str) -> None:
            watch.report(done, total, f"{stage} {self.name}")

        options = {name: one for name, one in self.given.items() if name not in ("path", "kind")}
        if self.kind == ORDERS:
            customers = options.pop("customers", None)
            if customers is not None:
                customers = self._paths("customers", customers)
            lookups = {"lookups": self._lookups()} if options.pop("lookups", None) else {}
            options = {"source": source_from_dict(options), **lookups, **machine}
            return oc.OrderHistory.build(path, customers, **options, progress=report)
        options["columns"] = oc.EventColumns(**options.get("columns", {}))
        if "lookups" in options:
            options["lookups"] = self._lookups()
        if "read" in options:
            options["read"] = read_from_dict(options["read"])
        return oc.EventHistory.build(path, **options, **machine, progress=report)

    def as_data(self) -> dict[str, Any]:
        """Return the table with paths that are found from every folder."""
        made = dict(self.given)
        for name in ("path", "customers"):
            if name in made:
                made[name] = absolute(self._paths(name, made[name]))
        if "lookups" in made:
            made["lookups"] = {
                name: absolute(self._paths(f"lookups.{name}", path))
                for name, path in made["lookups"].items()
            }
        return made


def table_of(path: Any, what: str) -> pa.Table:
    """Return what files hold, in memory."""
    import pyarrow as pa

    from ordercycle._sources.opening import open_all

    source = open_all(path, what, lambda _: "other", threads=1)
    try:
        return pa.Table.from_batches(list(source.batches), schema=source.schema)
    finally:
        source.close()


def absolute(path: Any) -> Any:
    """Return a path, or a list of them, of whatever folder; URIs as they are."""
    if isinstance(path, list):
        return [absolute(one) for one in path]
    return path if "://" in path else str(Path(path).absolute())


def _keys_of_events() -> tuple[str, ...]:
    from ordercycle._events.event_options import POLICIES

    return ("columns", "lookups", "read", "day_instants", *POLICIES)


missing_option = click.option(
    "--missing",
    type=click.Choice(("error", "empty")),
    default="error",
    show_default=True,
    help="What becomes of a text in a condition over orders or a stream that no value equals: a "
    "typo, or nothing that there is yet.",
)


def together(files: Iterable[Mapping[str, StreamTable]]) -> dict[str, StreamTable]:
    """Return the streams of several files.

    Raises
    ------
    click.UsageError
        Where two files describe streams of one name.
    """
    found: dict[str, StreamTable] = {}
    for tables in files:
        for name, table in tables.items():
            if name in found and found[name] != table:
                raise click.UsageError(
                    f"{found[name].file} and {table.file} both describe a stream {name!r}"
                )
            found[name] = table
    return found


def opened(
    tables: Mapping[str, StreamTable],
    wanted: Iterable[str],
    watch: Watch,
    there: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the streams that are wanted, as histories.

    there: those that the command has; options: of the command.

    Raises
    ------
    ConfigError
        Where no file describes one of them.
    """
    from ordercycle._errors import ConfigError, suggestion

    found: dict[str, Any] = {}
    given = options or {}
    machine = {name: given[name] for name in OF_MACHINE if given.get(name) is not None}
    known = {**(there or {}), **tables}
    for name in dict.fromkeys(wanted):
        if name not in known:
            raise ConfigError(
                f"there is no stream {name!r}{suggestion(name, known)}",
                remedy=f"describe it as [{STREAMS}.{name}] beside the rules",
            )
        found[name] = tables[name].opened(watch, machine) if name in tables else known[name]
    return found
