"""Integers and times from text, read strictly: a value is one, or the row is named.

Values are data[offsets[row]:offsets[row + 1]]; a value of no byte is missing, and what is written
for it means nothing.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int8Out, Int32s, Int64Out, Int64s, UInt8s

NOWHERE = -1
ZERO, NINE = 48, 57
PLUS, MINUS, COMMA, POINT, SPACE, TAB, COLON = 43, 45, 44, 46, 32, 9, 58
LARGEST = np.uint64(2**63 - 1)
EXACT_IN_FLOAT64 = 2**53
#: What integers may look like: with a minus; with ".0" behind them, as floats that are whole; or
#: with anything that leaves the number what it is: spaces around, a plus, zeros before it.
SIGNED, WHOLE_FLOATS, LENIENT = 1, 2, 4

#: What a text says: nothing, no time, a day, a time on the wall, or an instant.
MISSING, NO_TIME, A_DAY, ON_THE_WALL, INSTANT = 0, 1, 2, 3, 4
KINDS = 5
#: Steps of a pattern, as in ordercycle._sources.text.time_formats.
(LITERAL, SPACES, YEAR, SHORT_YEAR, MONTH, DAY, HOUR, HALF_HOUR, MINUTE, SECOND, FRACTION, HALF,
 MONTH_NAME, MONTH_NAME_IN_FULL, DAY_NAME, DAY_NAME_IN_FULL, OFFSET, EPOCH) = range(18)  # fmt: skip
PIVOT = 69  # two digits from here on are of the twentieth century
SECOND_US = 10**6
MINUTE_US, HOUR_US, DAY_US = 60 * SECOND_US, 3600 * SECOND_US, 86_400 * SECOND_US
MOST_EPOCH_DIGITS = 12
FRACTION_DIGITS, FRACTION_IN_US = 9, 6

WIDTH = 9
MONTH_NAMES = np.frombuffer(
    b"january  february march    april    may      june     july     august   september"
    b"october  november december ",
    np.uint8,
)
DAY_NAMES = np.frombuffer(
    b"monday   tuesday  wednesdaythursday friday   saturday sunday   ", np.uint8
)
MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)

# n = values, b = bytes, s = steps, f = formats


@helper
def is_digit(byte: int) -> bool:
    """Return whether a byte is a digit."""
    return ZERO <= byte <= NINE


@helper
def trimmed(data: UInt8s, start: int, stop: int) -> tuple[int, int]:
    """Return where a value begins and ends without the spaces around it."""
    while start < stop and (data[start] == SPACE or data[start] == TAB):
        start += 1
    while start < stop and (data[stop - 1] == SPACE or data[stop - 1] == TAB):
        stop -= 1
    return start, stop


@kernel
def read_integers(offsets: Int32s, data: UInt8s, allowed: int, out: Int64Out) -> int:
    """Read integers; return the first row that is none, or NOWHERE.

    offsets: (n + 1,); data: (b,); allowed: SIGNED, WHOLE_FLOATS, LENIENT, added up; out: (n,).
    """
    lenient = allowed & LENIENT != 0
    for row in range(out.size):
        start, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        out[row] = 0
        if start == stop:
            continue
        if lenient:
            start, stop = trimmed(data, start, stop)
        whole = False
        if allowed & WHOLE_FLOATS and stop - start > 2:
            whole = data[stop - 1] == ZERO and data[stop - 2] == POINT
            stop -= 2 * whole
        negative = start < stop and data[start] == MINUS and allowed & (SIGNED | LENIENT) != 0
        start += negative or (lenient and start < stop and data[start] == PLUS)
        while lenient and stop - start > 1 and data[start] == ZERO:
            start += 1
        length = stop - start
        if length < 1 or length > 19:
            return row
        if data[start] == ZERO and (length > 1 or (negative and not lenient)):
            return row
        number = np.uint64(0)
        for place in range(start, stop):
            digit = data[place]
            if digit < ZERO or digit > NINE:
                return row
            number = number * np.uint64(10) + np.uint64(digit - ZERO)
        if number > LARGEST or (whole and number > np.uint64(EXACT_IN_FLOAT64)):
            return row
        out[row] = -np.int64(number) if negative else np.int64(number)
    return NOWHERE


@helper
def two_digits(data: UInt8s, place: int, stop: int) -> int:
    """Return the number of exactly two digits, or NOWHERE."""
    if place + 2 > stop or not is_digit(data[place]) or not is_digit(data[place + 1]):
        return NOWHERE
    return (np.int64(data[place]) - ZERO) * 10 + np.int64(data[place + 1]) - ZERO


@helper
def days_of_date(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a date of the Gregorian calendar."""
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


@helper
def is_date(year: int, month: int, day: int) -> bool:
    """Return whether there is such a day."""
    if year < 1 or month < 1 or month > 12 or day < 1:
        return False
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return day <= 29
    return day <= MONTH_DAYS[month - 1]


@helper
def offset_from(data: UInt8s, place: int, stop: int) -> tuple[int, int]:
    """Read Z, +02, +0200, +02:00 or +02:00:00; return where it ends and its microseconds."""
    if place < stop and data[place] | 32 == 122:
        return place + 1, 0
    if place >= stop or (data[place] != PLUS and data[place] != MINUS):
        return NOWHERE, 0
    negative = data[place] == MINUS
    hours = two_digits(data, place + 1, stop)
    if hours < 0 or hours > 23:
        return NOWHERE, 0
    offset = hours * HOUR_US
    place += 3
    for unit in (MINUTE_US, SECOND_US):
        after = place + (place < stop and data[place] == COLON)
        number = two_digits(data, after, stop)
        if number < 0 or number > 59:
            break
        offset += number * unit
        place = after + 2
    return place, -offset if negative else offset


@helper
def fraction_from(data: UInt8s, place: int, stop: int) -> tuple[int, int]:
    """Read up to nine digits behind the seconds; return where they end and microseconds."""
    micros, digits = 0, 0
    while place < stop and digits < FRACTION_DIGITS and is_digit(data[place]):
        if digits < FRACTION_IN_US:
            micros = micros * 10 + np.int64(data[place]) - ZERO
        digits += 1
        place += 1
    if digits == 0:
        return NOWHERE, 0
    for _ in range(digits, FRACTION_IN_US):
        micros *= 10
    return place, micros


@helper
def iso_time(data: UInt8s, start: int, stop: int) -> tuple[int, int]:
    """Read an ISO 8601 date or timestamp; return its kind and microseconds since 1970."""
    century = two_digits(data, start, stop)
    years = two_digits(data, start + 2, stop)
    month = two_digits(data, start + 5, stop)
    day = two_digits(data, start + 8, stop)
    if century < 0 or years < 0 or month < 0 or day < 0:
        return NO_TIME, 0
    year = century * 100 + years
    if data[start + 4] != MINUS or data[start + 7] != MINUS or not is_date(year, month, day):
        return NO_TIME, 0
    micros = days_of_date(year, month, day) * DAY_US
    place = start + 10
    if place == stop:
        return A_DAY, micros
    if data[place] != SPACE and data[place] | 32 != 116:
        return NO_TIME, 0
    hour = two_digits(data, place + 1, stop)
    if hour < 0 or hour > 23:
        return NO_TIME, 0
    micros += hour * HOUR_US
    place += 3
    if place < stop and data[place] == COLON:
        minute = two_digits(data, place + 1, stop)
        if minute < 0 or minute > 59:
            return NO_TIME, 0
        micros += minute * MINUTE_US
        place += 3
        if place < stop and data[place] == COLON:
            second = two_digits(data, place + 1, stop)
            if second < 0 or second > 59:
                return NO_TIME, 0
            micros += second * SECOND_US
            place += 3
            if place < stop and (data[place] == POINT or data[place] == COMMA):
                place, fraction = fraction_from(data, place + 1, stop)
                if place < 0:
                    return NO_TIME, 0
                micros += fraction
    if place == stop:
        return ON_THE_WALL, micros
    place, offset = offset_from(data, place + (data[place] == SPACE), stop)
    return (INSTANT, micros - offset) if place == stop else (NO_TIME, 0)


@helper
def name_from(data: UInt8s, place: int, stop: int, names: UInt8s, in_full: bool) -> tuple[int, int]:
    """Read one of some names; return where it ends and its number from 1, or NOWHERE."""
    for number in range(names.size // WIDTH):
        length = 0
        while length < WIDTH and names[number * WIDTH + length] != SPACE:
            length += 1
        length = length if in_full else 3
        same = place + length <= stop
        for letter in range(length):
            same = same and data[place + letter] | 32 == names[number * WIDTH + letter]
        if same:
            return place + length, number + 1
    return NOWHERE, 0


@helper
def number_from(data: UInt8s, place: int, stop: int, most: int, exactly: int) -> tuple[int, int]:
    """Read a number of up to `most` digits, or so many; return where it ends, and the number."""
    number, digits = 0, 0
    while place < stop and digits < most and is_digit(data[place]):
        number = number * 10 + np.int64(data[place]) - ZERO
        digits += 1
        place += 1
    if digits == 0 or (exactly != 0 and digits < most):
        return NOWHERE, 0
    return place, number


@helper
def epoch_from(data: UInt8s, place: int, stop: int) -> tuple[int, int]:
    """Read seconds since 1970; return where they end, and microseconds."""
    negative = place < stop and data[place] == MINUS
    place, seconds = number_from(data, place + negative, stop, MOST_EPOCH_DIGITS, 0)
    return place, (-seconds if negative else seconds) * SECOND_US


@helper
def time_by(
    data: UInt8s, start: int, stop: int, steps: Int64s, first: int, last: int, kind: int
) -> tuple[int, int]:
    """Read a time by the steps of a format; return its kind and microseconds since 1970."""
    year, month, day, hour, micros, half = 1970, 1, 1, 0, 0, NOWHERE
    place = start
    for number in range(first, last):
        step, argument = steps[2 * number], steps[2 * number + 1]
        value = 0
        if step == LITERAL:
            if place == stop:
                return NO_TIME, 0
            byte = np.int64(data[place])
            byte += 32 * (65 <= byte <= 90)
            place = place + 1 if byte == argument else NOWHERE
        elif step == SPACES:
            begin = place
            while place < stop and (data[place] == SPACE or data[place] == TAB):
                place += 1
            place = place if place > begin else NOWHERE
        elif step == YEAR:
            place, year = number_from(data, place, stop, 4, 1)
        elif step == SHORT_YEAR:
            place, year = number_from(data, place, stop, 2, 1)
            year += 1900 if year >= PIVOT else 2000
        elif step == MONTH:
            place, month = number_from(data, place, stop, 2, argument)
        elif step == DAY:
            place, day = number_from(data, place, stop, 2, argument)
        elif step == HOUR:
            place, hour = number_from(data, place, stop, 2, argument)
            if hour > 23:
                return NO_TIME, 0
        elif step == HALF_HOUR:
            place, hour = number_from(data, place, stop, 2, argument)
            if hour < 1 or hour > 12:
                return NO_TIME, 0
        elif step in (MINUTE, SECOND):
            place, value = number_from(data, place, stop, 2, argument)
            if value > 59:
                return NO_TIME, 0
            micros += value * (MINUTE_US if step == MINUTE else SECOND_US)
        elif step == FRACTION:
            place, value = fraction_from(data, place, stop)
            micros += value
        elif step == HALF:
            if place + 2 > stop or data[place + 1] | 32 != 109:
                return NO_TIME, 0
            half = 0 if data[place] | 32 == 97 else 12 if data[place] | 32 == 112 else NOWHERE
            place = place + 2 if half != NOWHERE else NOWHERE
        elif step in (MONTH_NAME, MONTH_NAME_IN_FULL):
            place, month = name_from(data, place, stop, MONTH_NAMES, step == MONTH_NAME_IN_FULL)
        elif step in (DAY_NAME, DAY_NAME_IN_FULL):
            place, value = name_from(data, place, stop, DAY_NAMES, step == DAY_NAME_IN_FULL)
        elif step == OFFSET:
            place, value = offset_from(data, place, stop)
            micros -= value
        else:
            place, value = epoch_from(data, place, stop)
            micros += value
        if place == NOWHERE:
            return NO_TIME, 0
    if place != stop or not is_date(year, month, day):
        return NO_TIME, 0
    if half != NOWHERE:
        hour = hour % 12 + half
    return kind, days_of_date(year, month, day) * DAY_US + hour * HOUR_US + micros


@kernel
def read_times(
    offsets: Int32s,
    data: UInt8s,
    steps: Int64s,
    ends: Int64s,
    kinds: Int64s,
    out_micros: Int64Out,
    out_kinds: Int8Out,
    out_counts: Int64Out,
) -> None:
    """Read times by the first format that fits, or in ISO 8601 where there is no format.

    offsets: (n + 1,); data: (b,); steps: (2 * s,), each with its argument behind it; ends: (f,)
    of the steps of each format; kinds: (f,) of its times; out_micros: (n,) since 1970, of
    instants in UTC; out_kinds: (n,); out_counts: (KINDS,) values of each kind.
    """
    out_counts[:] = 0
    for row in range(out_micros.size):
        start, stop = trimmed(data, np.int64(offsets[row]), np.int64(offsets[row + 1]))
        kind, micros = NO_TIME, 0
        if offsets[row] == offsets[row + 1]:
            kind = MISSING
        elif ends.size == 0:
            kind, micros = iso_time(data, start, stop)
        first = 0
        for one in range(ends.size):
            if kind != NO_TIME:
                break
            kind, micros = time_by(data, start, stop, steps, first, ends[one], kinds[one])
            first = ends[one]
        out_micros[row] = micros
        out_kinds[row] = kind
        out_counts[kind] += 1
