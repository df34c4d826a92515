"""TOML files: what streams, rules, schemes, journeys and sources are written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordercycle._cli.errors import OneLineError

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file holds.

    Raises
    ------
    OneLineError
        Where the file cannot be read.
    """
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OneLineError(f"{path} cannot be read as TOML: {error}") from None
    except OSError as error:
        raise OneLineError(f"{path} cannot be read: {error.strerror}") from None
