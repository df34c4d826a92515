"""Schemes in TOML files: read with Python's own reader, written as plainly as they are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ordercycle._cli.errors import OneLineError
from ordercycle._cli.stream_files import STREAMS, StreamTable, found_in
from ordercycle._cli.toml_files import read_toml
from ordercycle._durable import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ordercycle._segments.scheme import Scheme
    from ordercycle._segments.value.clv import Clv

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class SchemeFile(NamedTuple):
    """A scheme that a file describes, and the streams that it reads there."""

    scheme: Scheme
    streams: dict[str, StreamTable]


def read_scheme(path: Path) -> SchemeFile:
    """Return the scheme that a file describes.

    Raises
    ------
    OneLineError
        Where the file cannot be read, or describes no scheme.
    """
    from ordercycle._segments.registry import scheme_from_dict
    from ordercycle._segments.scheme import Scheme

    given = read_toml(path)
    streams = StreamTable.all_of(path, given.pop(STREAMS, {}))
    with found_in(path):
        scheme = scheme_from_dict(given)
    if not isinstance(scheme, Scheme):
        raise OneLineError(
            f"{path} has a model, {scheme.kind}, and no scheme with segments; pass it as --clv"
        )
    return SchemeFile(scheme, streams)


def read_model(path: Path, options: Mapping[str, Any]) -> Clv:
    """Return the model of value that a file describes, with options that replace its own.

    Raises
    ------
    OneLineError
        Where the file cannot be read, or describes no model of value.
    """
    from ordercycle._segments.fittable import with_options
    from ordercycle._segments.registry import scheme_from_dict
    from ordercycle._segments.value.clv import Clv

    given = read_toml(path)
    with found_in(path):
        model = scheme_from_dict(given)
    if not isinstance(model, Clv):
        raise OneLineError(f"{path} has a scheme, {model.kind}, and no model of value")
    return with_options(model, **options)


def write_scheme(path: Path, scheme: Scheme, streams: Mapping[str, StreamTable]) -> None:
    """Write the file that describes a scheme and its streams, whole or not at all."""
    given = scheme.to_dict()
    if scheme.reads_streams:
        named = {name: streams[name].as_data() for name in scheme.reads_streams}
        given[STREAMS] = named
    write_toml(path, given)


def write_toml(path: Path, given: Mapping[str, Any]) -> None:
    """Write a file of plain values, whole or not at all."""
    with replacing(path) as stream:
        stream.write(toml_of(given).encode())


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
