"""Dicts of plain values, as TOML and JSON have them, back to schemes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordercycle.errors import ConfigError, suggestion


def options_of(given: Mapping[str, Any], scheme: type, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the options in a scheme's dict; a ConfigError names one that it has not."""
    options = {name: value for name, value in given.items() if name != "scheme"}
    for name in options:
        if name not in known:
            raise ConfigError(
                f"a {scheme.__name__} has no option {name!r}{suggestion(str(name), known)}; "
                f"it has {', '.join(map(repr, known))}"
            )
    return options
