"""Column names of a stream of events."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ordercycle._errors import ConfigError
from ordercycle._expressions.column_names import column_name, column_names, named_twice
from ordercycle._public import public

#: Fields that hold any number of columns.
SEVERAL = ("attributes", "keys", "values")


@public()
@dataclass(frozen=True, kw_only=True)
class EventColumns:
    """The columns of a stream of events: each by its name, or as an expression over columns.

    Parameters
    ----------
    customer
        Customer id.
    time
        When it happened: a timestamp, or a date, which has no instant.
    id
        What tells events apart, so that one that is delivered again is taken once: unique per
        customer, null where there is none. None: every row is an event.
    attributes
        What conditions ask for: text, integers or booleans of up to 2^31 different values, kept as
        codes.
    keys
        Identifiers of other things, such as an order or a message, kept as 8 bytes: integers as
        they are, others by their hash. They are counted and matched, conditions do not see them.
    values
        Numbers, of which null adds nothing.

    Raises
    ------
    ConfigError
        Where a name is empty, no name at all, or stands for two columns.

    Examples
    --------
    >>> EventColumns(time="sent_at", attributes=["channel", "campaign"]).attributes
    ('channel', 'campaign')
    """

    customer: Any = "customer_id"
    time: Any = "occurred_at"
    id: Any = None
    attributes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name in SEVERAL:
                names = column_names(f"EventColumns.{field.name}", given)
                object.__setattr__(self, field.name, names)
            elif field.name != "id" or given is not None:
                name = column_name(f"EventColumns.{field.name}", given)
                object.__setattr__(self, field.name, name)
        twice = named_twice(self.names)
        if twice is not None:
            raise ConfigError(f"{self!r} names {twice} twice", remedy="every column has one use")

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order of the fields."""
        own = (self.customer, self.time, *(() if self.id is None else (self.id,)))
        return (*own, *self.attributes, *self.keys, *self.values)
