"""Whom a target can be told of, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from ordercycle._audiences.members import Members
from ordercycle._audiences.targets import SEED
from ordercycle._errors import counted
from ordercycle._public import public

#: What stands for a country that is not known.
UNKNOWN = "unknown"
MEANINGS = {
    "no_contact": "not among the contacts",
    "no_consent": "gave no consent",
    "suppressed": "suppressed",
    "no_identifier": "nothing to find them by",
    "unusable_identifier": "only addresses or numbers that are none",
    "shared_identifier": "found by what another customer has too",
}


@public()
@dataclass(frozen=True)
class Reach:
    """What :meth:`Audience.reach` and :meth:`Audience.to_csv` return.

    Attributes
    ----------
    target : str
    customers : int
        Of the audience.
    reachable : int
        Those with a usable identifier, or a consent where nothing else is needed.
    by_country : mapping of str to int
        The reachable by their country's code, ``"unknown"`` where there is none.
    unreachable : mapping of str to int
        The others by cause: ``no_contact``, ``no_consent``, ``suppressed``, ``no_identifier``,
        ``unusable_identifier``, ``shared_identifier``.
    enough_for_lookalike : mapping of str to bool
        Whether there are 100 to find others like them, by country.
    values_replaced : int
        Values below 0, missing, or no number, which the target takes as 0.
    texts_stripped : int
        Texts that lost what a spreadsheet would take for the beginning of a formula.
    """

    target: str
    customers: int
    reachable: int
    by_country: Mapping[str, int]
    unreachable: Mapping[str, int]
    enough_for_lookalike: Mapping[str, bool]
    values_replaced: int = 0
    texts_stripped: int = 0

    def __str__(self) -> str:
        lines = [
            f"{self.target}: {self.reachable:,} of {counted(self.customers, 'customer')} reachable"
        ]
        lines += [
            f"{number:>12,}  {country}"
            + ("" if self.enough_for_lookalike[country] else f" (under {SEED}: no seed)")
            for country, number in self.by_country.items()
        ]
        lines += [
            f"{number:>12,}  not: {MEANINGS[cause]}"
            for cause, number in self.unreachable.items()
            if number
        ]
        return "\n".join(lines)


def reach_of(members: Members, *, stripped: int = 0) -> Reach:
    """Return the account of whom a target can be told of."""
    found = pc.value_counts(pc.fill_null(members.countries, UNKNOWN)).to_pylist()
    by_country = {one["values"]: one["counts"] for one in found}
    by_country = dict(sorted(by_country.items(), key=lambda one: (-one[1], one[0])))
    return Reach(
        members.target.name,
        int(members.customers.hashes.size),
        len(members),
        by_country,
        dict(members.unreachable),
        {name: number >= SEED for name, number in by_country.items()},
        members.zeroed,
        stripped,
    )
