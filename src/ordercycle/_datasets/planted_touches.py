"""Touches of which it is known which order each of them brought.

Orders that lie far enough from the others of their customer get touches in front of them, by one of
a few plots: a click that wins, a text message that shadows it and has closed, a click that comes
too early, a bot's clicks, clicks of two groups. All other touches of the stream never win by the
rules of `Attribution()` with ``exclude="machine"``, so that the winners are all known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._datasets.touches import (
    CHANNELS,
    KINDS,
    MICROSECONDS,
    SECONDS_PER_DAY,
    TOUCHES_SCHEMA,
    Campaigns,
    Generated,
)
from ordercycle._public import public

#: Orders with others of their customer as near as this are left alone.
CLEAR_DAYS = 12
#: Of the orders that have room, how many get touches.
PLANTED_SHARE = 0.6
DUPLICATE_SHARE, LATE_SHARE, MERGED_SHARE = 0.01, 0.02, 0.02
#: Refunds that do not say what they refund.
NAMELESS_REFUNDS = 0.1
REFUND_DAYS = (3, 30)
#: An id that a customer had before, by the id of today.
OLD_IDS_FROM = 1_000_000_000
BOT_CLICKS = 5

CAMPAIGN_GROUP, SITE_GROUP = "campaigns", "personalization"
HOUR = 3_600


class Plot(NamedTuple):
    """Touches in front of an order: channel, kind, earliest and latest age in hours, the winner.

    group: in which it wins, None for those that do not; clicks: how many there are, of a bot where
    it is more than one.
    """

    channel: str
    kind: str
    hours: tuple[int, int]
    group: str | None = None
    clicks: int = 1


#: What happens before an order, and how often.
PLOTS: tuple[tuple[float, tuple[Plot, ...]], ...] = (
    (0.35, (Plot("Email", "click", (1, 110), CAMPAIGN_GROUP),)),
    (0.15, (Plot("SMS", "delivery", (1, 11), CAMPAIGN_GROUP),)),
    (
        0.15,
        (
            Plot("Email", "click", (30, 110), CAMPAIGN_GROUP),
            Plot("SMS", "delivery", (13, 29)),
        ),
    ),
    (0.1, (Plot("Web Push", "click", (125, 200)),)),
    (
        0.15,
        (
            Plot("Mobile Push", "click", (20, 110), CAMPAIGN_GROUP),
            Plot("Email", "click", (1, 19), None, BOT_CLICKS),
        ),
    ),
    (
        0.1,
        (
            Plot("Email", "click", (1, 110), CAMPAIGN_GROUP),
            Plot("Popup", "click", (1, 110), SITE_GROUP),
        ),
    ),
)

PLANTED_SCHEMA = TOUCHES_SCHEMA.append(pa.field("machine", pa.bool_(), nullable=False))
TRUTH_SCHEMA = pa.schema(
    [
        pa.field("order_id", pa.int64(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("event_id", pa.int64(), nullable=False),
    ]
)


@public("ordercycle.datasets")
@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Planted(Generated):
    """Orders, customers and touches of which it is known which order each of them brought.

    Refunds name the order that they refund in ``refund_of``, but for a few.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.generated(customers=1_000, touches=True)
    >>> data.truth().column_names
    ['order_id', 'group', 'event_id']
    """

    _methods: ClassVar[tuple[str, ...]] = ("touches", "campaigns", "truth", "merges")

    def touches(self, events: int | None = None) -> pa.Table:
        """Return messages to the customers and what became of them, a row an event.

        Among them are those of `truth`, clicks of bots (``machine``), rows that come twice or late,
        and customers under an id that they had before (`merges`).

        Parameters
        ----------
        events
            Rows among which the others are; by default 20 a customer.

        Returns
        -------
        pyarrow.Table
            As of :meth:`Generated.touches`, and ``machine: bool``. Rows that come twice have one
            ``event_id``.

        Examples
        --------
        >>> import ordercycle as oc
        >>> touches = oc.datasets.generated(customers=1_000, touches=True).touches()
        >>> touches["machine"].value_counts().to_pylist()[0]["values"]
        False
        """
        background = Generated.touches(self, events)
        return _together(self, background, _plots_of(self))

    def truth(self) -> pa.Table:
        """Return the touch that wins each order by ``Attribution(exclude="machine")``.

        Returns
        -------
        pyarrow.Table
            ``order_id: int64``, ``group: string`` and ``event_id: int64``; orders that nobody wins
            are not there.
        """
        planted = _plots_of(self)
        won = planted.group >= 0
        groups = pa.array([CAMPAIGN_GROUP, SITE_GROUP])
        return pa.table(
            [
                planted.order[won],
                groups.take(pa.array(planted.group[won])),
                -1 - np.flatnonzero(won),
            ],
            schema=TRUTH_SCHEMA,
        ).sort_by([("order_id", "ascending"), ("group", "ascending")])

    def merges(self) -> pa.Table:
        """Return the ids that customers had before, and have in some touches.

        Returns
        -------
        pyarrow.Table
            ``old_id: int64`` (unique), ``customer_id: int64``.
        """
        merged = _merged(self)
        return pa.table({"old_id": merged + OLD_IDS_FROM, "customer_id": merged})


class _Touched(NamedTuple):
    """Touches that are planted: customer, second, kind, channel, machine, order, group: (p,)."""

    customer: NDArray[np.int64]
    seconds: NDArray[np.int64]
    kind: NDArray[np.int8]
    channel: NDArray[np.int8]
    machine: NDArray[np.bool_]
    order: NDArray[np.int64]
    group: NDArray[np.int8]


def _random(data: Planted, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([data.seed, 0, stream]))


def with_refunds(orders: pa.Table, share: float, seed: int, last_second: int) -> pa.Table:
    """Return orders with refunds behind them, which say what they refund.

    last_second: since 1970, after which there are none.
    """
    random = np.random.Generator(np.random.SFC64([seed, 0, 11]))
    known = np.asarray(orders["customer_id"].is_valid())
    refunded = np.flatnonzero(known & (random.random(orders.num_rows) < share))
    days = random.uniform(*REFUND_DAYS, refunded.size)
    rows = orders.take(pa.array(refunded))
    moments = np.asarray(rows["ordered_at"].cast(pa.int64()))
    later = moments + (days * SECONDS_PER_DAY).astype(np.int64) * MICROSECONDS
    halves = np.where(random.random(refunded.size) < 0.25, 0.5, 1.0)
    amounts = -np.rint(np.asarray(rows["amount"]) * halves * 100.0) / 100.0
    names_none = random.random(refunded.size) < NAMELESS_REFUNDS
    kept = (later < last_second * MICROSECONDS) & (amounts < 0)
    first = pc.max(orders["order_id"]).as_py() or 0
    refunds = pa.table(
        {
            "order_id": pa.array(first + 1 + np.arange(int(kept.sum()))),
            "customer_id": rows["customer_id"].filter(pa.array(kept)),
            "ordered_at": pa.array(later[kept]).view(pa.timestamp("us")),
            "amount": pa.array(amounts[kept]),
            "refund_of": pa.array(np.asarray(rows["order_id"])[kept], mask=names_none[kept]),
        }
    )
    nobody = orders.append_column("refund_of", pa.nulls(orders.num_rows, pa.int64()))
    together = pa.concat_tables([nobody, refunds.cast(nobody.schema)])
    return together.sort_by([("ordered_at", "ascending"), ("order_id", "ascending")])


def _plots_of(data: Planted) -> _Touched:
    """Return the touches that are planted in front of orders."""
    random = _random(data, 12)
    orders = data.orders.filter(
        pc.and_(pc.is_valid(data.orders["customer_id"]), pc.greater(data.orders["amount"], 0))
    ).sort_by([("customer_id", "ascending"), ("ordered_at", "ascending")])
    customer = np.asarray(orders["customer_id"], np.int64)
    number = np.asarray(orders["order_id"], np.int64)
    second = np.asarray(orders["ordered_at"].cast(pa.int64()), np.int64) // MICROSECONDS
    clear = CLEAR_DAYS * SECONDS_PER_DAY
    far = (customer[1:] != customer[:-1]) | (second[1:] - second[:-1] > clear)
    has_room = np.append(True, far) & np.append(far, True) if customer.size else np.zeros(0, bool)
    first = int(np.datetime64(data.shop.first_day, "s").astype(np.int64))
    has_room &= second - first > clear
    chosen = np.flatnonzero(has_room & (random.random(customer.size) < PLANTED_SHARE))
    plot = random.choice(len(PLOTS), chosen.size, p=[share for share, _ in PLOTS])
    pieces = list(_pieces(random, chosen, plot, second))
    if not pieces:
        none, codes = np.zeros(0, np.int64), np.zeros(0, np.int8)
        return _Touched(none, none, codes, codes, np.zeros(0, np.bool_), none, codes)
    rows, seconds, kind, channel, machine, group = map(np.concatenate, zip(*pieces, strict=True))
    return _Touched(customer[rows], seconds, kind, channel, machine, number[rows], group)


def _pieces(
    random: np.random.Generator,
    chosen: NDArray[np.int64],
    plot: NDArray[np.int64],
    second: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield of each touch of each plot: rows of orders, seconds, kind, channel, machine, group."""
    for which, (_, touches) in enumerate(PLOTS):
        rows = chosen[plot == which]
        for touch in touches:
            earliest, latest = touch.hours
            ages = random.integers(earliest * HOUR, latest * HOUR, rows.size)
            for click in range(touch.clicks):
                size = rows.size
                group = (CAMPAIGN_GROUP, SITE_GROUP).index(touch.group) if touch.group else -1
                yield (
                    rows,
                    second[rows] - ages + click // 3,  # a bot clicks three times a second
                    np.full(size, KINDS.index(touch.kind), np.int8),
                    np.full(size, CHANNELS.index(touch.channel), np.int8),
                    np.full(size, touch.clicks > 1),
                    np.full(size, group, np.int8),
                )


def _merged(data: Planted) -> NDArray[np.int64]:
    """Return the customers who had another id."""
    customers = np.arange(1, data.customers.num_rows + 1)
    return customers[_random(data, 13).random(customers.size) < MERGED_SHARE]


def _together(data: Planted, background: pa.Table, planted: _Touched) -> pa.Table:
    """Return background and planted touches as one table, some twice, late or of an old id."""
    random = _random(data, 14)
    quiet = background.filter(
        pc.invert(
            pc.or_(
                pc.equal(background["kind"].cast(pa.string()), "click"),
                pc.and_(
                    pc.equal(background["channel"].cast(pa.string()), "SMS"),
                    pc.equal(background["kind"].cast(pa.string()), "delivery"),
                ),
            )
        )
    )
    quiet = quiet.append_column(
        PLANTED_SCHEMA.field("machine"), pa.array(np.zeros(quiet.num_rows, bool))
    )
    rows = pa.concat_tables([quiet, _planted_table(data, planted)]).unify_dictionaries()
    is_late = random.random(rows.num_rows) < LATE_SHARE
    seconds = np.asarray(rows["occurred_at"].cast(pa.int64()))
    order = np.lexsort((np.asarray(rows["event_id"]), seconds, is_late))
    again = order[random.random(order.size) < DUPLICATE_SHARE]
    rows = rows.take(pa.array(np.concatenate([order, again])))
    return _under_old_ids(data, rows)


def _planted_table(data: Planted, planted: _Touched) -> pa.Table:
    """Return planted touches as rows; their ids are negative: they come after no others."""
    campaigns = Campaigns(data.seed, data.shop)
    random = _random(data, 15)
    campaign = np.zeros(planted.customer.size, np.int16)
    for channel in np.unique(planted.channel).tolist():
        its = np.flatnonzero(campaigns.channel == channel)
        here = planted.channel == channel
        campaign[here] = its[random.integers(0, its.size, int(here.sum()))]
    ids = -1 - np.arange(planted.customer.size)
    texts = [pa.array(values) for values in (KINDS, CHANNELS, campaigns.names)]
    codes = (planted.kind, planted.channel, campaign)
    return pa.table(
        [
            pa.array(ids),
            pa.array(planted.customer),
            pa.array(planted.seconds * MICROSECONDS).view(pa.timestamp("us")),
            *(
                pa.DictionaryArray.from_arrays(pa.array(code), text)
                for code, text in zip(codes, texts, strict=True)
            ),
            pa.array(ids),
            pa.array(planted.machine),
        ],
        schema=PLANTED_SCHEMA,
    )


def _under_old_ids(data: Planted, rows: pa.Table) -> pa.Table:
    """Give the touches of merged customers before the middle of the shop's days their old ids."""
    days = (data.shop.last_day - data.shop.first_day).days // 2
    first = int(np.datetime64(data.shop.first_day, "us").astype(np.int64))
    middle = first + days * SECONDS_PER_DAY * MICROSECONDS
    customers = rows["customer_id"]
    is_old = pc.and_(
        pc.is_in(customers, pa.array(_merged(data))),
        pc.less(rows["occurred_at"].cast(pa.int64()), middle),
    )
    old = pc.add(customers, OLD_IDS_FROM)
    place = rows.schema.get_field_index("customer_id")
    return rows.set_column(
        place, PLANTED_SCHEMA.field("customer_id"), pc.if_else(is_old, old, customers)
    )
