"""The options of schemes: parameters of constructors, plain values of dicts, flags of commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ordercycle._errors import ConfigError
from ordercycle._public import public


@public()
@dataclass(frozen=True, kw_only=True)
class SchemeOption:
    """An option of a scheme on the command line; its value goes to ``from_dict``.

    Attributes
    ----------
    name
        The option of the scheme; on the command line, ``big_revenue`` is ``--big-revenue``.
    help
        What ``--help`` says of it.
    type
        ``int``, ``float``, ``str`` or ``bool`` (a flag).
    least, most
        Bounds of a number, both allowed; None: none.
    choices
        The texts that are allowed; none: all.
    replaces
        Options that it stands for, and that cannot be given beside it.

    Examples
    --------
    >>> SchemeOption(name="big_revenue", type=float, least=0, help="who spent as much is big")
    SchemeOption(name='big_revenue', help='who spent as much is big', type=<class 'float'>, \
least=0, most=None, choices=(), replaces=())
    """

    name: str
    help: str = ""
    type: type[int | float | str | bool] = str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def required_options(kind: Callable[..., object]) -> list[str]:
    """Return the options of a kind of scheme that have no default."""
    return [one.name for one in parameters_of(kind) if one.default is inspect.Parameter.empty]


def parameters_of(kind: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the options of a kind of scheme: the named parameters of its constructor."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one for one in inspect.signature(kind).parameters.values() if one.kind not in several]


def plain(value: Any, what: str) -> Any:
    """Return a value as TOML and JSON have it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(one, what) for one in value]
    if isinstance(value, Mapping):
        return {str(name): plain(one, what) for name, one in value.items()}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    raise ConfigError(
        f"{what} is {value!r}, which TOML and JSON do not have",
        remedy="override to_dict and from_dict, or take text, numbers, booleans and lists",
    )


def frozen(value: Any) -> Any:
    """Return a value of a dict with tuples for lists, so that a frozen scheme may hold it."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value
