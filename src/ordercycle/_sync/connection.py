"""What a connector does for a sync, whichever vendor it speaks to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from ordercycle._errors import ConfigError
from ordercycle._public import public


@public("ordercycle.connect")
@dataclass(frozen=True)
class RemoteAudience:
    """A list as a vendor has it.

    Attributes
    ----------
    id, name : str
    is_value_based : bool
        Whether its members have values.
    """

    id: str
    name: str
    is_value_based: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: rows of it that the vendor did not take, counted from 0.

    rejected: said to be wrong; unknown: of nobody the vendor knows; invalid: how many were said to
    be wrong, without saying which; refused: whether the vendor refuses all of the batch.
    """

    rejected: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    invalid: int = 0
    refused: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows that are sent together.

    session: of all batches that are sent for one thing; sequence: of the batch in it, from 1;
    total: rows of the session; replaces: whether the session replaces what is there.
    """

    rows: pa.Table
    session: int
    sequence: int
    is_last: bool
    total: int
    batches: int
    replaces: bool = False
    is_expired: bool = False


@dataclass(frozen=True)
class Layout:
    """The columns of rows that a vendor is sent.

    identifiers: what people are found by, and removed by; details: what else is sent of them, by
    the role that contacts have it in; texts: whether these are texts, not digests.
    """

    identifiers: tuple[str, ...]
    details: dict[str, str] = field(default_factory=dict)
    texts: bool = False


class Connection(Protocol):
    """Speaks a vendor's protocol."""

    vendor: str
    target: str
    layout: Layout
    batch_rows: int
    concurrency: int
    #: Whether a list can be replaced at once; else what is there can be read.
    replaces: bool
    takes_values: bool

    @property
    def identity(self) -> str:
        """Whose lists they are, without a secret."""
        ...

    def check(self, *, has_consent: bool) -> None:
        """Raise a ConfigError where contacts lack what is needed, or a secret is missing."""
        ...

    def find(self, name: str) -> RemoteAudience | None:
        """Return a list by its name."""
        ...

    def create(self, name: str, *, has_values: bool) -> RemoteAudience:
        """Make a list, unless there is one of that name."""
        ...

    def present(self, remote: RemoteAudience) -> Sequence[str]:
        """Return who is on a list, where it cannot be replaced."""
        ...

    def add(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Add rows to a list."""
        ...

    def remove(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Take rows off a list."""
        ...

    def forget(self, rows: pa.Table) -> None:
        """Remove people from all lists."""
        ...


def connection_of(connector: object) -> Connection:
    """Return how a connector speaks to its vendor, or raise a ConfigError where it is none."""
    found = getattr(connector, "_connection", None)
    if found is None:
        raise ConfigError(
            f"a {type(connector).__name__} is no connector",
            remedy="pass one of ordercycle.connect, such as Meta",
        )
    checked: Connection = found
    return checked
