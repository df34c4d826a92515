"""What rows mean: the options of a history that stay with it, each declared once.

Checks, the command line, source files and the engines derive from this table: an option that is
declared here is one of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from ordercycle._days import named_zone
from ordercycle._errors import ConfigError, Option, check_choice, within
from ordercycle._expressions.expression_text import ExpressionText, as_text
from ordercycle._expressions.language import parsed
from ordercycle._sources.read_request import Times


def policy(
    default: Any, doc: str, choices: Mapping[Any, str] | None = None, *, of_reading: bool = False
) -> Any:
    """Declare an option: its default, one line of help, and what it may be, with help for each.

    of_reading: whether those who read rows are done with it, and nobody after them asks for it.
    """
    return field(
        default=default, metadata={"doc": doc, "choices": choices, "of_reading": of_reading}
    )


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What rows mean, checked.

    Raises
    ------
    ConfigError
        Where an option is not one of its choices.
    """

    timezone: str = policy("UTC", "Where days begin and end.")
    times_without_zone: str | None = policy(
        None,
        "What times without a zone are. Default: local, with a warning where a zone is named.",
        {"local": "local already", "utc": "in UTC; dates are local all the same"},
    )
    refunds: str = policy(
        "net",
        "Negative amounts: lower the revenue, are ignored, or count as orders.",
        {"net": "lower the revenue", "drop": "are ignored", "count": "are orders"},
    )
    anonymous: str = policy(
        "drop", "Rows without a customer id.", {"drop": "left out", "error": "refused"}
    )
    unknown: str = policy(
        "add",
        "Customers who order but are not in the customer table.",
        {"add": "are customers", "drop": "left out", "error": "refused"},
    )
    only: str | None = policy(
        None,
        "Rows that count, as in \"status in ('paid', 'shipped')\"; the others are left out.",
        of_reading=True,
    )
    nobody: tuple[Any, ...] = policy((), "An id that means no customer, as guest@example.com.")
    same_day: str = policy(
        "separate",
        "Several orders of a customer on one day.",
        {"separate": "are orders of their own", "merge": "are one order"},
    )
    amount_per: str = policy(
        "line",
        "What an amount is, where rows are lines of orders.",
        {"line": "the line's own", "order": "the order's total, on every line of a day"},
    )
    duplicates: str = policy(
        "keep",
        "Rows that are equal in all columns that are read.",
        {"keep": "all count", "drop": "one counts", "error": "refused"},
    )

    def __post_init__(self) -> None:
        for declared in fields(self):
            choices = declared.metadata["choices"]
            given = getattr(self, declared.name)
            if choices is not None and given != declared.default:
                check_choice(declared.name, given, choices)
        if self.timezone != "UTC":  # which needs no data
            named_zone(self.timezone)
        object.__setattr__(self, "only", _checked_only(self.only))
        object.__setattr__(self, "nobody", _checked_nobody(self.nobody))

    @property
    def times(self) -> Times:
        """What times mean."""
        return Times(self.timezone, self.times_without_zone)


def declared_policies() -> tuple[Field[Any], ...]:
    """Return the declared options, in the order of the help."""
    return fields(Policies)


def _checked_only(given: Any) -> str | None:
    only: Any = as_text(given)
    if only is None or isinstance(only, ExpressionText):
        return only
    if isinstance(only, str) and only.strip():
        try:
            parsed(only)
        except ConfigError as error:
            raise within(error, Option("only", only), ": ") from None
        return only
    raise ConfigError(
        (Option("only", given), " is no condition"),
        remedy="pass text such as \"status == 'paid'\", or a pyarrow expression",
    )


def _checked_nobody(given: Any) -> tuple[Any, ...]:
    if isinstance(given, (str, bytes, int)) or given is None:
        raise ConfigError(
            (Option("nobody", given), " is no list of ids"),
            remedy=("pass ", Option("nobody", [given])),
        )
    ids = tuple(given)
    for one in ids:
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise ConfigError(
                (Option("nobody", given), f" holds {one!r}, which is no id"),
                remedy="pass texts or integers",
            )
    return ids
