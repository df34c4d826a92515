"""Touches and visits on the command line, and the rules of an attribution in a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ordercycle._cli.errors import OneLineError
from ordercycle._cli.paths import refuse_store
from ordercycle._cli.stream_files import OF_MACHINE, STREAMS, StreamTable, found_in
from ordercycle._cli.toml_files import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from ordercycle import Attribution, EventHistory
    from ordercycle._cli.progress import Watch

#: The table of rules in a file, and the rules of a vendor among them.
ATTRIBUTION, PRESET = "attribution", "preset"
#: The streams that a file may describe; the first has to be there.
TOUCHES, VISITS = "touches", "visits"
#: What stands for all channels that no other group has.
ALL_OTHERS = "*"
#: Columns of a file that is not described further, where it has them, by what they are.
USUAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "attributes": ("kind", "channel", "campaign", "form", "machine"),
    "keys": ("message",),
}
USUAL_ID = "event_id"
NEEDED_COLUMNS = ("customer_id", "occurred_at", "kind", "channel")


class TouchFile(NamedTuple):
    """Touches, and where there are any visits, and what is said of an attribution beside them."""

    streams: Mapping[str, StreamTable]
    rules: Mapping[str, Any]

    @classmethod
    def read(cls, given: str) -> TouchFile:
        """Read a TOML file, or take touches as they are: a file, pattern, folder or saved history.

        Raises
        ------
        OneLineError
            The file cannot be read, describes no touches, or has a key that means nothing.
        """
        path = Path(given)
        if path.suffix.lower() != ".toml":
            return cls({TOUCHES: StreamTable(Path(TOUCHES), TOUCHES, _described(given))}, {})
        from ordercycle._errors import ConfigError
        from ordercycle._history.options import refuse_unknown

        data = read_toml(path)
        streams = StreamTable.all_of(path, data.pop(STREAMS, {}))
        with found_in(path):
            refuse_unknown(data, (ATTRIBUTION, STREAMS), "key")
            refuse_unknown(streams, (TOUCHES, VISITS), "stream")
            if TOUCHES not in streams:
                raise ConfigError("there are no touches", remedy=f"describe [{STREAMS}.{TOUCHES}]")
        rules = data.get(ATTRIBUTION, {})
        with found_in(path, ATTRIBUTION):
            if not isinstance(rules, Mapping):
                raise ConfigError("is no table", remedy=f"write [{ATTRIBUTION}]")
            made = cls(streams, _rules_of(rules))
            made.attribution({})
        return made

    def attribution(self, given: Mapping[str, Any]) -> Attribution:
        """Return the rules: those that are given, then those of the file, then of the preset."""
        from dataclasses import replace

        import ordercycle as oc

        rules = {**self.rules, **given}
        preset = rules.pop(PRESET, None)
        made = oc.Attribution() if preset is None else oc.Attribution.preset(preset)
        windows = rules.get("windows")
        if windows:  # of other kinds, those of the preset stay; an empty table takes all away
            rules["windows"] = {**made.windows, **windows}
        return replace(made, **rules)

    def opened(
        self, watch: Watch, options: Mapping[str, Any]
    ) -> tuple[EventHistory, EventHistory | None]:
        """Return touches, and visits where they are described; options: of the command."""
        machine = {name: options[name] for name in OF_MACHINE if options.get(name) is not None}
        found = {name: table.opened(watch, machine) for name, table in self.streams.items()}
        return found[TOUCHES], found.get(VISITS)


def _described(given: str) -> dict[str, Any]:
    """Return what a file would say of touches that have the usual columns.

    Raises
    ------
    OneLineError
        They have not.
    """
    from ordercycle._history.manifest import MANIFEST
    from ordercycle._sources.files import schema_of_first
    from ordercycle._sources.read_request import ReadRequest

    if (Path(given) / MANIFEST).is_file():
        return {"path": given}
    there = schema_of_first(given, ReadRequest("touches", {})).names
    absent = [name for name in NEEDED_COLUMNS if name not in there]
    if absent:
        raise OneLineError(
            f"--touches {given} has no column {', '.join(map(repr, absent))}; describe its columns "
            f"in a .toml file, under [{STREAMS}.{TOUCHES}]"
        )
    columns: dict[str, Any] = {
        field: [name for name in names if name in there] for field, names in USUAL_COLUMNS.items()
    }
    if USUAL_ID in there:
        columns["id"] = USUAL_ID
    return {"path": given, "columns": columns}


def _rules_of(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that rules in a file stand for.

    Raises
    ------
    ConfigError
        There is no such rule, or it is written as none.
    """
    from dataclasses import fields

    import ordercycle as oc
    from ordercycle._errors import ConfigError
    from ordercycle._history.options import refuse_unknown

    refuse_unknown(rules, (PRESET, *(one.name for one in fields(oc.Attribution))), "rule")
    made = dict(rules)
    for name in ("qualify", "tiers"):
        if name in made:
            several = [made[name]] if isinstance(made[name], str) else made[name]
            if not isinstance(several, list):
                raise ConfigError(
                    f"{name!r} names no touches", remedy=f'write {name} = ["click", "SMS:delivery"]'
                )
            made[name] = tuple(map(name_of, several))
    for name in ("windows", "groups"):
        if name in made and not isinstance(made[name], Mapping):
            raise ConfigError(f"{name!r} is no table", remedy=f"write [{ATTRIBUTION}.{name}]")
    if "windows" in made:
        made["windows"] = {name_of(name): one for name, one in made["windows"].items()}
    if "groups" in made:
        made["groups"] = {name: _channels(one) for name, one in made["groups"].items()}
    return made


def name_of(text: Any) -> Any:
    """Return a kind, or a channel and a kind, of a text such as ``SMS:delivery``."""
    if not isinstance(text, str) or ":" not in text:
        return text
    channel, _, kind = text.partition(":")
    return channel, kind


def _channels(given: Any) -> Any:
    return None if given == ALL_OTHERS else tuple(given) if isinstance(given, list) else given


def _named(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[Any, ...]:
    return tuple(map(name_of, given))


def _windows(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[Any, str]:
    """Return windows by what they are of; None: all else."""
    found: dict[Any, str] = {}
    for text in given:
        name, sign, window = text.rpartition("=")
        of = name_of(name) if sign else None
        if sign and not name:
            raise click.BadParameter(f"{text!r} names no touches, as in SMS:delivery=12h")
        if of in found:
            raise click.BadParameter(f"there are two windows of {name or 'all touches'!r}")
        found[of] = window
    return found


def _groups(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, tuple[str, ...] | None]:
    found: dict[str, tuple[str, ...] | None] = {}
    for text in given:
        name, sign, channels = text.partition("=")
        if not sign or not name or not channels:
            raise click.BadParameter(f"{text!r} names no channels, as in site=Popup,Embedded")
        if name in found:
            raise click.BadParameter(f"there are two groups {name!r}")
        several = tuple(one.strip() for one in channels.split(","))
        found[name] = None if channels == ALL_OTHERS else several
    return found


def _bursts(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    found = []
    for text in given:
        number, sign, duration = text.partition("=")
        if not sign or not number.isdecimal():
            raise click.BadParameter(f"{text!r} names no clicks and a time, as in 4=1s")
        found.append((int(number), duration))
    return tuple(found)


PRESETS = ("maestra", "klaviyo", "last_click")
MODELS = ("last_touch", "first_touch", "linear", "position", "time_decay")


def _description_on_disk(
    _ctx: click.Context, option: click.Parameter, value: str | None
) -> str | None:
    if value is not None and value.lower().endswith(".toml"):
        refuse_store(value, option, is_read=True)
    return value


def touches_option(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return ``--touches``."""
    return click.option(
        "--touches",
        required=required,
        callback=_description_on_disk,
        metavar="PATH",
        help="Deliveries, opens, clicks: files with customer_id, occurred_at, kind and channel, a "
        "saved history, or a .toml file with [streams.touches], and with [streams.visits] and "
        "[attribution] where there are any.",
    )


RULES = (
    click.option("--preset", type=click.Choice(PRESETS), help="The rules of a vendor."),
    click.option(
        "--model",
        type=click.Choice(MODELS),
        help="Who is credited. Default: last_touch.",
    ),
    click.option(
        "--window",
        multiple=True,
        callback=_windows,
        metavar="[NAME=]DURATION",
        help="How long after a touch an order may be credited to it, as 5d, click=30d or "
        "SMS:delivery=12h; may be given several times.",
    ),
    click.option(
        "--qualify",
        multiple=True,
        callback=_named,
        metavar="NAME",
        help="A kind of touches that may win, as click or SMS:delivery; may be given several "
        "times.",
    ),
    click.option(
        "--group",
        "groups",
        multiple=True,
        callback=_groups,
        metavar="NAME=CHANNELS",
        help="Channels that compete with each other, as site=Popup,Embedded; * for all others. "
        "May be given several times.",
    ),
    click.option(
        "--compete",
        type=click.Choice(("group", "all", "channel")),
        help="Who competes: the touches of a group, all, or those of a channel. Default: group.",
    ),
    click.option(
        "--exclude",
        metavar="CONDITION",
        help="Touches that do not count, as in \"machine or campaign.type == 'transactional'\".",
    ),
    click.option(
        "--burst",
        "bursts",
        multiple=True,
        callback=_bursts,
        metavar="N=DURATION",
        help="So many clicks of a customer within less than a duration, as 4=1s, are a machine's "
        "and do not count; may be given several times.",
    ),
    click.option(
        "--brand",
        metavar="COLUMN",
        help="An attribute of orders and touches: a touch wins orders of its brand only.",
    ),
    click.option(
        "--clock",
        type=click.Choice(("touch", "delivery")),
        help="When windows start. Default: touch.",
    ),
    click.option("--no-reuse", is_flag=True, help="A touch is credited with one order at most."),
    click.option(
        "--tier",
        "tiers",
        multiple=True,
        callback=_named,
        metavar="NAME",
        help="A kind of touches that comes before those named later; may be given several times.",
    ),
    click.option("--half-life", metavar="DURATION", help="Of time_decay. Default: 7d."),
    click.option(
        "--most-touches",
        type=click.IntRange(min=1),
        metavar="N",
        help="Of longer paths, the latest so many touches are credited. Default: 64.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="last_touch: nobody wins where the window of the latest touch is closed.",
    ),
)
RULE_NAMES = (
    PRESET,
    "model",
    "window",
    "qualify",
    "groups",
    "compete",
    "exclude",
    "bursts",
    "brand",
    "clock",
    "no_reuse",
    "tiers",
    "half_life",
    "most_touches",
    "strict",
)


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an attribution to a command, which gets them as keywords."""
    for option in reversed(RULES):
        command = option(command)
    return command


def rules_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of an attribution out, and return the arguments that were given."""
    given = {name: options.pop(name) for name in RULE_NAMES}
    given = {name: one for name, one in given.items() if one not in (None, (), {}, False)}
    if "window" in given:
        windows = dict(given.pop("window"))
        if None in windows:
            given["window"] = windows.pop(None)
        if windows:
            given["windows"] = windows
    if given.pop("no_reuse", False):
        given["reuse"] = False
    return given
