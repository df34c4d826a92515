"""The streams of a verb as users give them, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ordercycle._columns import Columns
from ordercycle._engines.partition_tasks import ORDERS
from ordercycle._engines.stream_plans import OF_TASKS, all_event_options, all_options
from ordercycle._errors import ConfigError, Option, suggestion

WHERE, COLUMNS, LOOKUPS, TIMEZONE = "where", "columns", "lookups", "timezone"


@dataclass(frozen=True)
class GivenStreams:
    """Streams other than the orders, by name, and the options of all.

    streams: frames or paths; columns, lookups: by stream, the orders among them; options: of the
    orders; stream_options: others of streams, by name.
    """

    streams: Mapping[str, Any]
    columns: Mapping[str, Any]
    lookups: Mapping[str, Any]
    timezone: str | None
    options: Mapping[str, Any]
    stream_options: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        streams: Any,
        columns: Any,
        timezone: str | None,
        options: Mapping[str, Any],
        stream_options: Any,
    ) -> GivenStreams:
        """Return streams and options as a verb has them.

        columns: by the names of streams, or those of the orders, as are then the lookups.

        Raises
        ------
        ConfigError
            Something is given for a stream that is not there.
        """
        there = {} if streams is None else streams
        if not isinstance(there, Mapping) or not all(isinstance(name, str) for name in there):
            raise ConfigError(
                (Option("streams", streams), " names no streams"),
                remedy='pass a dictionary such as {"lines": frame}',
            )
        if ORDERS in there:
            raise ConfigError(
                (Option("streams"), f": {ORDERS!r} are the orders of the verb itself"),
                remedy="give the stream another name",
            )
        others = dict(options)
        lookups = others.pop(LOOKUPS, None) or {}
        if not isinstance(columns, Mapping):
            columns = {} if columns is None else {ORDERS: columns}
            lookups = {ORDERS: lookups} if lookups else {}
        for name, given in (
            (COLUMNS, columns),
            (LOOKUPS, lookups),
            ("stream_options", stream_options or {}),
        ):
            _refuse_unknown(name, given, (ORDERS, *there))
        return cls(there, columns, lookups, timezone, others, stream_options or {})

    @classmethod
    def beside_rows(
        cls,
        streams: Mapping[str, Any] | None,
        columns: Mapping[str, Any] | None,
        lookups: Mapping[str, Any] | None,
        timezone: str | None,
        options: Mapping[str, Any],
        stream_options: Mapping[str, Mapping[str, Any]] | None,
    ) -> GivenStreams:
        """Return streams beside a frame of customers, of which nothing else has options."""
        for name in options:
            if name not in OF_TASKS:
                raise ConfigError(
                    f"there is no option {name!r}{suggestion(name, OF_TASKS)}",
                    remedy=("options of a stream are given by ", Option("stream_options")),
                )
        mine = dict(options) | ({} if lookups is None else {LOOKUPS: lookups})
        return cls.of(streams, columns or {}, timezone, mine, stream_options)

    @property
    def shared(self) -> dict[str, Any]:
        """The options that are about tasks."""
        return {name: self.options[name] for name in OF_TASKS if name in self.options}

    def of_orders(self) -> dict[str, Any]:
        """Return the options of the orders, checked."""
        given = dict(self.options)
        if ORDERS in self.lookups:
            given[LOOKUPS] = self.lookups[ORDERS]
        given |= self.stream_options.get(ORDERS, {})
        return all_options(self.columns.get(ORDERS), self.timezone, given)

    def of_stream(self, name: str) -> tuple[dict[str, Any], Any]:
        """Return the options of another stream, checked, and the condition of its view, if any."""
        given: dict[str, Any] = {} if self.timezone is None else {TIMEZONE: self.timezone}
        given |= self.shared
        for option, values in ((COLUMNS, self.columns), (LOOKUPS, self.lookups)):
            if name in values:
                given[option] = values[name]
        own = self.stream_options.get(name, {})
        if not isinstance(own, Mapping):
            raise ConfigError(
                (Option("stream_options"), f": those of {name!r} are no options by name"),
                remedy='pass a dictionary such as {"only": "status == \'sent\'"}',
            )
        given |= own
        condition = given.pop(WHERE, None)
        if isinstance(given.get(COLUMNS), Columns):
            columns = given.pop(COLUMNS)
            return all_options(columns, None, given), condition
        return all_event_options(given), condition


def _refuse_unknown(option: str, given: Any, names: tuple[str, ...]) -> None:
    if not isinstance(given, Mapping):
        raise ConfigError(
            (Option(option, given), " is given by the names of streams, and this is none"),
            remedy=f"pass a dictionary; there are {', '.join(map(repr, names))}",
        )
    for name in given:
        if name not in names:
            raise ConfigError(
                (Option(option), f": there is no stream {name!r}{suggestion(str(name), names)}"),
                remedy=f"there are {', '.join(map(repr, names))}",
            )
