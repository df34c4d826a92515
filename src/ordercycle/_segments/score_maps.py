"""From three scores to a name: maps as data, and what is wrong with one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, counted, suggestion
from ordercycle._public import public
from ordercycle._segments.assigning import MOST_SEGMENTS, NO_CODE

SCORES = ("recency", "frequency", "monetary")
#: Names by the scores they stand for, the first that fits counting.
ScoreMap = Mapping[str, str | Sequence[str]]

#: Of scores 1 to 5, recency and frequency; any monetary score.
TEN: ScoreMap = {
    "Champions": "5 4-5",
    "Loyal": "3-4 4-5",
    "Potential Loyalist": "4-5 2-3",
    "New": "5 1",
    "Promising": "4 1",
    "Need Attention": "3 3",
    "About To Sleep": "3 1-2",
    "Can't Lose": "1-2 5",
    "At Risk": "1-2 3-4",
    "Hibernating": "1-2 1-2",
}


def five(bins: int) -> ScoreMap:
    """Return the map `five`: names as in Intempt, the rules ours.

    With 5 bins, Champions are 4 and up in all three scores, Regulars 3 and up. With others, these
    are the best two fifths at most, and the best three fifths at least, in whole bins.
    """
    if bins < 3:
        raise ConfigError(
            (Option("bins", bins), " is too few for a map that tells three heights apart"),
            remedy="take 3 bins or more, or give a map of your own",
        )
    best, good = 1 - -3 * bins // 5, 1 + 2 * bins // 5
    return {
        "Champions": f"{best}+ {best}+ {best}+",
        "Regulars": f"{good}+ {good}+ {good}+",
        "Promising": f"{good}+ * *",
        "Needs Attention": f"* {good}+ {good}+",
        "At Risk": "* * *",
    }


def ten(bins: int) -> ScoreMap:
    """Return the map `ten`, which is defined for 5 bins."""
    if bins != 5:
        raise ConfigError(
            (
                Option("bins", bins),
                " does not fit ",
                Option("map", "ten"),
                ", which is defined for the 25 pairs of scores from 1 to 5",
            ),
            remedy=(
                "take ",
                Option("bins", 5),
                ", ",
                Option("map", "five"),
                " or a map of your own",
            ),
        )
    return TEN


MAPS = {"five": five, "ten": ten}


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


@cache
def rules_of(given: str | ScoreMap, bins: int) -> MapRules:
    """Return the rules of a map, by its name or its data, for so many bins."""
    if isinstance(given, str):
        if given not in MAPS:
            raise ConfigError(
                f"there is no map {given!r}{suggestion(given, MAPS)}",
                remedy=f"there are {', '.join(map(repr, MAPS))}, or pass names with the scores "
                'they stand for, such as {"Best": "4-5 4-5 *", "Rest": "* * *"}',
            )
        given = MAPS[given](bins)
    rules = MapRules.of(given, bins)
    if rules.gaps:
        raise ConfigError(
            f"the map has no name for {len(rules.gaps):,} of {counted(bins**3, 'combination')} of "
            f"recency, frequency and monetary scores, such as {_written(rules.gaps[0])}",
            remedy='add names, or a last one for "* * *"',
        )
    return rules


@dataclass(frozen=True, eq=False)
class MapRules:
    """A map written out: which name each combination of scores has.

    Attributes
    ----------
    bins
        Scores are 1 to bins.
    names
        The names in order.
    fits
        (names, bins, bins, bins) bool: which combinations each name stands for.
    """

    bins: int
    names: tuple[str, ...]
    fits: NDArray[np.bool_]

    @classmethod
    def of(cls, given: ScoreMap, bins: int) -> MapRules:
        """Read a map that is data."""
        names = tuple(given)
        texts = all(isinstance(name, str) and name for name in names)
        if not texts or not 1 <= len(names) <= MOST_SEGMENTS:
            raise ConfigError(
                f"this map has {counted(len(names), 'name')}: {given!r}",
                remedy=f"pass 1 to {MOST_SEGMENTS} names, all of them text",
            )
        fits = np.zeros((len(names), bins, bins, bins), np.bool_)
        for name, fit in zip(names, fits, strict=True):
            stands_for = given[name]
            several = isinstance(stands_for, Sequence) and not isinstance(stands_for, str)
            patterns: Sequence[object] = stands_for if several else [stands_for]
            for pattern in patterns:
                fit[np.ix_(*_scores_of(pattern, name, bins))] = True
        return cls(bins, names, fits)

    @property
    def codes(self) -> NDArray[np.int8]:
        """(bins**3,) the number of the first name that fits, monetary fastest; -1 for none."""
        first = np.where(self.fits.any(axis=0), self.fits.argmax(axis=0), NO_CODE)
        return np.ascontiguousarray(first.astype(np.int8).ravel())

    @property
    def gaps(self) -> list[tuple[int, ...]]:
        """The combinations of scores without a name."""
        return [tuple(place) for place in np.argwhere(~self.fits.any(axis=0)) + 1]

    def overlaps(self) -> Iterator[tuple[str, str, int]]:
        """Yield pairs of names that stand for the same combinations, and how many; first first."""
        for (one, fit), (other, later) in itertools.combinations(enumerate(self.fits), 2):
            shared = int((fit & later).sum())
            if shared:
                yield self.names[one], self.names[other], shared

    def unreached(self, reached: Sequence[NDArray[np.bool_]] | None = None) -> tuple[str, ...]:
        """Return the names that no customer can have, all scores or those of a fit given."""
        codes = self.codes.reshape(self.fits.shape[1:])
        if reached is not None:
            codes = codes[np.ix_(*reached)]
        return tuple(name for code, name in enumerate(self.names) if not (codes == code).any())


def _scores_of(pattern: object, name: str, bins: int) -> list[NDArray[np.bool_]]:
    """Return which scores a pattern such as ``"4-5 3+ *"`` allows, per column."""
    if not isinstance(pattern, str) or len(parts := pattern.split()) not in (2, 3):
        raise ConfigError(
            f"map: {name!r} stands for {pattern!r}, which are no scores",
            remedy="write scores of recency and frequency, and of monetary where it matters, such "
            'as "4-5 3+ *"',
        )
    if len(parts) == 2:
        parts.append("*")
    return [_allowed(part, pattern, name, bins) for part in parts]


def _allowed(part: str, pattern: str, name: str, bins: int) -> NDArray[np.bool_]:
    low, dash, high = part.removesuffix("+").partition("-")
    if part == "*":
        low, high = "1", str(bins)
    elif part.endswith("+"):
        high = str(bins)
    elif not dash:
        high = low
    scores = np.arange(1, bins + 1)
    written = list(map(str, scores))
    if low not in written or high not in written or int(low) > int(high):
        raise ConfigError(
            f"map: {part!r} in {name!r}: {pattern!r} is no range of scores from 1 to {bins}",
            remedy='write a score, a range such as "2-3", "3+" or "*"',
        )
    return (scores >= int(low)) & (scores <= int(high))


def in_letters(pattern: str) -> str:
    """Return a pattern of scores with the letter of each.

    Examples
    --------
    >>> in_letters("4+ 1-2"), in_letters("* * 5")
    ('R 4+, F 1-2', 'R *, F *, M 5')
    """
    scores = pattern.split()
    return ", ".join(map(" ".join, zip("RFM"[: len(scores)], scores, strict=True)))


def _written(scores: tuple[int, ...]) -> str:
    return "-".join(map(str, scores))


@public()
@dataclass(frozen=True)
class MapLint:
    """What is odd about a map, and about the cuts it is used with.

    Attributes
    ----------
    bins
        How many scores there are.
    overlaps
        Names that stand for the same combinations of scores: (the one that wins, the other, how
        many). Not wrong where the order of the names is meant.
    unreachable
        Names that earlier ones leave nothing to.
    collapsed
        Scores that no customer can have, by column, because cuts are equal or no value lies
        between them: where many customers have the same value.
    out_of_reach
        Names that no customer can have because of that.
    """

    bins: int
    overlaps: tuple[tuple[str, str, int], ...]
    unreachable: tuple[str, ...]
    collapsed: Mapping[str, tuple[int, ...]]
    out_of_reach: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every name and every score can occur; overlaps aside, which are a choice."""
        return not (self.unreachable or self.collapsed or self.out_of_reach)

    def __str__(self) -> str:
        lines = [
            f"{name!r} is never used: earlier names take all of it" for name in self.unreachable
        ]
        lines += [
            f"no customer has {column} score {', '.join(map(str, scores))}: too many have equal "
            "values, which share a score"
            for column, scores in self.collapsed.items()
        ]
        lines += [f"{name!r} cannot occur with these cuts" for name in self.out_of_reach]
        if self.overlaps:
            lines.append("names share combinations of scores, the first one counts:")
            later: dict[str, list[str]] = {}
            for first, other, shared in self.overlaps:
                later.setdefault(other, []).append(f"{first!r} ({shared})")
            lines += [f"  {name!r} comes after {', '.join(of)}" for name, of in later.items()]
        return "\n".join(lines) or "every combination of scores has one name, and all can occur"
