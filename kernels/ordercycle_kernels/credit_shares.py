"""What touches are credited with: weights, and money divided by them to the last unit.

Weights and money are whole numbers, so that parts add up to what was divided, and are the same on
every machine. Of money in floats the last part takes what the others leave.
"""

from __future__ import annotations

import math

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Bools,
    Float64Out,
    Float64s,
    Int32s,
    Int64Out,
    Int64s,
    UInt64s,
)
from ordercycle_kernels.event_order import SPREAD
from ordercycle_kernels.quotients import rounded

#: Weights of time decay have so many bits, and their tables so many steps.
WEIGHT_BITS = 31
STEP_BITS = 10
STEPS = 1 << STEP_BITS
#: Numbers are divided by weights so many bits at a time: what is left fits a word with them.
DIGIT_BITS = 16
DIGIT_MASK = np.uint64(0xFFFF)
#: More bits than a float has, to be rounded once.
QUOTIENT = np.int64(1) << np.int64(55)
NO_ORDER = -1

# n = entries (orders and refunds), c = customers, w = touches that orders are credited to
# r = rows: touches of entries, one for an entry without any


@kernel
def decay_weights(
    lengths: Int32s,
    places: Int32s,
    instants: Int64s,
    half_life: int,
    powers: Int64s,
    out_weights: Int64Out,
) -> None:
    """Write 2**31 * 2**(-age / half_life), by age before the last touch of the path.

    lengths, places, instants, out_weights: (w,); powers (2**31 by powers of a half, to 1024ths,
    to their 1024ths and to those of these): (3 * STEPS,).
    """
    for row in range(lengths.size):
        last = row + lengths[row] - 1 - places[row]
        age = instants[last] - instants[row]
        halvings, rest = age // half_life, age % half_life
        weight = np.int64(1) << WEIGHT_BITS
        for digit in range(3):
            rest <<= STEP_BITS
            step = rest // half_life
            rest -= step * half_life
            weight = (weight * powers[digit * STEPS + step]) >> WEIGHT_BITS
        out_weights[row] = weight >> halvings if halvings < 63 else 0


@kernel
def link_orders(
    offsets: Int64s,
    are_orders: Bools,
    keys: UInt64s,
    wanted: UInt64s,
    has_wanted: Bools,
    table: Int64Out,
    out_orders: Int64Out,
) -> int:
    """Write of which order each entry is, NO_ORDER of those of none; return how many these are.

    offsets: (c + 1,); are_orders, keys (of orders), wanted (what others are of), has_wanted,
    out_orders: (n,); table (zeros, a power of two and at least 2n): (s,).
    """
    unknown = 0
    mask = np.uint64(table.size - 1)
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        others = 0
        for entry in range(start, stop):
            out_orders[entry] = entry if are_orders[entry] else NO_ORDER
            others += not are_orders[entry]
        if others == 0:
            continue
        own = np.uint64(customer)
        for entry in range(start, stop):
            if are_orders[entry] and has_wanted[entry]:
                slot = ((keys[entry] + own) * SPREAD >> np.uint64(32)) & mask
                while table[slot] != 0 and not (
                    table[slot] > start and keys[table[slot] - 1] == keys[entry]
                ):
                    slot = (slot + np.uint64(1)) & mask
                if table[slot] == 0:
                    table[slot] = entry + 1
        for entry in range(start, stop):
            if are_orders[entry]:
                continue
            if has_wanted[entry]:
                slot = ((wanted[entry] + own) * SPREAD >> np.uint64(32)) & mask
                while table[slot] != 0 and not (
                    table[slot] > start and keys[table[slot] - 1] == wanted[entry]
                ):
                    slot = (slot + np.uint64(1)) & mask
                if table[slot] != 0:
                    out_orders[entry] = table[slot] - 1
            unknown += out_orders[entry] == NO_ORDER
    return unknown


@kernel
def list_credits(
    offsets: Int64s, orders: Int64s, out_entries: Int64Out, out_touches: Int64Out
) -> int:
    """Write a row for every touch of an entry's order, NO_ORDER for none, and return how many.

    offsets: (n + 1,) into the touches of orders; orders (of each entry): (n,); out_entries,
    out_touches (of more rows than there is room for, as many as there is): (r,).
    """
    found = 0
    for entry in range(orders.size):
        order = orders[entry]
        begin = offsets[order] if order >= 0 else np.int64(0)
        end = offsets[order + 1] if order >= 0 else np.int64(0)
        if begin == end:
            if found < out_entries.size:
                out_entries[found] = entry
                out_touches[found] = NO_ORDER
            found += 1
        for touch in range(begin, end):
            if found < out_entries.size:
                out_entries[found] = entry
                out_touches[found] = touch
            found += 1
    return found


@helper
def unsigned_words(low: int, high: int) -> tuple[np.uint64, np.uint64]:
    """Return the words of a number of 128 bits without its sign, the lower first."""
    one, other = np.uint64(low), np.uint64(high)
    if high < 0:
        one = ~one + np.uint64(1)
        other = ~other + np.uint64(one == 0)
    return one, other


@helper
def divided(
    low: np.uint64, high: np.uint64, whole: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return the quotient of 128 bits and a weight of up to 48, the lower word first; the rest."""
    rest = np.uint64(0)
    words = (low, high)
    quotients = np.zeros(2, np.uint64)
    for word in range(1, -1, -1):
        for digit in range(3, -1, -1):
            shift = np.uint64(DIGIT_BITS * digit)
            value = (rest << np.uint64(DIGIT_BITS)) | ((words[word] >> shift) & DIGIT_MASK)
            quotients[word] |= (value // whole) << shift
            rest = value % whole
    return quotients[0], quotients[1], rest


@helper
def share_of(
    quotient: np.uint64, high: np.uint64, rest: np.uint64, weight: np.uint64, whole: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return (quotient * whole + rest) * weight / whole, and what is left of it.

    weight: of up to 32 bits.
    """
    half = np.uint64(DIGIT_BITS)
    first = rest * (weight >> half)
    second = ((first % whole) << half) + rest * (weight & DIGIT_MASK)
    extra = ((first // whole) << half) + second // whole
    left = second % whole
    lower = (quotient & np.uint64(0xFFFFFFFF)) * weight
    upper = (quotient >> np.uint64(32)) * weight
    low = lower + (upper << np.uint64(32))
    carried = (upper >> np.uint64(32)) + np.uint64(low < lower) + high * weight
    total = low + extra
    return total, carried + np.uint64(total < low), left


@kernel
def split_integers(
    entries: Int64s,
    lengths: Int32s,
    weights: Int64s,
    lows: Int64s,
    highs: Int64s,
    out_lows: Int64Out,
    out_highs: Int64Out,
) -> None:
    """Divide amounts by the weights of their paths; what is left goes to the largest remainders.

    entries, lengths, weights: (r,): the rows of a path come one after the other; lows: (n,); highs
    (their upper words): (n,), or (0,) where amounts have one word; out_lows: (r,); out_highs:
    (r,), or (0,).
    """
    row = 0
    while row < entries.size:
        size = np.int64(lengths[row])
        low = lows[entries[row]]
        high = highs[entries[row]] if highs.size else low >> 63
        if size <= 1:
            out_lows[row] = low
            if out_highs.size:
                out_highs[row] = high
            row += 1
            continue
        one, other = unsigned_words(low, high)
        whole = np.int64(0)
        for place in range(row, row + size):
            whole += weights[place]
        quotient, upper, rest = divided(one, other, np.uint64(whole))
        parts = np.empty((3, size), np.uint64)
        taken, taken_high = np.uint64(0), np.uint64(0)
        for place in range(size):
            part, part_high, left = share_of(
                quotient, upper, rest, np.uint64(weights[row + place]), np.uint64(whole)
            )
            parts[0, place], parts[1, place], parts[2, place] = part, part_high, left
            taken += part
            taken_high += part_high + np.uint64(taken < part)
        # Fewer units than touches are left: the lower words say how many.
        for _ in range(np.int64(one - taken)):
            best = 0
            for place in range(1, size):
                if parts[2, place] > parts[2, best]:
                    best = place
            parts[2, best] = np.uint64(0)
            parts[0, best] += np.uint64(1)
            parts[1, best] += np.uint64(parts[0, best] == 0)
        for place in range(size):
            part, part_high = parts[0, place], parts[1, place]
            if high < 0:
                part = ~part + np.uint64(1)
                part_high = ~part_high + np.uint64(part == 0)
            out_lows[row + place] = np.int64(part)
            if out_highs.size:
                out_highs[row + place] = np.int64(part_high)
        row += size


@helper
def exact_share(amount: float, weight: int, whole: int) -> float:
    """Return amount * weight / whole, rounded once."""
    if amount == 0.0 or weight == 0:
        return 0.0
    if whole % weight == 0:
        return amount / (whole // weight)
    fraction, exponent = math.frexp(abs(amount))
    mantissa = np.uint64(math.ldexp(fraction, 53))
    # The product, of up to 85 bits, as two words, the lower one of 32 bits.
    lower = (mantissa & np.uint64(0xFFFFFFFF)) * np.uint64(weight)
    upper = (mantissa >> np.uint64(32)) * np.uint64(weight) + (lower >> np.uint64(32))
    lower &= np.uint64(0xFFFFFFFF)
    quotient, rest = np.int64(upper) // whole, np.int64(upper) % whole
    shift = 32
    digits = 4
    while quotient < QUOTIENT:
        digit = np.int64(0)
        if digits > 0:
            digits -= 1
            digit = np.int64((lower >> np.uint64(8 * digits)) & np.uint64(0xFF))
        value = (rest << 8) | digit
        quotient = (quotient << 8) | (value // whole)
        rest = value % whole
        shift -= 8
    has_rest = rest != 0 or (digits > 0 and (lower & np.uint64((1 << (8 * digits)) - 1)) != 0)
    bits = 0
    counting = quotient
    while counting > 0:
        counting >>= 1
        bits += 1
    found = rounded(quotient, bits, exponent - 53 + shift, has_rest)
    return -found if amount < 0 else found


@kernel
def split_floats(
    entries: Int64s,
    lengths: Int32s,
    weights: Int64s,
    amounts: Float64s,
    out_parts: Float64Out,
) -> None:
    """Divide amounts by the weights of their paths: quotients rounded once; the last is the rest.

    Where these do not add up to the amount again, they are rounded as coarsely as it is.

    entries, lengths, weights, out_parts: (r,): the rows of a path come one after the other;
    amounts: (n,).
    """
    row = 0
    while row < entries.size:
        size = np.int64(lengths[row])
        amount = amounts[entries[row]]
        if size <= 1:
            out_parts[row] = amount
            row += 1
            continue
        whole = np.int64(0)
        for place in range(row, row + size):
            whole += weights[place]
        for attempt in range(2):
            taken = 0.0
            for place in range(row, row + size - 1):
                part = exact_share(amount, weights[place], whole)
                if attempt == 1:
                    part = (amount + part) - amount
                out_parts[place] = part
                taken += part
            out_parts[row + size - 1] = amount - taken
            if taken + out_parts[row + size - 1] == amount:
                break
        row += size
