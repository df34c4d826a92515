"""The schemes that there are, by the word that names each in a dict and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ordercycle._errors import ConfigError, suggestion, warn
from ordercycle._public import public
from ordercycle._segments.cadence import Cadence
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.rfm import Rfm
from ordercycle._segments.rules import Rules
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.value.clv import Clv
from ordercycle._segments.value.lists import ValueLists

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = TypeVar("Kind", bound=type[Scheme])

#: The group of entry points by which installed packages bring schemes.
GROUP = "ordercycle.schemes"

_KINDS: dict[str, type[Scheme]] = {
    kind.kind: kind for kind in (Lifecycle, Rfm, Cadence, ValueLists, Rules)
}
#: What is kept as schemes are, and has no segments.
_MODELS: dict[str, type[Fittable]] = {Clv.kind: Clv}
#: Names under which installed packages bring nothing that can be used, which was reported.
_UNUSABLE: set[str] = set()


@public()
def register_scheme(kind: Kind) -> Kind:
    """Bring a scheme of one's own to ``scheme_from_dict``, TOML files and the command line.

    It is a decorator too. A package brings its schemes without any call where it has entry points
    of the group ``ordercycle.schemes``, named as the schemes are:
    ``[project.entry-points."ordercycle.schemes"]`` and ``spenders = "my_shop:Spenders"`` in its
    ``pyproject.toml``; these are loaded when they are first needed.

    Parameters
    ----------
    kind
        A subclass of :class:`Scheme` with a `name`.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    ConfigError
        Where it is no such class, lacks what it declares, or its name is taken.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.compute as pc
    >>> @register_scheme
    ... class OnceOrMore(Scheme):
    ...     name = "once_or_more"
    ...     segments = ("Once", "More")
    ...     reads = ("orders",)
    ...
    ...     def decide(self, rows):
    ...         return pc.if_else(pc.greater(rows["orders"], 1), "More", "Once")
    >>> scheme = scheme_from_dict({"scheme": "once_or_more"})
    >>> scheme.assign(pa.table({"orders": [1, 7]}))["once_or_more"].to_pylist()
    ['Once', 'More']
    """
    _check(kind)
    there: type[Fittable] | None = _KINDS.get(kind.kind, _MODELS.get(kind.kind))
    if there is not None and there is not kind and not _is_written_again(there, kind):
        raise ConfigError(
            f"there is a scheme {kind.kind!r} already, {there.__module__}.{there.__qualname__}",
            remedy=f"give {kind.__qualname__} another name",
        )
    _KINDS[kind.kind] = kind
    return kind


@public()
def scheme_from_dict(given: Mapping[str, Any]) -> Any:
    """Return the scheme, or the model, that ``to_dict`` wrote, with what was fitted and its origin.

    Parameters
    ----------
    given
        Options by name, and under ``"scheme"`` which scheme they are of; what is not there has
        its default. From Python, JSON or TOML.

    Returns
    -------
    Scheme or Clv

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
            remedy=f"it needs 'scheme', one of {', '.join(map(repr, _names()))}",
        )
    name = given["scheme"]
    kind = _MODELS[name] if isinstance(name, str) and name in _MODELS else _kind_of(name)
    return kind.from_dict(given)


def scheme_kinds() -> dict[str, type[Scheme]]:
    """Return all schemes by name; what an installed package cannot bring is a warning."""
    for name in sorted(_installed().keys() - _UNUSABLE):
        try:
            _loaded(name)
        except ConfigError as error:
            _UNUSABLE.add(name)
            warn(str(error))
    return dict(_KINDS)


def _kind_of(name: object) -> type[Scheme]:
    if isinstance(name, str):
        if name in _KINDS:
            return _KINDS[name]
        if name in _installed():
            return _loaded(name)
    raise ConfigError(
        f"there is no scheme {name!r}{suggestion(str(name), _names())}",
        remedy=f"there are {', '.join(map(repr, _names()))}",
    )


def _names() -> list[str]:
    return list(dict.fromkeys([*_KINDS, *_MODELS, *_installed()]))


@cache
def _installed() -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of installed packages by name."""
    from importlib.metadata import entry_points

    found = entry_points(group=GROUP)
    return {name: tuple(found.select(name=name)) for name in sorted(found.names)}


def _loaded(name: str) -> type[Scheme]:
    """Return the scheme that an installed package has under a name, registered."""
    found = _installed()[name]
    places = sorted({one.value for one in found})
    if len(places) > 1:
        raise ConfigError(
            f"several packages have a scheme {name!r}: {', '.join(places)}",
            remedy="uninstall all but one",
        )
    whose = f"the scheme {name!r} of an installed package, {places[0]},"
    try:
        kind = found[0].load()
    except Exception as error:
        raise ConfigError(
            f"{whose} cannot be loaded: {type(error).__name__}: {error}",
            remedy="repair or uninstall the package",
        ) from error
    _check(kind)
    if kind.kind != name:
        raise ConfigError(
            f"{whose} is called {kind.kind!r}", remedy="name its entry point as it is called"
        )
    registered: type[Scheme] = register_scheme(kind)
    return registered


def _check(kind: object) -> None:
    """Raise a ConfigError for what is no class of schemes, or lacks what it declares."""
    if not isinstance(kind, type) or not issubclass(kind, Scheme):
        raise ConfigError(f"{kind!r} is no class of schemes", remedy="pass a subclass of Scheme")
    if not isinstance(kind.kind, str) or not kind.kind.strip():
        raise ConfigError(
            f"{kind.__qualname__} has no name", remedy='give its class one: name = "spenders"'
        )
    lacks = [
        what
        for what, is_there in {
            "segments": not kind.__abstractmethods__,
            "decide or assign": kind.decide is not Scheme.decide
            or kind.assign is not Scheme.assign,
            "fit": kind.fitted_to is None or kind.fit is not Scheme.fit,
            "is_fitted": kind.fitted_to != "profile" or kind.is_fitted is not Scheme.is_fitted,
            "next_transition": not kind.foretells
            or kind.next_transition is not Scheme.next_transition
            or kind._look_ahead is not Scheme._look_ahead,  # noqa: SLF001 - whether it is overridden
            "membership": kind.recalculates or kind.membership is not Scheme.membership,
        }.items()
        if not is_there
    ]
    if lacks:
        raise ConfigError(
            f"{kind.__qualname__} has no {lacks[0]} of its own, which what it declares calls for",
            remedy="add it, or declare something else: see Scheme",
        )


def _is_written_again(there: type, kind: type) -> bool:
    """Return whether a class is one of a notebook's, whose cell was run again."""
    names = {(one.__module__, one.__qualname__) for one in (there, kind)}
    return len(names) == 1 and kind.__module__ == "__main__"
