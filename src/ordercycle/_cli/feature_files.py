"""Features and rules in a TOML file: columns that are added to profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ordercycle._cli.stream_files import STREAMS, StreamTable, found_in, opened
from ordercycle._cli.toml_files import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from ordercycle import Rules
    from ordercycle._cli.progress import Watch
    from ordercycle._features.language import Feature

#: What rules are called in the files of schemes.
RULES = "rules"


@dataclass(frozen=True)
class FeatureFile:
    """A file with [features], with or without [rules], and a [streams.NAME] for each stream."""

    path: Path
    features: Mapping[str, Feature]
    rules: Rules | None
    streams: Mapping[str, StreamTable]

    @classmethod
    def read(cls, path: Path) -> FeatureFile:
        """Read a file.

        Raises
        ------
        OneLineError
            Where it cannot be read, or has neither features nor rules, or a key that means nothing.
        """
        from ordercycle._errors import ConfigError
        from ordercycle._history.options import refuse_unknown
        from ordercycle._segments.customer_features import parsed_features
        from ordercycle._segments.registry import scheme_from_dict

        given = read_toml(path)
        streams = StreamTable.all_of(path, given.pop(STREAMS, {}))
        with found_in(path):
            if RULES in given:
                rules: Any = scheme_from_dict({"scheme": RULES, **given})
                if rules.kind != RULES:
                    raise ConfigError(f"there are no [rules] in a scheme {rules.kind!r}")
                return cls(path, {}, rules, streams)
            refuse_unknown(given, ("features", RULES, STREAMS), "key")
            if "features" not in given:
                raise ConfigError("there are no [features]", remedy="write them, or [rules]")
        with found_in(path, "features"):
            return cls(path, parsed_features(given["features"]), None, streams)

    @property
    def reads_streams(self) -> tuple[str, ...]:
        """The names of the streams that features are about."""
        if self.rules is not None:
            return self.rules.reads_streams
        return tuple(dict.fromkeys(one.stream for one in self.features.values()))

    @property
    def adds(self) -> tuple[str, ...]:
        """The columns that are added."""
        if self.rules is None:
            return tuple(self.features)
        return (*self.rules.features, self.rules.name)

    @property
    def reads_orders(self) -> bool:
        """Whether the orders of the command are a stream: the file describes none called so."""
        return "orders" in self.reads_streams and "orders" not in self.streams

    def assigning(
        self,
        as_of: date,
        missing: str,
        watch: Watch,
        there: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Callable[[pa.Table], pa.Table]:
        """Return what adds the columns to profiles as of a day.

        missing: as for conditions; there, options: streams and options of the command.
        """
        from ordercycle._segments.customer_features import StreamsAsOf
        from ordercycle._segments.scheme import assigning

        with found_in(self.path):
            streams = opened(self.streams, self.reads_streams, watch, there, options)
            source = StreamsAsOf.of(streams, as_of, missing)
            if self.rules is not None:
                assign = assigning(self.rules, source)
                return lambda table: assign(table, None)
            scans = source.scans(self.features)
        return lambda table: scans.added_to(table, threads=None)
