"""What an attribution is made of: its options, checked where they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, cast

from ordercycle._attribution.durations import duration_of, duration_text, in_microseconds
from ordercycle._attribution.option_checks import (
    DEFAULT_GROUPS,
    GROUP,
    LAST,
    TOUCH,
    Groups,
    Name,
    check_flags,
    check_model,
    checked_bursts,
    checked_groups,
    checked_most,
    checked_names,
    checked_windows,
)
from ordercycle._errors import ConfigError, Option
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._history.grouped import WITH_PATHS


@dataclass(frozen=True, kw_only=True)
class AttributionOptions:
    """The options of an attribution; durations may be given as text, and are timedeltas then."""

    model: str = LAST
    window: str | timedelta = "5d"
    windows: Mapping[Name, str | timedelta] = field(
        default_factory=lambda: {("SMS", "delivery"): "12h"}
    )
    qualify: tuple[Name, ...] = ("click", ("SMS", "delivery"))
    groups: Groups = field(default_factory=lambda: dict(DEFAULT_GROUPS))
    compete: str = GROUP
    exclude: str | None = None
    bursts: tuple[tuple[int, str | timedelta], ...] = ()
    brand: str | None = None
    clock: str = TOUCH
    reuse: bool = True
    tiers: tuple[Name, ...] = ()
    half_life: str | timedelta = "7d"
    most_touches: int = 64
    strict: bool = False

    def __post_init__(self) -> None:
        check_model(self.model, self.compete, self.clock)
        tiers = checked_names("tiers", self.tiers)
        check_flags(reuse=self.reuse, strict=self.strict, model=self.model, tiers=tiers)
        checked: dict[str, Any] = {
            "window": duration_of(self.window, Option("Attribution.window", self.window)),
            "windows": checked_windows(self.windows),
            "qualify": checked_names("qualify", self.qualify, least=1),
            "groups": checked_groups(self.groups),
            "exclude": _checked_condition(self.exclude),
            "bursts": checked_bursts(self.bursts),
            "brand": _checked_brand(self.brand),
            "tiers": tiers,
            "half_life": duration_of(
                self.half_life, Option("Attribution.half_life", self.half_life)
            ),
            "most_touches": checked_most(self.most_touches),
        }
        if not checked["half_life"]:
            raise ConfigError(
                (Option("Attribution.half_life", self.half_life), " is no time at all"),
                remedy='pass a positive duration such as "7d"',
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def lengths(self) -> dict[object, timedelta]:
        """The windows by what they are of, None for all else."""
        lengths: dict[Any, Any] = {None: self.window, **self.windows}
        return lengths

    @property
    def halving(self) -> int:
        """The half-life in microseconds."""
        return in_microseconds(cast("timedelta", self.half_life))

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data, for metadata and JSON."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}


def _checked_condition(given: Any) -> str | None:
    """Return the condition over touches that do not count."""
    if given is None:
        return None
    text: Any = as_text(given)
    if not isinstance(text, str):
        raise ConfigError(
            (Option("Attribution.exclude", given), " is no condition"),
            remedy="pass text such as \"campaign.type == 'transactional'\"",
        )
    parsed(text, WITH_PATHS)
    return text


def _checked_brand(given: Any) -> str | None:
    if given is None or (isinstance(given, str) and given):
        return given
    raise ConfigError(
        (Option("Attribution.brand", given), " names no attribute"),
        remedy="pass the name of an attribute that both orders and touches have",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {_key(name): _plain(one) for name, one in value.items()}
    return value


def _key(name: Name) -> str:
    """Return a name as a key of JSON: of a channel and a kind, both."""
    return name if isinstance(name, str) else " ".join(name)
