"""Conditions over the fields of an event: as text for the library, as truth for the oracle."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce

from oracle.rules import Truth, both, either, negated

Value = bool | int | float | Decimal | str | date
Read = Callable[[str], Value | None]

SIGNS: dict[str, Callable[[Value, Value], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def written(value: Value) -> str:
    """Return a value as conditions write it.

    >>> [written(value) for value in (True, 5, Decimal("0.10"), "it's", date(2024, 1, 2))]
    ['true', '5', '0.10', "'it''s'", "date('2024-01-02')"]
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"date('{value}')" if isinstance(value, date) else str(value)


@dataclass(frozen=True)
class Compared:
    """A field and ``== != < <= > >=``: unknown where there is no value."""

    field: str
    sign: str
    value: Value

    def __call__(self, read: Read) -> Truth:
        """Return whether it holds for the event whose fields are read."""
        found = read(self.field)
        if found is None:
            return None
        if isinstance(found, str) and isinstance(self.value, str):
            return SIGNS[self.sign](found.encode(), self.value.encode())
        return SIGNS[self.sign](found, self.value)

    def __str__(self) -> str:
        return f"{self.field} {self.sign} {written(self.value)}"


@dataclass(frozen=True)
class Listed:
    """A field in a list, or in none: null is in no list."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False

    def __call__(self, read: Read) -> Truth:
        """Return whether it holds for the event whose fields are read."""
        return (read(self.field) in self.values) is not self.negated

    def __str__(self) -> str:
        values = ", ".join(map(written, self.values))
        return f"{self.field} {'not in' if self.negated else 'in'} ({values})"


@dataclass(frozen=True)
class Missing:
    """A field without a value, or with one."""

    field: str
    negated: bool = False

    def __call__(self, read: Read) -> Truth:
        """Return whether it holds for the event whose fields are read."""
        return (read(self.field) is None) is not self.negated

    def __str__(self) -> str:
        return f"{self.field} is {'not null' if self.negated else 'null'}"


@dataclass(frozen=True)
class Not:
    """What is true where another is false."""

    condition: "Condition"

    def __call__(self, read: Read) -> Truth:
        """Return whether it holds for the event whose fields are read."""
        return negated(self.condition(read))

    def __str__(self) -> str:
        return f"not ({self.condition})"


@dataclass(frozen=True)
class Joined:
    """Conditions of which all (``and``) or any (``or``) have to hold.

    >>> known = Compared("kind", "==", "click")
    >>> other = Compared("points", ">", 3)
    >>> nothing_known = {"kind": None, "points": 2}.get
    >>> Joined("and", (known, other))(nothing_known), Joined("or", (known, other))(nothing_known)
    (False, None)
    >>> str(Joined("or", (known, Not(other))))
    "(kind == 'click') or (not (points > 3))"
    """

    sign: str
    conditions: tuple["Condition", ...]

    def __call__(self, read: Read) -> Truth:
        """Return whether it holds for the event whose fields are read."""
        joint = both if self.sign == "and" else either
        return reduce(joint, (condition(read) for condition in self.conditions))

    def __str__(self) -> str:
        return f" {self.sign} ".join(f"({condition})" for condition in self.conditions)


Condition = Compared | Listed | Missing | Not | Joined


def parts(condition: Condition) -> Iterator[Compared | Listed | Missing]:
    """Yield what a condition is made of, without ``and``, ``or`` and ``not``.

    >>> one, other = Missing("brand"), Listed("kind", ("click", "open"))
    >>> list(parts(Joined("and", (Not(one), other)))) == [one, other]
    True
    """
    match condition:
        case Not(inner):
            yield from parts(inner)
        case Joined(_, conditions):
            for one in conditions:
                yield from parts(one)
        case _:
            yield condition
