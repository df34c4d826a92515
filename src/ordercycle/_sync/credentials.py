"""Secrets: named, or asked for, when they are needed, and shown nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ordercycle._errors import ConfigError, Option
from ordercycle._public import public

HIDDEN = "***"


@public()
class Secret:
    """A token or key that is shown nowhere; made by :func:`env`, or of text or a callable.

    Examples
    --------
    >>> env("META_TOKEN")
    env('META_TOKEN')
    """

    def __init__(self, ask: Callable[[], object], name: str | None = None) -> None:
        self._ask = ask
        self._name = name

    def reveal(self) -> str:
        """Return the secret itself.

        Raises
        ------
        ConfigError
            There is none.
        """
        raised = None
        try:
            found = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever a caller's own function raises
            raised = type(error).__name__
        if raised is not None:
            # Outside of the handler: the error itself, which may hold the secret, is not kept.
            raise ConfigError(
                f"what was to return a secret raised {raised}",
                remedy="call it by itself to see why",
            )
        if isinstance(found, str) and found.strip() and found.isprintable() and found.isascii():
            return found.strip()
        if self._name is not None:
            raise ConfigError(
                f"the environment variable {self._name!r} holds no secret",
                remedy=f"set {self._name} to the token or key",
            )
        raise ConfigError(
            "a secret is no text, or an empty one", remedy="pass ordercycle.env of its variable"
        )

    def __repr__(self) -> str:
        return HIDDEN if self._name is None else f"env({self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._name is None:
            raise ConfigError(
                "a secret that is given as such is not written anywhere",
                remedy="pass ordercycle.env of its variable, which can be",
            )
        return (env, (self._name,))


@public()
def env(name: str) -> Secret:
    """Return the secret that an environment variable holds, which is read when it is needed.

    Parameters
    ----------
    name
        Of the variable.

    Raises
    ------
    ConfigError
        It is no name.

    Examples
    --------
    >>> env("MAILCHIMP_KEY")
    env('MAILCHIMP_KEY')
    """
    if not isinstance(name, str) or not name or "=" in name or not name.isprintable():
        # Not shown: it may be the secret itself.
        raise ConfigError(
            "this is no name of an environment variable", remedy="pass one, such as 'META_TOKEN'"
        )
    return Secret(lambda: os.environ.get(name), name)


def secret_of(option: str, given: Any) -> Secret:
    """Return a secret of what a user gives: itself, text, or a callable that returns it.

    Raises
    ------
    ConfigError
        It is something else.
    """
    if isinstance(given, Secret):
        return given
    if callable(given):
        return Secret(given)
    if isinstance(given, str) and given.strip():
        return Secret(lambda: given)
    raise ConfigError(
        (Option(option), " is no secret"),
        remedy=f"pass ordercycle.env of the variable that holds it, for {option}",
    )
