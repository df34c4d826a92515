"""Messages to the customers of an imagined shop, and what they did with them.

A message belongs to a campaign, which has one channel; a part of the messages is opened, and a part
of these is clicked. Every share is a plausible value of ours, and nothing here makes anybody buy:
good for trying things out and for measuring speed, not for conclusions about campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from ordercycle._datasets.dataset import Dataset
from ordercycle._datasets.shop import Shop
from ordercycle._errors import ConfigError
from ordercycle._public import public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

KINDS = ("delivery", "open", "click", "impression", "submit")
CHANNELS = ("Email", "SMS", "Mobile Push", "Web Push", "Popup")
CHANNEL_SHARES = (0.45, 0.1, 0.2, 0.1, 0.15)
#: What is recorded of a message at each stage (it arrives, is noticed, leads on), by channel.
STAGES = (
    ("delivery", "open", "click"),
    ("delivery", "click", "click"),
    ("delivery", "open", "click"),
    ("delivery", "click", "click"),
    ("impression", "click", "submit"),
)
STAGE_SHARES = (0.74, 0.2, 0.06)  # of all events
MEAN_DELAY_SECONDS = (3_600, 14_400, 60)  # from the send, the arrival and the notice on
TYPES = ("regular", "triggered", "transactional")
TYPE_SHARES = (0.7, 0.2, 0.1)
CAMPAIGNS = 200
NOBODY_SHARE = 0.3  # of pop-ups: visitors who are not known
REACH_SKEW = 1.5  # above 1, early customers are written to more often than late ones

EVENTS_PER_BLOCK = 1 << 20
SECONDS_PER_DAY = 86_400
MICROSECONDS = 1_000_000
CODES = pa.int8()
TOUCHES_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.int64(), nullable=False),
        pa.field("customer_id", pa.int64()),
        pa.field("occurred_at", pa.timestamp("us"), nullable=False),
        pa.field("kind", pa.dictionary(CODES, pa.string()), nullable=False),
        pa.field("channel", pa.dictionary(CODES, pa.string()), nullable=False),
        pa.field("campaign", pa.dictionary(pa.int16(), pa.string()), nullable=False),
        pa.field("message", pa.int64(), nullable=False),
    ]
)


@public("ordercycle.datasets")
@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Generated(Dataset):
    """The orders and customers of an imagined shop, and the messages that it sends.

    Attributes
    ----------
    seed : int
        What the rows were generated with: same seed, same rows.
    shop : Shop
        The assumptions.

    Examples
    --------
    >>> import ordercycle as oc
    >>> data = oc.datasets.generated(customers=1_000)
    >>> data.touches(events=3).column_names
    ['event_id', 'customer_id', 'occurred_at', 'kind', 'channel', 'campaign', 'message']
    """

    seed: int
    shop: Shop
    _methods: ClassVar[tuple[str, ...]] = ("touches", "campaigns")

    def touches(self, events: int | None = None) -> pa.Table:
        """Return messages to the customers, and what became of them, a row an event.

        Parameters
        ----------
        events
            Rows; by default 20 a customer. Ten million take a few seconds and 360 MB.

        Returns
        -------
        pyarrow.Table
            ``event_id: int64`` (unique), ``customer_id: int64`` (null for visitors who are not
            known), ``occurred_at: timestamp[us]`` (local, as of the orders), ``kind``, ``channel``
            and ``campaign`` as dictionaries of text, and ``message: int64``, the same for a
            delivery and the opens and clicks that follow it. Nothing here makes anybody buy.

        Raises
        ------
        ConfigError
            If `events` is negative, or there are no customers to be reached.

        Examples
        --------
        >>> import ordercycle as oc
        >>> touches = oc.datasets.generated(customers=1_000).touches()
        >>> touches["kind"].value_counts().to_pylist()[0]
        {'values': 'delivery', 'counts': 12691}
        """
        wanted = 20 * self.customers.num_rows if events is None else events
        reader = generated_touches(wanted, self.customers.num_rows, seed=self.seed, shop=self.shop)
        return reader.read_all()

    def campaigns(self) -> pa.Table:
        """Return what is known of each campaign.

        Returns
        -------
        pyarrow.Table
            ``campaign: string`` (unique), ``type`` (``regular``, ``triggered``,
            ``transactional``), ``channel``, ``sent_at: timestamp[us]`` (local; null where it is not
            sent to all at once) and ``name``.

        Examples
        --------
        >>> import ordercycle as oc
        >>> oc.datasets.generated(customers=0).campaigns().num_rows
        200
        """
        return campaign_table(self.seed, self.shop)


class Campaigns:
    """The campaigns of a shop; one value for each of them in every field."""

    def __init__(self, seed: int, shop: Shop) -> None:
        random = np.random.Generator(np.random.SFC64([seed, 0, 2]))
        days = (shop.last_day - shop.first_day).days + 1
        self.names = [f"campaign-{number:03}" for number in range(1, CAMPAIGNS + 1)]
        self.channel = random.choice(len(CHANNELS), CAMPAIGNS, p=CHANNEL_SHARES).astype(np.int8)
        self.kind = random.choice(len(TYPES), CAMPAIGNS, p=TYPE_SHARES).astype(np.int8)
        # Campaigns go out between eight and eight, on the full hour.
        hours = random.integers(0, days, CAMPAIGNS) * 24 + random.integers(8, 20, CAMPAIGNS)
        self.sent = hours * 3_600  # seconds from the shop's first midnight on
        self.is_sent_at_once = self.kind == TYPES.index("regular")


def campaign_table(seed: int, shop: Shop) -> pa.Table:
    """Return campaign, type, channel, sent_at and name of every campaign."""
    campaigns = Campaigns(seed, shop)
    types = [TYPES[kind] for kind in campaigns.kind]
    channels = [CHANNELS[channel] for channel in campaigns.channel]
    titles = [
        f"{channel} {kind} {number}"
        for number, (channel, kind) in enumerate(zip(channels, types, strict=True), 1)
    ]
    sent_at = _timestamps(campaigns.sent, shop, ~campaigns.is_sent_at_once)
    return pa.table(
        {
            "campaign": campaigns.names,
            "type": types,
            "channel": channels,
            "sent_at": sent_at,
            "name": titles,
        }
    )


def generated_touches(
    events: int, customers: int, *, seed: int, shop: Shop
) -> pa.RecordBatchReader:
    """Generate a stream of touches, a block of about a million events at a time.

    Parameters
    ----------
    events
        Rows; of each block of them, the shares of `STAGE_SHARES`.
    customers
        Customers 1, 2, … are reached.
    seed
        Same seed, same rows.
    shop
        Between its first and last day.

    Returns
    -------
    pyarrow.RecordBatchReader
        Of `TOUCHES_SCHEMA`: ``event_id`` ascending from 1, ``customer_id`` null for unknown
        visitors, ``occurred_at`` local and ascending within a block, ``message`` the same for all
        that became of a message.

    Raises
    ------
    ConfigError
        If `events` is negative, or there are events and no customers.
    """
    if events < 0:
        raise ConfigError(f"events is {events}", remedy="it must be 0 or more")
    if events and not customers:
        raise ConfigError("there are events and no customers", remedy="generate some customers")
    batches = _batches(events, customers, seed, shop)
    return pa.RecordBatchReader.from_batches(TOUCHES_SCHEMA, batches)


def _batches(events: int, customers: int, seed: int, shop: Shop) -> Iterator[pa.RecordBatch]:
    campaigns = Campaigns(seed, shop)
    texts = [pa.array(values) for values in (KINDS, CHANNELS, campaigns.names)]
    for block, before in enumerate(range(0, events, EVENTS_PER_BLOCK)):
        size = min(EVENTS_PER_BLOCK, events - before)
        random = np.random.Generator(np.random.SFC64([seed, block, 3]))
        customer, seconds, kind, campaign, message = _block(
            random, size, customers, campaigns, shop
        )
        codes = (kind, campaigns.channel[campaign], campaign)
        yield pa.record_batch(
            [
                pa.array(np.arange(before + 1, before + 1 + size)),
                pa.array(customer, mask=customer == 0),
                _timestamps(seconds, shop),
                *(
                    pa.DictionaryArray.from_arrays(pa.array(code), text)
                    for code, text in zip(codes, texts, strict=True)
                ),
                pa.array(message + before + 1),
            ],
            schema=TOUCHES_SCHEMA,
        )


def _block(
    random: np.random.Generator, size: int, customers: int, campaigns: Campaigns, shop: Shop
) -> tuple[NDArray[np.int64], ...]:
    """Return customer (0: nobody), second, kind, campaign and message of a block's events."""
    noticed, led_on = (int(size * share) for share in STAGE_SHARES[1:])
    messages = size - noticed - led_on
    campaign = random.integers(0, CAMPAIGNS, messages, dtype=np.int16)
    customer = 1 + (customers * random.random(messages) ** REACH_SKEW).astype(np.int64)
    is_popup = campaigns.channel[campaign] == CHANNELS.index("Popup")
    customer[is_popup & (random.random(messages, np.float32) < NOBODY_SHARE)] = 0
    end = ((shop.last_day - shop.first_day).days + 1) * SECONDS_PER_DAY
    sent = np.where(
        campaigns.is_sent_at_once[campaign],
        campaigns.sent[campaign],
        random.integers(0, end, messages),
    )
    arrived = sent + _delay(random, messages, 0)
    # Messages are alike until here: any of them may stand for those that were noticed.
    seen = arrived[:noticed] + _delay(random, noticed, 1)
    used = seen[:led_on] + _delay(random, led_on, 2)
    seconds = np.minimum(np.concatenate((arrived, seen, used)), end - 1)
    message = np.concatenate((np.arange(messages), np.arange(noticed), np.arange(led_on)))
    stage = np.repeat(np.arange(3, dtype=np.int8), (messages, noticed, led_on))
    by_time = (seconds << 32) | np.arange(size)  # a third of the time of a stable argsort
    by_time.sort()
    order = by_time & 0xFFFFFFFF
    message = message[order]
    campaign = campaign[message]
    kind_of = np.array([[KINDS.index(kind) for kind in stages] for stages in STAGES], np.int8)
    kind = kind_of[campaigns.channel[campaign], stage[order]]
    return customer[message], seconds[order], kind, campaign, message


def _delay(random: np.random.Generator, size: int, stage: int) -> NDArray[np.int64]:
    delays = random.standard_exponential(size, np.float32) * np.float32(MEAN_DELAY_SECONDS[stage])
    return delays.astype(np.int64)


def _timestamps(
    seconds: NDArray[np.int64], shop: Shop, missing: NDArray[np.bool_] | None = None
) -> pa.Array:
    first = int(np.datetime64(shop.first_day, "s").astype(np.int64))
    return pa.array((seconds + first) * MICROSECONDS, mask=missing).view(pa.timestamp("us"))
