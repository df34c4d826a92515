"""What is fitted to customers and kept as data: the base of schemes and of models of value."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, printable, suggestion
from ordercycle._segments.counting_rounds import Round
from ordercycle._segments.scheme_options import (
    SchemeOption,
    frozen,
    parameters_of,
    plain,
    required_options,
)

F = TypeVar("F", bound="Fittable")


class Fittable(ABC):
    """Options, and what was fitted with them: frozen, equal where these are, and kept as data."""

    kind: ClassVar[str] = ""
    fitted_to: ClassVar[Literal["profile", "history"] | None] = None
    command_options: ClassVar[tuple[SchemeOption, ...]] = ()
    account: Any = None

    #: The class of the account, which has a ``from_dict``.
    _account_type: ClassVar[Any] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        name = vars(cls).get("name")
        if isinstance(name, str) and "kind" not in vars(cls):
            cls.kind = name

    @property
    def name(self) -> str:
        """The column that is added."""
        return self.kind

    @property
    def reads(self) -> tuple[str, ...] | None:
        """The profile columns that it reads, which have to be there; None: any."""
        return None

    @property
    def is_fitted(self) -> bool:
        """Whether it can be assigned; what has to be fitted first overrides it."""
        return True

    def fit(self, *sources: Any, **options: Any) -> Self:  # noqa: ARG002 - of those with a fit
        """Return this with the numbers of a profile, or of a history; see its own class.

        Whoever overrides it returns a new one, keeps what was fitted in options of its constructor,
        and says `fitted_to` and `is_fitted`.

        Raises
        ------
        ConfigError
            Where there is nothing to fit.
        """
        raise ConfigError(f"{self!r} has nothing to fit", remedy="assign it as it is")

    @abstractmethod
    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Return a profile with the columns that are made of it."""

    def to_dict(self) -> dict[str, Any]:
        """Return text, numbers, booleans, lists and dicts of these, with ``scheme``: the kind.

        Raises
        ------
        ConfigError
            Where an option is nothing of the kind; a class with such options overrides this
            method and :meth:`from_dict`.
        """
        made: dict[str, Any] = {"scheme": self.kind}
        for parameter in parameters_of(type(self)):
            name = parameter.name
            if not hasattr(self, name):
                raise ConfigError(
                    f"{type(self).__name__} does not keep its option {name!r} under this name",
                    remedy="keep it, or override to_dict and from_dict",
                )
            value = getattr(self, name)
            if value is None and parameter.default is None:
                continue  # as TOML has no null
            made[name] = plain(value, f"{name} of {type(self).__name__}")
        return made

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return what ``to_dict`` wrote; lists become tuples.

        Raises
        ------
        ConfigError
            Where there is no option of a name, one is missing, or a value makes no sense.
        """
        options = {name: frozen(value) for name, value in given.items() if name != "scheme"}
        known = [parameter.name for parameter in parameters_of(cls)]
        for name in options:
            if name not in known:
                raise ConfigError(
                    f"{cls.__name__} has no option {name!r}{suggestion(str(name), known)}",
                    remedy=f"it has {', '.join(map(repr, known)) or 'none'}",
                )
        missing = [name for name in required_options(cls) if name not in options]
        if missing:
            raise ConfigError(f"{cls.__name__} needs the option {missing[0]!r}")
        if cls._account_type is not None and "account" in options:
            options["account"] = cls._account_of(given["account"])
        return cls(**options)

    @classmethod
    def _account_of(cls, given: Any) -> Any:
        try:
            account = cls._account_type.from_dict(given)
            _ = account.origin  # numbers that make no sense show here
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                (
                    Option("account", given),
                    f" is not what a fitted {cls.__name__} writes ({error!r})",
                ),
                remedy="fit again, or take the dict of to_dict",
            ) from None
        return account

    def _first_round(self) -> Round[pa.Table, Self] | None:
        """Return a fit to a profile as rounds of counting; None: it takes the whole profile."""
        return None

    def _options(self) -> list[tuple[str, Any]]:
        """Return the options that are shown, with their values."""
        names = [parameter.name for parameter in parameters_of(type(self))]
        return [(name, getattr(self, name)) for name in names if hasattr(self, name)]

    def _shown(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in self._options() if name != "account"]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._shown())
        origin = "" if self.account is None else f"; {self.account.origin}"
        return printable(f"{type(self).__name__}({shown}{origin})")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(printable(str(value)))}</td></tr>"
            for name, value in self._shown()
        )
        account = "" if self.account is None else html.escape(str(self.account))
        return (
            f"<b>{type(self).__name__}</b><table>{rows}</table>"
            f"<div>{account.replace(chr(10), '<br>')}</div>"
        )

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Fittable):
            return NotImplemented
        return self._options() == other._options()

    def __hash__(self) -> int:
        return hash((type(self), self.kind))


def first_round(fittable: Fittable) -> Round[pa.Table, Any] | None:
    """Return a fit to a profile as rounds, for any engine; None: it takes all of it."""
    return fittable._first_round()  # noqa: SLF001 - for subclasses to override, not to call


def with_options(fittable: F, **options: Any) -> F:
    """Return one in which some options have other values."""
    names = [parameter.name for parameter in parameters_of(type(fittable))]
    return type(fittable)(**{name: getattr(fittable, name) for name in names} | options)
