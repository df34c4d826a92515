"""Four groups by how long a customer has been silent, against the customer's own rhythm."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64s, Int8Out, Int32s, Int64Out, Int64s

# Codes in the order in which reports show the groups; -1 without orders.
JUST_ORDERED, ACTIVE, SLIPPING_AWAY, LOST = np.int8(0), np.int8(1), np.int8(2), np.int8(3)
NO_GROUP = np.int8(-1)

#: A bound that misses a whole day by less is that day: what rounding took from it comes back.
TIE = 1e-9

#: Places of the sums over customers.
REPEAT_CUSTOMERS, GAPS_LOW, GAPS_HIGH, SUM_LOW, SUM_HIGH, SQUARES_LOW, SQUARES_HIGH = range(7)
SUMS = 7
LOW_HALF = np.int64(2**32 - 1)
SHIFT_32 = np.int64(32)

# c = customers


@helper
def silent_limits(
    orders: int, gap_sum: int, gap_square_sum: int, rhythm: Float64s
) -> tuple[float, float]:
    """Return how long a customer may be silent and be active, and slipping away.

    rhythm: mean and variance of all customers' gaps, the gaps they count for against the
    customer's own, and 1 where the customer's own count (0: they do not).
    """
    prior_gaps = rhythm[2]
    gaps = orders - 1
    # Computed for everyone and then chosen: a branch that is guessed wrong takes longer.
    counted = np.float64(max(gaps, 1))
    weight = counted + prior_gaps
    # The numerator of the customer's own variance is an integer: nothing cancels.
    own = np.float64(gaps * gap_square_sum - gap_sum * gap_sum) / counted
    has_own = gaps > 0 and rhythm[3] > 0
    mean = (np.float64(gap_sum) + prior_gaps * rhythm[0]) / weight if has_own else rhythm[0]
    variance = (own + prior_gaps * rhythm[1]) / weight if has_own else rhythm[1]
    deviation = np.sqrt(variance)
    return mean + deviation + TIE, mean + 2 * deviation + TIE


@helper
def silent_days(
    orders: int, gap_sum: int, gap_square_sum: int, rhythm: Float64s
) -> tuple[int, int]:
    """Return the most whole days of silence, as `silent_limits`."""
    active, slipping = silent_limits(orders, gap_sum, gap_square_sum, rhythm)
    return np.int64(np.floor(active)), np.int64(np.floor(slipping))


@kernel
def cadence_codes(
    since_last_order: Int32s,
    orders: Int64s,
    gap_sums: Int32s,
    gap_square_sums: Int64s,
    just_ordered_days: int,
    rhythm: Float64s,
    out_codes: Int8Out,
) -> None:
    """Write each customer's group.

    since_last_order, gap_sums, gap_square_sums (any value without orders or gaps), orders,
    out_codes: (c,); rhythm: (4,), as `silent_limits` takes it.
    """
    for customer in range(orders.size):
        silent = since_last_order[customer]
        active, slipping = silent_limits(
            orders[customer], np.int64(gap_sums[customer]), gap_square_sums[customer], rhythm
        )
        group = np.int64(ACTIVE) + (silent > active) + (silent > slipping)
        group = np.int64(JUST_ORDERED) if silent <= just_ordered_days else group
        out_codes[customer] = np.int64(NO_GROUP) if orders[customer] == 0 else group


@kernel
def next_cadence_codes(
    since_last_order: Int32s,
    orders: Int64s,
    gap_sums: Int32s,
    gap_square_sums: Int64s,
    just_ordered_days: int,
    rhythm: Float64s,
    out_codes: Int8Out,
    out_days: Int64Out,
) -> None:
    """Write each customer's next group without orders, and the days until then.

    since_last_order, orders, gap_sums, gap_square_sums: (c,) and rhythm: (4,), as `cadence_codes`
    takes them; out_codes, out_days: (c,), NO_GROUP and 0 where none comes.
    """
    for customer in range(orders.size):
        silent = np.int64(since_last_order[customer])
        code, last_day = NO_GROUP, silent - 1
        if orders[customer] > 0:
            active_days, slipping_days = silent_days(
                orders[customer],
                np.int64(gap_sums[customer]),
                gap_square_sums[customer],
                rhythm,
            )
            # The last day in the present group decides which band the day after is in.
            if silent <= just_ordered_days:
                last_day = just_ordered_days
            elif silent <= active_days:
                last_day = active_days
            elif silent <= slipping_days:
                last_day = slipping_days
            if last_day >= silent:
                if last_day < active_days:
                    code = ACTIVE
                elif last_day < slipping_days:
                    code = SLIPPING_AWAY
                else:
                    code = LOST
        out_codes[customer] = code
        out_days[customer] = last_day + 1 - silent


@kernel
def sum_gaps(orders: Int64s, gap_sums: Int32s, gap_square_sums: Int64s, out_sums: Int64Out) -> None:
    """Add up customers with gaps, their gaps, and the gaps' days and squared days.

    orders, gap_sums, gap_square_sums (any value without gaps): (c,); out_sums: (SUMS,), 64-bit
    sums as sums of their low and high halves, so that 2**31 customers cannot overflow them.
    """
    out_sums[:] = 0
    for customer in range(orders.size):
        gaps = orders[customer] - 1
        if gaps < 1:
            continue
        days = np.int64(gap_sums[customer])
        squares = gap_square_sums[customer]
        out_sums[REPEAT_CUSTOMERS] += 1
        out_sums[GAPS_LOW] += gaps & LOW_HALF
        out_sums[GAPS_HIGH] += gaps >> SHIFT_32
        out_sums[SUM_LOW] += days & LOW_HALF
        out_sums[SUM_HIGH] += days >> SHIFT_32
        out_sums[SQUARES_LOW] += squares & LOW_HALF
        out_sums[SQUARES_HIGH] += squares >> SHIFT_32
