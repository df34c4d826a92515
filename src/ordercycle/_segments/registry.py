"""Every scheme by the word that names it in a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordercycle._errors import ConfigError, suggestion
from ordercycle._public import public
from ordercycle._segments.cadence import Cadence
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.rfm import Rfm
from ordercycle._segments.rules import Rules
from ordercycle._segments.scheme import Scheme

#: Each has a class method ``from_dict``.
SCHEMES: dict[str, Any] = {kind.name: kind for kind in (Lifecycle, Rfm, Cadence)}
SCHEMES["rules"] = Rules  # whose name is the column they add


@public()
def scheme_from_dict(given: Mapping[str, Any]) -> Scheme:
    """Return the scheme that ``to_dict`` wrote, fitted numbers and their origin included.

    Parameters
    ----------
    given
        Options by name, and under ``"scheme"`` which scheme they are of; what is not there has
        its default. From Python, JSON or TOML.

    Raises
    ------
    ConfigError
        Where there is no scheme or option of a name, or a value makes no sense.

    Examples
    --------
    >>> scheme_from_dict({"scheme": "lifecycle", "active_days": 60})
    Lifecycle(new_days=30, active_days=60, churned_days=255)
    """
    if not isinstance(given, Mapping) or "scheme" not in given:
        raise ConfigError(
            f"{given!r} does not name its scheme",
            remedy=f"it needs 'scheme', one of {', '.join(map(repr, SCHEMES))}",
        )
    name = given["scheme"]
    if not isinstance(name, str) or name not in SCHEMES:
        raise ConfigError(
            f"there is no scheme {name!r}{suggestion(str(name), SCHEMES)}",
            remedy=f"there are {', '.join(map(repr, SCHEMES))}",
        )
    made: Scheme = SCHEMES[name].from_dict(given)
    return made
