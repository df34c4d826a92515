"""Rules by plain Python: a condition is true, false, or unknown where a value is missing."""

from collections.abc import Callable, Mapping

from oracle.profile import Row

Truth = bool | None
Condition = Callable[[Row], Truth]


def both(one: Truth, other: Truth) -> Truth:
    """Return one and other.

    >>> both(False, None), both(True, None)
    (False, None)
    """
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def negated(one: Truth) -> Truth:
    """Return not one."""
    return None if one is None else not one


def either(one: Truth, other: Truth) -> Truth:
    """Return one or other.

    >>> either(True, None), either(False, None)
    (True, None)
    """
    return negated(both(negated(one), negated(other)))


def segment(row: Row, rules: Mapping[str, Condition], default: str) -> str:
    """Return the segment of the first rule that is true.

    >>> segment({"orders": 3}, {"Loyal": lambda row: row["orders"] >= 3}, "Other")
    'Loyal'
    """
    return next((name for name, condition in rules.items() if condition(row)), default)
