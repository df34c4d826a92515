"""Schemes in TOML files: read with Python's own reader, written as plainly as they are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordercycle._cli.errors import OneLineError
from ordercycle._durable import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ordercycle._segments.scheme import Scheme

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_scheme(path: Path) -> Scheme:
    """Return the scheme that a file describes.

    Raises
    ------
    OneLineError
        Where the file cannot be read, or describes no scheme.
    """
    import tomllib

    from ordercycle._errors import ConfigError
    from ordercycle._segments.registry import scheme_from_dict

    try:
        with path.open("rb") as file:
            given = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OneLineError(f"{path} cannot be read as TOML: {error}") from None
    try:
        return scheme_from_dict(given)
    except ConfigError as error:
        raise OneLineError(f"{path}: {error}") from None


def write_scheme(path: Path, scheme: Scheme) -> None:
    """Write the file that describes a scheme, whole or not at all."""
    text = toml_of(scheme.to_dict())
    with replacing(path) as stream:
        stream.write(text.encode())


def toml_of(values: Mapping[str, Any]) -> str:
    """Return a dict of plain values, lists and dicts of these as TOML.

    Examples
    --------
    >>> print(toml_of({"scheme": "rules", "rules": {"VIP, gold": "revenue > 5"}}), end="")
    scheme = "rules"
    <BLANKLINE>
    [rules]
    "VIP, gold" = "revenue > 5"
    """
    return "\n".join(_lines(values, ())) + "\n"


def _lines(values: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    yield from (
        f"{_key(name)} = {_value(value)}" for name, value in values.items() if name not in tables
    )
    for name, table in tables.items():
        inner = (*place, name)
        yield f"\n[{'.'.join(map(_key, inner))}]"
        yield from _lines(table, inner)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)  # of integers and floats


def _text(text: str) -> str:
    # JSON leaves one character as it is that TOML does not take.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
