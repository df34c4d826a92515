"""People removed from everywhere: from what vendors have, and from what was remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._errors import ConfigError, Option
from ordercycle._sync.connection import Connection
from ordercycle._sync.sent_rows import TIE, are_texts, hashes_of, one_piece
from ordercycle._sync.state_folder import AudienceFolder, Saved
from ordercycle._sync.syncing import finish_or_drop


def forget(keys: pa.Table, connections: Mapping[str, Connection], state: Path) -> dict[str, int]:
    """Remove customers from all lists of a state; return how many rows, by audience.

    keys: their hashes and ties.
    """
    folders = AudienceFolder.all_in(state)
    _refuse_other_kind(folders, keys)
    for folder in folders:
        if folder.connector not in connections and _is_there(folder, keys):
            raise ConfigError(
                f"some of them were sent to {folder.connector!r}, which is no connector that was "
                "given",
                remedy=("add it to ", Option("connectors")),
            )
    removed: dict[str, int] = {}
    for folder in folders:
        connection = connections.get(folder.connector)
        if connection is None:
            continue
        connection.check(has_consent=True)
        with folder.locked():
            pending = folder.plan()
            if pending is not None:
                finish_or_drop(connection, folder, pending, connection.find(folder.audience))
            saved = folder.sent()
            if saved is None:
                continue
            theirs = _of(saved.table, keys)
            if theirs.any():
                connection.forget(saved.table.take(rows_of(np.flatnonzero(theirs))))
                kept = saved.table.take(rows_of(np.flatnonzero(~theirs)))
                folder.write_sent(kept, _facts(saved))
                removed[folder.audience] = removed.get(folder.audience, 0) + int(theirs.sum())
    return removed


def _refuse_other_kind(folders: Sequence[AudienceFolder], keys: pa.Table) -> None:
    """Raise where ids are integers and those of all lists are texts, or the other way round."""
    kinds = {
        are_texts(saved.table)
        for folder in folders
        for saved in _saved(folder)
        if saved.table.num_rows
    }
    if keys.num_rows and kinds and are_texts(keys) not in kinds:
        names = {True: "texts", False: "integers"}
        raise ConfigError(
            (Option("ids"), f" are {names[not kinds.pop()]}, which no list of the state has"),
            remedy="pass the ids in the type in which they were sent",
        )


def _saved(folder: AudienceFolder) -> list[Saved]:
    """Return what is remembered of a list, and what is on its way."""
    folder.check()
    return [saved for saved in (folder.sent(), folder.plan()) if saved is not None]


def _facts(saved: Saved) -> dict[str, object]:
    return {name: one for name, one in saved.facts.items() if name not in ("format", "version")}


def _is_there(folder: AudienceFolder, keys: pa.Table) -> bool:
    return any(_of(saved.table, keys).any() for saved in _saved(folder))


def _of(rows: pa.Table, keys: pa.Table) -> NDArray[np.bool_]:
    """Return which rows are of some customers."""
    wanted = set(zip(hashes_of(keys).tolist(), keys.column(TIE).to_pylist(), strict=True))
    hashes = hashes_of(rows)
    found: NDArray[np.bool_] = np.isin(hashes, hashes_of(keys))
    places = np.flatnonzero(found)
    ties = one_piece(rows, TIE).take(rows_of(places)).to_pylist()
    found[places] = [
        (one, tie) in wanted for one, tie in zip(hashes[places].tolist(), ties, strict=True)
    ]
    return found
