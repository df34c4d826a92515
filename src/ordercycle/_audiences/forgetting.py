"""People who want to be forgotten, removed from every list they were sent to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ordercycle._audiences.customer_sets import given_ids
from ordercycle._audiences.sending import keys_of
from ordercycle._durable import path_of
from ordercycle._errors import ConfigError, Option
from ordercycle._public import public
from ordercycle._sync import forgetting
from ordercycle._sync.connection import connection_of

if TYPE_CHECKING:
    from os import PathLike


@public()
def forget(ids: Any, *, connectors: Sequence[Any], state: str | PathLike[str]) -> dict[str, int]:
    """Remove customers from the vendors they were sent to, and from what is remembered of that.

    Meta removes them from all audiences of the account. Mailchimp deletes them from the list for
    good, which cannot be undone by its API. A sync that was interrupted is finished first. The next
    sync sends them again if they are still in the audience and the contacts: take them out there,
    or pass them to ``Contacts(suppress={"customers": ids})``.

    Parameters
    ----------
    ids
        The customers' ids: a list, NumPy or Arrow array.
    connectors
        All those that the state is of and that they were sent to.
    state
        The folder that :meth:`Audience.sync` keeps.

    Returns
    -------
    dict
        How many rows were removed, by audience.

    Raises
    ------
    ConfigError
        They were sent to a connector that is not given.
    StorageError
        The state is damaged, or in use.
    SyncError
        A vendor refuses, or does not answer: call again.

    Examples
    --------
    >>> forget(["ann"], connectors=[], state="lists")
    {}
    """
    if isinstance(ids, str | bytes):
        raise ConfigError((Option("ids"), " is one id"), remedy="pass a list of ids")
    keys = keys_of(given_ids(ids, "the ids"))
    connections = [connection_of(one) for one in connectors]
    return forgetting.forget(
        keys, {one.identity: one for one in connections}, path_of("state", state)
    )
