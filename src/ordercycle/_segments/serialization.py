"""Dicts of plain values, as TOML and JSON have them, back to schemes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ordercycle._errors import ConfigError, Option, suggestion


def options_of(
    given: Mapping[str, Any], scheme: type, known: tuple[str, ...], account: Any = None
) -> dict[str, Any]:
    """Return the options in a scheme's dict; a ConfigError names one that it has not.

    account: the class of what a scheme was fitted from, which has a ``from_dict``.
    """
    options = {name: value for name, value in given.items() if name != "scheme"}
    for name in options:
        if name not in known:
            raise ConfigError(
                f"a {scheme.__name__} has no option {name!r}{suggestion(str(name), known)}",
                remedy=f"it has {', '.join(map(repr, known))}",
            )
    if "account" in options:
        try:
            options["account"] = account.from_dict(options["account"])
            _ = options["account"].origin  # numbers that make no sense show here
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                (
                    Option("account", given["account"]),
                    f" is not what a fitted {scheme.__name__} writes ({error!r})",
                ),
                remedy="fit again, or take the dict of to_dict",
            ) from None
    return options


class FrozenDict(Mapping[str, Any]):
    """A dict that stays as it is, so that a frozen scheme may hold it; lists become tuples.

    Unlike those of a dict, its items have an order that tells it from others.
    """

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in items.items()
        }

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return list(self._items.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self._items))  # values may be anything until they are checked

    def __repr__(self) -> str:
        return repr(self._items)
