"""How lists overlap: who is on two of them, on several, on none."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._audiences.audience import Audience
from ordercycle._audiences.customer_sets import common_reader, paired, united
from ordercycle._audiences.listed import Listed, is_of_same
from ordercycle._errors import ConfigError, Option
from ordercycle._public import public

#: As many as a word has bits.
MOST_AUDIENCES = 64
ROWS_AT_A_TIME = 2**18


@public()
@dataclass(frozen=True, eq=False)
class AudienceOverlap:
    """What :func:`overlap` returns.

    Attributes
    ----------
    names : tuple of str
    both : numpy.ndarray
        (n, n) int64: customers on two lists, in the diagonal those of a list.
    in_none, in_several : int
        Customers of the table on no list, and on more than one.
    """

    names: tuple[str, ...]
    both: NDArray[np.int64]
    in_none: int
    in_several: int

    def to_table(self) -> pa.Table:
        """Return a row for each pair of lists, in their order, a list with itself included.

        Returns
        -------
        pyarrow.Table
            ``audience``, ``other`` (string), ``both`` (int64), ``share``: of the customers of
            ``audience`` (float64, null where there are none), and ``jaccard``: both by either
            (float64, null where there are none).
        """
        sizes = np.diag(self.both)
        either = sizes[:, None] + sizes[None, :] - self.both
        of_row = np.broadcast_to(sizes[:, None], self.both.shape)
        count = len(self.names)
        return pa.table(
            {
                "audience": np.repeat(self.names, count).tolist(),
                "other": list(self.names) * count,
                "both": self.both.ravel(),
                "share": _quotients(self.both, of_row),
                "jaccard": _quotients(self.both, either),
            }
        )

    def __str__(self) -> str:
        width = max(map(len, self.names))
        sizes = np.diag(self.both)
        lines = [" " * width + "".join(f"  {name:>12}" for name in self.names)]
        for name, row, size in zip(self.names, self.both, sizes, strict=True):
            cells = (f"{one:,} {one / size:.0%}" if size else f"{one:,}" for one in row.tolist())
            lines.append(f"{name:<{width}}" + "".join(f"  {cell:>12}" for cell in cells))
        lines.append(f"in several {self.in_several:,}, in none {self.in_none:,}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _quotients(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> pa.Array:
    whole = wholes.ravel()
    return pa.array(parts.ravel() / np.maximum(whole, 1), mask=whole == 0)


@public()
def overlap(audiences: Sequence[Audience]) -> AudienceOverlap:
    """Return how many customers lists have in common.

    Parameters
    ----------
    audiences
        Up to 64 lists of one table, each with a name of its own.

    Raises
    ------
    ConfigError
        There are none, too many, two of one name, or they are of different tables.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"customer_id": [1, 2, 3, 4], "orders": [1, 2, 3, 0]})
    >>> lists = [
    ...     Audience.where(table, f"orders >= {least}", name=name)
    ...     for name, least in (("Buyers", 1), ("Came back", 2))
    ... ]
    >>> found = overlap(lists)
    >>> print(found)
                     Buyers     Came back
    Buyers           3 100%         2 67%
    Came back        2 100%        2 100%
    in several 2, in none 1
    >>> found.to_table().column("jaccard").to_pylist()[1]
    0.6666666666666666
    """
    listed = list(audiences)
    if not listed or not all(isinstance(one, Audience) for one in listed):
        raise ConfigError(
            (Option("audiences"), " holds no audiences"), remedy="pass a list of audiences"
        )
    names = tuple(one.name for one in listed)
    check_count(names)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two audiences are called {twice!r}", remedy="name one otherwise")
    lists = [one._listed for one in listed]  # noqa: SLF001 - for this room alone
    others = (name for name, one in zip(names, lists, strict=True) if not is_of_same(one, lists[0]))
    other = next(others, None)
    if other is not None:
        raise ConfigError(
            f"{names[0]!r} and {other!r} are of different tables",
            remedy="take audiences of the customers of one table",
        )
    masks = _masks(lists, names)
    bits = np.arange(len(listed), dtype=np.uint64)
    both = np.zeros((len(listed), len(listed)), np.int64)
    several = 0
    for start in range(0, masks.size, ROWS_AT_A_TIME):
        of_rows = (masks[start : start + ROWS_AT_A_TIME, None] >> bits) & np.uint64(1)
        on = of_rows.astype(np.float32)  # sums below 2**24 are exact
        both += np.rint(on.T @ on).astype(np.int64)
        several += int(np.count_nonzero(of_rows.sum(axis=1) > 1))
    return AudienceOverlap(names, both, lists[0].population.customers - masks.size, several)


def check_count(names: Sequence[str]) -> None:
    """Raise a ConfigError where there are more lists than overlaps are made of."""
    if len(names) > MOST_AUDIENCES:
        raise ConfigError(
            f"{len(names)} audiences are too many", remedy=f"{MOST_AUDIENCES} are the most"
        )


def _masks(lists: Sequence[Listed], names: Sequence[str]) -> NDArray[np.uint64]:
    """Return a bit for each list that a customer is on, of those who are on any."""
    there = lists[0].customers
    masks = np.ones(there.hashes.size, np.uint64)
    for number, one in enumerate(lists[1:], 1):
        both = (repr(names[0]), repr(names[number]))
        pairs = paired(there, one.customers, both)
        merged = np.zeros(pairs.one.size, np.uint64)
        before = pairs.one >= 0
        merged[before] = masks[pairs.one[before]]
        merged[pairs.other >= 0] |= np.uint64(1 << number)
        there = united(there, one.customers, pairs, common_reader(there, one.customers, both))
        masks = merged
    return masks
