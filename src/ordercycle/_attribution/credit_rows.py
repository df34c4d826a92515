"""What touches are credited with: a row for every touch of every order and refund."""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.attribution_options import AttributionOptions
from ordercycle._attribution.option_checks import DECAY, FIRST, LINEAR, POSITION
from ordercycle._attribution.order_rows import OrderRows
from ordercycle._attribution.touch_paths import Paths
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle_kernels import credit_shares as kernels

Int64s = NDArray[np.int64]


class Credits(NamedTuple):
    """The touches that orders are credited to, as in `Paths`, and their weights: (w,)."""

    offsets: Int64s
    rows: Int64s
    lengths: NDArray[np.int32]
    weights: Int64s
    wholes: Int64s


class CreditRows(NamedTuple):
    """A row for every touch of every entry, one for an entry without any.

    entries: (r,), rows of orders and refunds; touches: (r,), of the batch of touches, NO_ORDER for
    none; shares: (r,), of the order, 0 of what is no order, NaN without a touch; parts: (r,), of
    the amount.
    """

    entries: Int64s
    touches: Int64s
    shares: NDArray[np.float64]
    parts: AmountWords


def credits_of(model: AttributionOptions, paths: Paths, instants: Int64s) -> Credits:
    """Return what the touches of orders are credited with; instants: of all touches of a batch."""
    lengths, places = paths.lengths, paths.places
    offsets, rows = paths.offsets, paths.rows
    if model.model == FIRST:
        first = places == 0
        before = np.concatenate([[0], np.cumsum(first)])
        offsets, rows, lengths = before[offsets], rows[first], np.ones_like(lengths[first])
        places = places[first]
    if model.model == LINEAR:
        weights = np.ones(rows.size, np.int64)
        wholes = lengths.astype(np.int64)
    elif model.model == POSITION:
        weights, wholes = _by_position(lengths.astype(np.int64), places)
    elif model.model == DECAY:
        weights = np.empty(rows.size, np.int64)
        kernels.decay_weights(lengths, places, instants[rows], model.halving, powers(), weights)
        firsts = np.flatnonzero(places == 0)
        sums = np.add.reduceat(weights, firsts) if firsts.size else weights
        wholes = np.repeat(sums, lengths[firsts])
    else:
        weights = wholes = np.ones(rows.size, np.int64)
    return Credits(offsets, rows, lengths, weights, wholes)


def _by_position(lengths: Int64s, places: NDArray[np.int32]) -> tuple[Int64s, Int64s]:
    """Return 40, 20 and 40 per cent of first, middle and last touches as whole weights."""
    middle = np.maximum(lengths - 2, 0)
    is_end = (places == 0) | (places == lengths - 1)
    weights = np.where(is_end & (middle > 0), 2 * middle, 1)
    return weights, np.where(middle > 0, 5 * middle, lengths)


@cache
def powers() -> Int64s:
    """Return 2**31 by powers of a half: to 1024ths, to 1024ths of these, and again of these."""
    context = Context(prec=40)
    half = Decimal(2)
    found = [
        int(
            context.multiply(
                Decimal(1 << kernels.WEIGHT_BITS),
                context.power(half, -Decimal(step) / kernels.STEPS**digit),
            ).to_integral_value()
        )
        for digit in (1, 2, 3)
        for step in range(kernels.STEPS)
    ]
    return np.array(found, np.int64)


def rows_of_credits(
    orders: OrderRows, credited: Credits, *, has_amount: bool, is_float: bool
) -> CreditRows:
    """Return a row for every touch of every entry; refunds have those of their orders."""
    size = orders.are_orders.size
    room = max(size + credited.rows.size, 1)
    while True:
        entries, places = np.empty((2, room), np.int64)
        found = kernels.list_credits(credited.offsets, orders.orders, entries, places)
        if found <= room:
            break
        room = found
    entries, places = entries[:found], places[:found]
    known = places != kernels.NO_ORDER
    touches = np.full(found, kernels.NO_ORDER)
    of_known = places[known]
    touches[known] = credited.rows[of_known]
    is_whole = not credited.lengths.size or int(credited.lengths.max()) == 1
    shares = np.where(known, 1.0, np.nan)
    if not is_whole:
        shares[known] = credited.weights[of_known] / credited.wholes[of_known]
    if orders.has_refunds:
        shares[known & ~orders.are_orders[entries]] = 0.0
    parts = AmountWords(NO_WORDS, NO_WORDS)
    if has_amount:
        words = orders.batch.words
        parts = (
            words.take(entries)
            if is_whole
            else _parts(words, entries, places, known, credited, is_float=is_float)
        )
    return CreditRows(entries, touches, shares, parts)


def _parts(
    words: AmountWords,
    entries: Int64s,
    places: Int64s,
    known: NDArray[np.bool_],
    credited: Credits,
    *,
    is_float: bool,
) -> AmountWords:
    """Return the part of its entry's amount that each row has."""
    lengths = np.ones(entries.size, np.int32)
    weights = np.ones(entries.size, np.int64)
    lengths[known] = credited.lengths[places[known]]
    weights[known] = credited.weights[places[known]]
    if is_float:
        floats = np.empty(entries.size)
        kernels.split_floats(entries, lengths, weights, words.lows, floats)
        return AmountWords(floats, NO_WORDS)
    lows = np.empty(entries.size, np.int64)
    highs = np.empty(entries.size, np.int64) if words.highs.size else NO_WORDS
    kernels.split_integers(
        entries, lengths, weights, words.lows.view(np.int64), words.highs, lows, highs
    )
    return AmountWords(lows, highs)
