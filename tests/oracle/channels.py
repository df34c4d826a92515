"""Numbers about channels and loyalty, of lists of what happened."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from oracle.attribution import Credit, Entry


class Won(NamedTuple):
    """Orders and what they brought."""

    orders: int
    revenue: Fraction


def by_groups(
    entries: Iterable[Entry], credited: Iterable[Credit]
) -> tuple[dict[str, Won], dict[frozenset[str], Won]]:
    """Return the orders and revenue of each group, and of each set of groups that won an order."""
    entries = list(entries)
    sets: dict[int, set[str]] = {number: set() for number in range(len(entries))}
    for one in credited:
        if one.group is not None:
            sets[one.entry].add(one.group)
    groups: dict[str, list[int]] = defaultdict(list)
    masks: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, names in sets.items():
        masks[frozenset(names)].append(number)
        for name in names:
            groups[name].append(number)

    def won(numbers: list[int]) -> Won:
        those = [entries[number] for number in numbers]
        revenue = sum((Fraction(one.amount) for one in those), Fraction(0))
        return Won(sum(one.is_order for one in those), revenue)

    return (
        {name: won(numbers) for name, numbers in groups.items()},
        {names: won(numbers) for names, numbers in masks.items()},
    )


def crm(masks: Mapping[frozenset[str], Won]) -> Won:
    """Return what any group won: each order once."""
    those = [one for names, one in masks.items() if names]
    return Won(sum(one.orders for one in those), sum((one.revenue for one in those), Fraction(0)))


def pair_counts(
    reached: Iterable[tuple[Hashable, int]],
) -> dict[tuple[int | None, int], int]:
    """Count customers by the month in which they were reached before, and the month.

    >>> pair_counts([("ann", 1), ("ann", 1), ("ann", 3), ("bob", 3)])
    {(None, 1): 1, (1, 3): 1, (None, 3): 1}
    """
    months: dict[Hashable, set[int]] = defaultdict(set)
    for customer, month in reached:
        months[customer].add(month)
    found: dict[tuple[int | None, int], int] = defaultdict(int)
    for of_one in months.values():
        before = None
        for month in sorted(of_one):
            found[before, month] += 1
            before = month
    return dict(found)


def reach(pairs: Mapping[tuple[int | None, int], int], first: int, last: int) -> int:
    """Return how many customers were reached from the first month to the last."""
    return sum(
        count
        for (before, month), count in pairs.items()
        if first <= month <= last and (before is None or before < first)
    )


def average(amounts: Iterable[int]) -> Fraction:
    """Return the mean of some amounts."""
    amounts = list(amounts)
    return Fraction(sum(amounts), len(amounts))


def redemption_rate(points: Iterable[tuple[str, int]]) -> Fraction:
    """Return points redeemed by points awarded; what expired is in neither."""
    points = list(points)

    def of(kind: str) -> int:
        return sum(number for one, number in points if one == kind)

    return Fraction(of("redeemed"), of("awarded"))
