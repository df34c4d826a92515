"""Column names: those the caller's tables have, and those ordercycle produces."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._errors import ConfigError, Option
from ordercycle._expressions.column_names import column_names, named_twice
from ordercycle._expressions.expression_text import as_text
from ordercycle._public import public

#: Fields of Columns that may be left out: with None, the table has no such column.
OPTIONAL = ("amount", "order", "registered", "listed_customer", "refund_of")
#: Fields that hold any number of columns.
SEVERAL = ("attributes", "values")
#: What results call the amount, day, instant and kind of an order: no other column may.
OF_ORDERS = ("amount", "ordered_on", "ordered_at", "is_order")


@public()
@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns to read: each by its name, or as an expression over columns.

    An expression is one of pyarrow's, or text of the language of `Rules` such as
    ``"UnitPrice * Quantity"``; text is an expression where the table has no column of that name.

    Parameters
    ----------
    customer
        Customer id, in the orders and, but for `listed_customer`, in the customers table.
    time
        When the order was made: a date or a timestamp.
    amount
        The order's value; negative for a refund. None: nothing about money is known.
    order
        Order id, where one order has several rows: its lines, later shipments, refunds. They are
        added up by day. None: every row is an order.
    registered
        When the customer registered, in the customers table; None: it does not say.
    listed_customer
        Customer id in the customers table, where that has another name for it; None: `customer`.
    attributes
        What conditions ask for, such as brand and status: text, integers or booleans of up to 2^31
        different values, kept as codes. Of an order with several rows of a day, they are those of
        its rows that are no refunds (of a refund, those that are), which must not have different
        values; a row with null says nothing.
    values
        Further numbers of an order, such as a discount, of which null adds nothing; those of its
        rows of a day are added up.
    refund_of
        The id of the order that a row refunds, null for all others; it needs `order`. None: nothing
        is known. Of an order with several rows of a day, as for attributes.
    instants
        Whether the instant of each order is kept beside its day, and its id where `order` is named.
        Of an order with several rows of a day, it is the earliest.

    Raises
    ------
    ConfigError
        Where a name is empty, no name at all, or stands for two columns, and where `refund_of` is
        named without `order`.

    Examples
    --------
    >>> Columns(customer="user", time="paid_at", amount="price * quantity").amount
    'price * quantity'
    >>> import pyarrow.compute as pc
    >>> Columns(amount=pc.field("price") * pc.field("quantity")).amount
    'price * quantity'
    >>> Columns(attributes=["brand", "lower(status)"]).attributes
    ('brand', 'lower(status)')
    """

    customer: str | pc.Expression = "customer_id"
    time: str | pc.Expression = "ordered_at"
    amount: str | pc.Expression | None = "amount"
    order: str | pc.Expression | None = None
    registered: str | pc.Expression | None = "registered_at"
    listed_customer: str | pc.Expression | None = None
    attributes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    refund_of: str | pc.Expression | None = None
    instants: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.instants, bool):
            raise ConfigError(
                (Option("Columns.instants", self.instants), " is not true or false"),
                remedy="pass True to keep the instant of each order",
            )
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name in SEVERAL:
                names = column_names(f"Columns.{field.name}", given)
                object.__setattr__(self, field.name, names)
                continue
            if field.name == "instants":
                continue
            name = as_text(given)
            if not (isinstance(name, str) and name) and not (
                field.name in OPTIONAL and name is None
            ):
                raise ConfigError(
                    (Option(f"Columns.{field.name}", given), " names no column"),
                    remedy="pass the name of a column, or an expression over columns",
                )
            object.__setattr__(self, field.name, name)
        if self.refund_of is not None and self.order is None:
            raise ConfigError(
                (
                    Option("Columns.refund_of", self.refund_of),
                    " names orders by their ids, and no column has these",
                ),
                remedy=("name the column of order ids with ", Option("Columns.order")),
            )
        details = self.attributes + self.values
        roles = (self.customer, self.time, self.amount, self.order, self.refund_of)
        self._refuse_repeated(*roles, *details)
        taken = [name for name in details if name in OF_ORDERS]
        if taken:
            raise ConfigError(
                f"Columns names {taken[0]!r}, which every order has in results",
                remedy="rename the column before the call",
            )
        self._refuse_repeated(customer_of_listing(self), self.registered)

    @property
    def has_details(self) -> bool:
        """Whether orders have more than a day, an amount and an id."""
        return bool(self.attributes or self.values or self.refund_of or self.instants)

    def _refuse_repeated(self, *roles: str | None) -> None:
        twice = named_twice(name for name in roles if name is not None)
        if twice is not None:
            raise ConfigError(
                f"Columns names one column twice, {twice!r}",
                remedy="every role needs its own",
            )


def customer_of_listing(columns: Columns) -> str:
    """Return the column of customer ids in the customers table."""
    listed = columns.listed_customer
    return columns.customer if listed is None else listed


#: Marks types that follow the input: the customer id's and the amounts'.
AS_CUSTOMER_ID = "type of the customer ids"
AS_REVENUE = "float64, int64 or decimal128, as the amounts"


@dataclass(frozen=True)
class ProducedColumn:
    """A column of the profile: its type, when it is null, and what it says."""

    name: str
    type: pa.DataType | str
    null: str
    unit: str
    doc: str
    only_windowed: bool = False

    @property
    def is_money(self) -> bool:
        """Whether it is about amounts, and is left out where orders have none."""
        return self.unit == "currency"


DATE, COUNT, DAYS, RATIO = pa.date32(), pa.int64(), pa.int32(), pa.float64()

#: When a value of the profile is null; the name of its validity in the computation.
NEVER, NO_ORDER, NEVER_ORDERED, UNDER_2, UNDER_3, NO_CADENCE = (
    "never",
    "without orders",
    "without orders in all",
    "under 2 orders",
    "under 3 orders",
    "under 2 orders or where all fall on one day",
)

#: Every column of a profile, in order. Schemas and documentation derive from this table.
PROFILE_COLUMNS: tuple[ProducedColumn, ...] = (
    ProducedColumn("customer_id", AS_CUSTOMER_ID, NEVER, "", "the customer"),
    ProducedColumn(
        "registered_on", DATE, NEVER, "", "given registration or first order, the earlier"
    ),
    ProducedColumn("first_order_on", DATE, NO_ORDER, "", "day of the first order"),
    ProducedColumn("last_order_on", DATE, NO_ORDER, "", "day of the last order"),
    ProducedColumn("orders", COUNT, NEVER, "orders", "number of orders (frequency)"),
    ProducedColumn("order_days", COUNT, NEVER, "days", "distinct days with an order"),
    ProducedColumn("revenue", AS_REVENUE, NEVER, "currency", "sum of amounts, net of refunds"),
    ProducedColumn("average_order_value", RATIO, NO_ORDER, "currency", "revenue / orders"),
    ProducedColumn("days_since_registration", DAYS, NEVER, "days", "as_of - registered_on"),
    ProducedColumn("days_since_last_order", DAYS, NO_ORDER, "days", "as_of - last_order_on"),
    ProducedColumn(
        "days_to_first_order",
        DAYS,
        NEVER_ORDERED,
        "days",
        "the first order of all - registered_on",
    ),
    ProducedColumn("lifetime_days", DAYS, NO_ORDER, "days", "last_order_on - first_order_on"),
    ProducedColumn(
        "time_between_orders", RATIO, UNDER_2, "days", "mean gap: lifetime_days / (orders - 1)"
    ),
    ProducedColumn("gap_min", DAYS, UNDER_2, "days", "shortest gap between consecutive orders"),
    ProducedColumn("gap_max", DAYS, UNDER_2, "days", "longest gap"),
    ProducedColumn("last_gap", DAYS, UNDER_2, "days", "gap before the last order"),
    ProducedColumn("gap_median", RATIO, UNDER_2, "days", "median gap"),
    ProducedColumn("gap_square_sum", COUNT, UNDER_2, "days²", "sum of the squared gaps"),
    ProducedColumn(
        "gap_std", RATIO, UNDER_3, "days", "sample standard deviation of the gaps (gaps - 1)"
    ),
    ProducedColumn(
        "missed_purchase_cycles",
        RATIO,
        NO_CADENCE,
        "cycles",
        "days_since_last_order / time_between_orders; above 1 the cadence is broken",
    ),
    ProducedColumn(
        "next_order_expected_on",
        DATE,
        UNDER_2,
        "",
        "last_order_on + time_between_orders, rounded up to a day",
    ),
    ProducedColumn(
        "revenue_first_90_days",
        AS_REVENUE,
        NEVER,
        "currency",
        "net revenue of registered_on and the 89 days after it",
    ),
    ProducedColumn(
        "revenue_first_day",
        AS_REVENUE,
        NEVER,
        "currency",
        "net revenue of the day of the first order of all; 0 without orders",
    ),
    ProducedColumn(
        "window_days",
        DAYS,
        NEVER,
        "days",
        "the window that was given; a profile without one does not have this column",
        only_windowed=True,
    ),
)
#: By which a windowed profile is known, wherever it went in between.
WINDOW = PROFILE_COLUMNS[-1].name


def profile_schema(
    customer_id: pa.DataType, revenue: pa.DataType | None, *, windowed: bool = False
) -> pa.Schema:
    """Return the schema of a profile, given the types that follow the input; no amounts: None."""
    as_input = {AS_CUSTOMER_ID: customer_id, AS_REVENUE: revenue}
    return pa.schema(
        [
            pa.field(
                column.name,
                as_input[column.type] if isinstance(column.type, str) else column.type,
                nullable=column.null != NEVER,
            )
            for column in PROFILE_COLUMNS
            if (windowed or not column.only_windowed) and not (revenue is None and column.is_money)
        ]
    )


#: By which a profile is known, though only a part of its columns is read.
MARKS = {"last_order_on", "days_since_last_order", "orders"}


def has_no_money(names: Collection[str]) -> bool:
    """Return whether columns are those of a profile of orders without amounts, or some of them."""
    return set(names) >= MARKS and not any(
        column.is_money and column.name in names for column in PROFILE_COLUMNS
    )
