"""What the values of each customer's events add up to, for many selections at once, exactly.

Sums of integers and decimals are held in parts of 32 bits, in int64s that have room for the carries
of 2**31 additions: the value is the sum of part[i] * 2**(32 * i), and the last part has the sign.
Sums of floats are two floats whose sum is exact unless they are marked as inexact: then they are
added up again by `sum_chunks`, which is exact always.

Where events are of few selections, these are gone through one by one; otherwise every event is
added to all sums, or nothing in its place, several at a time. What sums come to is the same.

Floats of no very different sizes, as money is, are cut into an upper and a lower part, each a
multiple of a unit of its own, small enough that no sum of one customer's is ever rounded.
"""

from __future__ import annotations

import math

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    BoolOut,
    BoolTable,
    Float64Out,
    Float64s,
    Float64Table,
    Int64s,
    Int64Table,
    UInt64s,
    UInt64Table,
)
from ordercycle_kernels.exact_sums import CHUNK_BITS, CHUNK_MASK, pieces_of_float
from ordercycle_kernels.marked_events import (
    ONE,
    ZERO,
    cost_one_by_one,
    filled_up,
    lowest_bit,
    number_of_bit,
    selections_of_bits,
)
from ordercycle_kernels.sums import within

#: Parts of a sum of values of one word, and of two.
WORD_PARTS, WIDE_PARTS = 2, 4
GREATEST = np.int64(2**63 - 1)
#: What it takes to add an event to a sum of integers or of floats, in ns, going through its
#: selections one by one; and to add it to all sums at once: at least, and for each (measured).
WORD_NS, FLOAT_NS = 1.6, 2.5
ALL_WORDS_NS, ALL_FLOATS_NS = (3.1, 0.28), (0.0, 0.75)
#: The same where floats are added in two parts.
PARTS_NS, ALL_PARTS_NS = 2.5, (0.5, 0.25)
#: Up to so many selections, values are added up by which of these they are in, where customers have
#: so many events on average: what that takes (measured).
FEW_SELECTIONS, MANY_EVENTS, CLASS_NS = 3, 20, 2.1
#: Of a float: the bits below its exponent, the exponent of 1, and the largest one of a splitter.
MANTISSA_BITS, EXPONENT_OF_1, MOST_EXPONENT = np.uint64(52), 1023, 1000

# n = events, sorted by customer; c = customers
# s = selections, 64 at most, each a bit of the marks of an event: shifts say which


@kernel
def sum_words(
    offsets: Int64s, words: Int64s, marks: UInt64s, shifts: UInt64s, out_parts: Int64Table
) -> None:
    """Sum each customer's 64-bit integers.

    offsets: (c + 1,); words, marks: (n,); shifts: (s,); out_parts (those of a selection together,
    the lower one first): (WORD_PARTS * s, c).
    """
    selections = shifts.size
    lows, highs = np.zeros(64, np.int64), np.zeros(64, np.int64)
    filled, lanes = filled_up(shifts, 4)
    bits, places = selections_of_bits(shifts)
    at_once = ALL_WORDS_NS[0] + ALL_WORDS_NS[1] * lanes
    one_by_one = cost_one_by_one(marks, bits, WORD_NS) <= at_once
    for customer in range(offsets.size - 1):
        for event in range(offsets[customer], offsets[customer + 1]):
            mark, low, high = marks[event], words[event] & CHUNK_MASK, words[event] >> CHUNK_BITS
            if one_by_one:
                mark &= bits
                while mark != ZERO:
                    bit = lowest_bit(mark)
                    mark ^= bit
                    lows[places[number_of_bit(bit)]] += low
                    highs[places[number_of_bit(bit)]] += high
                continue
            for place in range(lanes):
                mask = -np.int64((mark >> filled[place]) & ONE)
                lows[place] += low & mask
                highs[place] += high & mask
        for place in range(selections):
            row = WORD_PARTS * place
            out_parts[row, customer] = lows[place] & CHUNK_MASK
            out_parts[row + 1, customer] = highs[place] + (lows[place] >> CHUNK_BITS)
        for place in range(lanes):
            lows[place] = 0
            highs[place] = 0


@kernel
def sum_wide_words(
    offsets: Int64s,
    lows: Int64s,
    highs: Int64s,
    marks: UInt64s,
    shifts: UInt64s,
    out_parts: Int64Table,
) -> None:
    """Sum each customer's 128-bit integers.

    offsets: (c + 1,); lows, highs (their words), marks: (n,); shifts: (s,); out_parts (those
    of a selection together, the lowest one first): (WIDE_PARTS * s, c).
    """
    selections = shifts.size
    sums = np.zeros((WIDE_PARTS, 64), np.int64)
    filled, lanes = filled_up(shifts, 4)
    for customer in range(offsets.size - 1):
        for event in range(offsets[customer], offsets[customer + 1]):
            mark, low, high = marks[event], lows[event], highs[event]
            for place in range(lanes):
                mask = -np.int64((mark >> filled[place]) & ONE)
                sums[0, place] += (low & CHUNK_MASK) & mask
                sums[1, place] += ((low >> CHUNK_BITS) & CHUNK_MASK) & mask
                sums[2, place] += (high & CHUNK_MASK) & mask
                sums[3, place] += (high >> CHUNK_BITS) & mask
        for place in range(selections):
            carried = np.int64(0)
            for part in range(WIDE_PARTS):
                value = sums[part, place] + carried
                carried = value >> CHUNK_BITS
                is_last = part == WIDE_PARTS - 1
                row = WIDE_PARTS * place + part
                out_parts[row, customer] = value if is_last else value & CHUNK_MASK
        for place in range(lanes):
            for part in range(WIDE_PARTS):
                sums[part, place] = 0


@helper
def two_sum(one: float, other: float) -> tuple[float, float]:
    """Return the rounded sum of two floats, and what it was rounded by (Knuth)."""
    rounded = one + other
    share = rounded - one
    return rounded, (one - (rounded - share)) + (other - share)


@helper
def splitter_of(offsets: Int64s, values: Float64s) -> float:
    """Return by which to split values in two parts whose sums are exact; 0 where none does.

    offsets: (c + 1,); values: (n,). Added to a value and taken from it again, it leaves the upper
    part: a multiple of a unit of which 2**53 are more than the values of any customer. The rest is
    less than a unit, and what is below it is no more than 2**53 times the last bit of any value.
    """
    longest, largest, smallest = np.int64(2), ZERO, ~ZERO
    for customer in range(offsets.size - 1):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    bits = values[offsets[0] : offsets[offsets.size - 1]].view(np.uint64)
    for event in range(bits.size):
        magnitude = (bits[event] << ONE) >> ONE
        largest = max(largest, magnitude)
        smallest = min(smallest, magnitude - ONE)  # of 0, the largest word: it has no bits
    if largest == ZERO:
        return 1.0
    growth = 1
    while np.int64(1) << np.int64(growth) < longest:
        growth += 1
    highest = np.int64(largest >> MANTISSA_BITS) - EXPONENT_OF_1 + 1 + growth
    last_bit = max(np.int64((smallest + ONE) >> MANTISSA_BITS), np.int64(1)) - EXPONENT_OF_1 - 52
    unit = highest + 1 - 53
    if highest > MOST_EXPONENT or growth + unit - 1 > last_bit + 53:
        return 0.0
    return math.ldexp(1.5, int(unit + 52))


@helper
def class_of(mark: np.uint64, shifts: UInt64s) -> int:
    """Return which of three selections an event is in, below 8: shifts: (3 or more,)."""
    second, third = (mark >> shifts[1]) & ONE, (mark >> shifts[2]) & ONE
    return np.int64(((mark >> shifts[0]) & ONE) | second << ONE | third << np.uint64(2))


@helper
def sum_classes(highs: Float64Out, lows: Float64Out, place: int) -> tuple[float, float]:
    """Return what the classes of one selection come to.

    highs, lows: (16,): of each class twice, of which one is added to while the other is not ready.
    """
    bit = np.int64(1) << np.int64(place)
    high, low = 0.0, 0.0
    for number in range(4):
        found = ((number & -bit) << 1) | bit | (number & (bit - 1))
        high += highs[found] + highs[found + 8]
        low += lows[found] + lows[found + 8]
    return high, low


@kernel
def sum_floats_exactly(
    offsets: Int64s,
    values: Float64s,
    marks: UInt64s,
    shifts: UInt64s,
    out_sums: Float64Table,
    out_errors: Float64Table,
    out_inexact: BoolTable,
) -> None:
    """Sum each customer's floats.

    offsets: (c + 1,); values, marks: (n,); shifts: (s,); out_sums, out_errors (which added to them
    are the exact sums), out_inexact (where they are not): (s, c).
    """
    selections = shifts.size
    sums, errors, lost = np.zeros(64), np.zeros(64), np.zeros(64)
    filled, lanes = filled_up(shifts, 8)
    bits, places = selections_of_bits(shifts)
    splitter = splitter_of(offsets, values)
    is_split = splitter != 0.0
    of_selection, at_once = (PARTS_NS, ALL_PARTS_NS) if is_split else (FLOAT_NS, ALL_FLOATS_NS)
    all_at_once = at_once[0] + at_once[1] * lanes
    customers = offsets.size - 1
    has_classes = is_split and selections <= FEW_SELECTIONS
    has_classes &= offsets[customers] - offsets[0] >= MANY_EVENTS * customers
    one_by_one = cost_one_by_one(marks, bits, of_selection) <= (
        CLASS_NS if has_classes else all_at_once
    )
    highs, lows = np.zeros(16), np.zeros(16)
    for customer in range(customers):
        begin, end = offsets[customer], offsets[customer + 1]
        if has_classes and not one_by_one:
            for event in range(begin, end):
                value = values[event]
                high = (value + splitter) - splitter
                found = class_of(marks[event], filled) | (event & 1) << 3
                highs[found] += high
                lows[found] += value - high
            for place in range(selections):
                sums[place], errors[place] = sum_classes(highs, lows, place)
            highs[:] = 0.0
            lows[:] = 0.0
        elif is_split and not one_by_one:
            for event in range(begin, end):
                mark, value = marks[event], values[event]
                high = (value + splitter) - splitter
                low = value - high
                for place in range(lanes):
                    is_marked = (mark >> filled[place]) & ONE
                    sums[place] += high if is_marked else 0.0
                    errors[place] += low if is_marked else 0.0
        elif is_split:
            for event in range(begin, end):
                mark, value = marks[event] & bits, values[event]
                high = (value + splitter) - splitter
                low = value - high
                while mark != ZERO:
                    bit = lowest_bit(mark)
                    mark ^= bit
                    place = places[number_of_bit(bit)]
                    sums[place] += high
                    errors[place] += low
        elif one_by_one:
            for event in range(begin, end):
                mark, value = marks[event] & bits, values[event]
                while mark != ZERO:
                    bit = lowest_bit(mark)
                    mark ^= bit
                    place = places[number_of_bit(bit)]
                    sums[place], error = two_sum(sums[place], value)
                    errors[place], rest = two_sum(errors[place], error)
                    lost[place] += abs(rest)
        else:
            for event in range(begin, end):
                mark, value = marks[event], values[event]
                for place in range(lanes):
                    added = value if (mark >> filled[place]) & ONE else 0.0
                    sums[place], error = two_sum(sums[place], added)
                    errors[place], rest = two_sum(errors[place], error)
                    lost[place] += abs(rest)
        for place in range(selections):
            # NaN, which comes from sums beyond the largest float, is unlike 0 as well.
            out_inexact[place, customer] = not lost[place] == 0.0  # noqa: SIM201
            out_sums[place, customer], out_errors[place, customer] = two_sum(
                sums[place], errors[place]
            )
        for place in range(lanes):
            sums[place] = 0.0
            errors[place] = 0.0
            lost[place] = 0.0


@kernel
def sum_chunks(
    starts: Int64s,
    stops: Int64s,
    bits: Int64s,
    marks: UInt64s,
    shifts: UInt64s,
    out_sums: Int64Table,
) -> None:
    """Sum some rows of floats without any rounding, each sum of its own selection.

    starts, stops, shifts: (r,), of r sums; bits (of float64), marks: (n,); out_sums (zeros at
    first, in units of 2**-1074, to be carried by `carry_sums` afterwards): (r, k).
    """
    for row in range(starts.size):
        for event in range(starts[row], stops[row]):
            if (marks[event] >> shifts[row]) & ONE:
                chunk, pieces = pieces_of_float(bits[event])
                out_sums[row, chunk] += pieces[0]
                out_sums[row, chunk + 1] += pieces[1]
                out_sums[row, chunk + 2] += pieces[2]


@kernel
def words_of_parts(parts: Int64Table, bounds: UInt64s, out_words: UInt64Table) -> int:
    """Write sums as words, and return the first customer whose sum is too large, or -1.

    parts: (p, c); bounds (of the sums, as in `within`): (4,); out_words (the low one, and the high
    one where there are two): (c, w).
    """
    overflow = -1
    for customer in range(parts.shape[1]):
        low = np.uint64(parts[0, customer]) | (np.uint64(parts[1, customer]) << np.uint64(32))
        if parts.shape[0] == WORD_PARTS:
            high = parts[1, customer] >> CHUNK_BITS
            fits = True
        else:
            above = parts[3, customer]
            high = parts[2, customer] | (above << CHUNK_BITS)
            fits = above == (above << CHUNK_BITS) >> CHUNK_BITS
        if overflow < 0 and not (fits and within(high, low, bounds)):
            overflow = customer
        out_words[customer, 0] = low
        if out_words.shape[1] > 1:
            out_words[customer, 1] = np.uint64(high)
    return overflow


@kernel
def smallest_words(
    offsets: Int64s, words: Int64s, marks: UInt64s, shifts: UInt64s, out_words: Int64Table
) -> None:
    """Find each customer's smallest word.

    offsets: (c + 1,); words, marks: (n,); shifts: (s,); out_words (GREATEST without any): (s, c).
    """
    smallest = np.full(64, GREATEST)
    filled, lanes = filled_up(shifts, 4)
    for customer in range(offsets.size - 1):
        for event in range(offsets[customer], offsets[customer + 1]):
            mark, word = marks[event], words[event]
            for place in range(lanes):
                candidate = word if (mark >> filled[place]) & ONE else GREATEST
                smallest[place] = min(smallest[place], candidate)
        for place in range(shifts.size):
            out_words[place, customer] = smallest[place]
        for place in range(lanes):
            smallest[place] = GREATEST


@kernel
def smallest_wide_words(
    offsets: Int64s,
    lows: UInt64s,
    highs: Int64s,
    marks: UInt64s,
    shifts: UInt64s,
    out_lows: UInt64Table,
    out_highs: Int64Table,
) -> None:
    """Find each customer's smallest 128-bit integer.

    offsets: (c + 1,); lows, highs (their words), marks: (n,); shifts: (s,); out_lows, out_highs
    (the largest without any): (s, c).
    """
    below, above = np.full(64, ~np.uint64(0)), np.full(64, GREATEST)
    filled, lanes = filled_up(shifts, 4)
    for customer in range(offsets.size - 1):
        for event in range(offsets[customer], offsets[customer + 1]):
            mark, low, high = marks[event], lows[event], highs[event]
            for place in range(lanes):
                is_marked = (mark >> filled[place]) & ONE == ONE
                is_below = (high == above[place]) & (low < below[place])
                is_smaller = is_marked & ((high < above[place]) | is_below)
                below[place] = low if is_smaller else below[place]
                above[place] = high if is_smaller else above[place]
        for place in range(shifts.size):
            out_lows[place, customer], out_highs[place, customer] = below[place], above[place]
        for place in range(lanes):
            below[place] = ~np.uint64(0)
            above[place] = GREATEST


@kernel
def floats_of_parts(
    parts: Int64Table, out_sums: Float64Out, out_errors: Float64Out, out_inexact: BoolOut
) -> None:
    """Write sums as two floats each, as `sum_floats_exactly` does.

    parts: (p, c); out_sums, out_errors, out_inexact: (c,).
    """
    last = parts.shape[0] - 1
    for customer in range(parts.shape[1]):
        # The last part has 64 bits, which no float holds.
        unit = np.float64(2.0) ** (32.0 * last)
        top = parts[last, customer]
        total, error = two_sum(
            np.float64(top >> CHUNK_BITS) * 2.0**32 * unit, np.float64(top & CHUNK_MASK) * unit
        )
        lost = 0.0
        for part in range(last - 1, -1, -1):
            unit *= 2.0**-32
            total, rest = two_sum(total, np.float64(parts[part, customer]) * unit)
            error, rest = two_sum(error, rest)
            lost += abs(rest)
        out_inexact[customer] = lost > 0.0
        out_sums[customer], out_errors[customer] = two_sum(total, error)
