"""Plain records of delimited text, read in one pass: fields as they nearly always are.

Whatever is written in any other way is left to whoever reads all ways there are: nothing is read
wrongly here, it is not read at all. Records and quotes are those of `quoting`.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    BoolTable,
    Float64Table,
    Int32Out,
    Int64Out,
    Int64s,
    Int64Table,
    UInt8Out,
    UInt8s,
)
from ordercycle_kernels.quoting import CR, LF, QUOTE
from ordercycle_kernels.text_values import (
    A_DAY,
    COLON,
    DAY_US,
    EXACT_IN_FLOAT64,
    HOUR_US,
    INSTANT,
    MINUS,
    MINUTE_US,
    NINE,
    NO_TIME,
    ON_THE_WALL,
    POINT,
    SECOND_US,
    SPACE,
    ZERO,
    days_of_date,
    is_date,
    iso_time,
)

NOT_PLAIN = -1
#: What a field is read as: not at all, a text, an integer or a number (in all their ways, an
#: integer with a minus, or with ".0" behind it), or a time of one kind.
(SKIPPED, TEXT, INTEGER, SIGNED_INTEGER, WHOLE_FLOAT, NUMBER, DAYS, LOCAL_TIMES,
 INSTANTS) = range(9)  # fmt: skip
#: Integers of so many digits fit 64 bits.
MOST_DIGITS = 18
LETTER_T = 84
#: What numbers of so many digits behind the point are divided by: exact, as both numbers are, so
#: that the quotient is the nearest float.
POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)

# b = bytes, f = fields of a record, k = columns that are read, n = records at most


@inlined
def digits_from(data: UInt8s, place: int) -> tuple[int, int]:
    """Return where digits end and their number, which is none where they are too many."""
    number = np.int64(0)
    while place < data.size:
        digit = np.int64(data[place]) - ZERO
        if digit < 0 or digit > 9:
            break
        number = number * 10 + digit
        place += 1
    return place, number


@inlined
def integer_from(data: UInt8s, place: int, kind: int) -> tuple[int, int]:
    """Read an integer; return where it ends, or NOT_PLAIN, and the number."""
    negative = kind == SIGNED_INTEGER and place < data.size and data[place] == MINUS
    begin = place + negative
    place, number = digits_from(data, begin)
    digits = place - begin
    if digits < 1 or digits > MOST_DIGITS:
        return NOT_PLAIN, 0
    if data[begin] == ZERO and (digits > 1 or negative):
        return NOT_PLAIN, 0
    if kind == WHOLE_FLOAT and place + 1 < data.size and data[place] == POINT:
        if data[place + 1] != ZERO or number > EXACT_IN_FLOAT64:
            return NOT_PLAIN, 0
        place += 2
    return place, -number if negative else number


@inlined
def number_from(data: UInt8s, place: int) -> tuple[int, float]:
    """Read a number without exponent; return where it ends, or NOT_PLAIN, and the nearest float."""
    negative = place < data.size and data[place] == MINUS
    begin = place + negative
    place, number = digits_from(data, begin)
    digits, behind = place - begin, 0
    if digits < 1 or digits > MOST_DIGITS:
        return NOT_PLAIN, 0.0
    if place < data.size and data[place] == POINT:
        begin = place + 1
        place = begin
        while place < data.size:
            digit = np.int64(data[place]) - ZERO
            if digit < 0 or digit > 9:
                break
            number = number * 10 + digit
            place += 1
        behind = place - begin
        if behind < 1 or digits + behind > MOST_DIGITS:
            return NOT_PLAIN, 0.0
    if number > EXACT_IN_FLOAT64:
        return NOT_PLAIN, 0.0
    value = np.float64(number) / POWERS[behind]
    return place, -value if negative else value


@inlined
def pair(data: UInt8s, place: int) -> int:
    """Return the number of two bytes, or one that is negative for ever where they are no digits."""
    tens, ones = np.int64(data[place]), np.int64(data[place + 1])
    are_digits = (tens >= ZERO) & (tens <= NINE) & (ones >= ZERO) & (ones <= NINE)
    return (tens - ZERO) * 10 + ones - ZERO if are_digits else np.int64(-(2**40))


@inlined
def usual_time(data: UInt8s, place: int) -> tuple[int, int, int]:
    """Read a day, or one with hour, minute and second behind it.

    Return the kind, NO_TIME for whatever is written otherwise, microseconds, and where it ends.
    """
    if place + 10 > data.size or data[place + 4] != MINUS or data[place + 7] != MINUS:
        return NO_TIME, 0, place
    year = pair(data, place) * 100 + pair(data, place + 2)
    month, day = pair(data, place + 5), pair(data, place + 8)
    if not is_date(year, month, day):
        return NO_TIME, 0, place
    micros = days_of_date(year, month, day) * DAY_US
    place += 10
    if place + 9 > data.size or (data[place] != SPACE and data[place] != LETTER_T):
        return A_DAY, micros, place
    if data[place + 3] != COLON or data[place + 6] != COLON:
        return A_DAY, micros, place
    hour, minute, second = pair(data, place + 1), pair(data, place + 4), pair(data, place + 7)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return NO_TIME, 0, place
    micros += hour * HOUR_US + minute * MINUTE_US + second * SECOND_US
    return ON_THE_WALL, micros, place + 9


@inlined
def is_end(data: UInt8s, place: int, delimiter: int) -> bool:
    """Return whether a field without quotes ends before a byte."""
    if place >= data.size:
        return True
    byte = data[place]
    return byte == delimiter or byte == LF or byte == CR  # noqa: PLR1714 - for Numba


@inlined
def is_empty(data: UInt8s, place: int, delimiter: int, quoted: bool) -> bool:
    """Return whether a field that begins with a byte has none."""
    if quoted and place < data.size:
        return data[place] == QUOTE
    return is_end(data, place, delimiter)


@inlined
def field_end(data: UInt8s, place: int, delimiter: int, quoted: bool) -> tuple[int, bool]:
    """Return where the bytes of a field end, and whether quotes among them stand for one."""
    doubled = False
    if not quoted:
        above = max(delimiter, CR)
        while place < data.size and (data[place] > above or not is_end(data, place, delimiter)):
            place += 1
        return place, doubled
    while place < data.size:
        if data[place] == QUOTE:
            if place + 1 >= data.size or data[place + 1] != QUOTE:
                break
            doubled = True
            place += 1
        place += 1
    return place, doubled


@helper
def other_time(data: UInt8s, start: int, stop: int) -> tuple[int, int, int]:
    """Read a time that is written in any way that `iso_time` knows; return as `usual_time`."""
    kind, micros = iso_time(data, start, stop)
    return kind, micros, stop


@inlined
def is_of_kind(time: int, kind: int) -> bool:
    """Return whether a column of a kind holds such times."""
    if kind == DAYS:
        return time == A_DAY
    if kind == INSTANTS:
        return time == INSTANT
    return time == A_DAY or time == ON_THE_WALL  # noqa: PLR1714 - for Numba


@kernel
def count_ends(data: UInt8s) -> int:
    """Return how many bytes are LF: data: (b,)."""
    found = 0
    for place in range(data.size):
        found += data[place] == LF
    return found


@kernel
def read_records(
    data: UInt8s,
    delimiter: int,
    kinds: Int64s,
    columns: Int64s,
    out_values: Int64Table,
    out_floats: Float64Table,
    out_lengths: Int64Table,
    out_known: BoolTable,
    out_missing: Int64Out,
) -> int:
    """Read records that are plain; return how many there are, or NOT_PLAIN where one is not.

    data: (b,), whole records; kinds: (f,), what each field is read as; columns: (f,), to which
    column it goes. out_values: (k, n), integers, microseconds, days of DAYS, or where texts begin;
    out_floats: (k, n), the same memory, for numbers; out_lengths: (k, n), or (0, 0) where there are
    none, of texts; out_known: (k, n), whether there is a value; out_missing: (k,), how many of a
    column are not.
    """
    out_missing[:] = 0
    place, row = 0, 0
    while place < data.size:
        if data[place] == LF:  # an empty line
            place += 1
            continue
        for field in range(kinds.size):
            kind, column = kinds[field], columns[field]
            quoted = place < data.size and data[place] == QUOTE
            start = place + quoted
            after, value, number = start, np.int64(0), 0.0
            is_known = True
            if kind in (SKIPPED, TEXT):
                after, doubled = field_end(data, start, delimiter, quoted)
                if kind == TEXT:
                    if doubled:
                        return NOT_PLAIN
                    is_known = after > start
                    value = start
                    out_lengths[column, row] = after - start
            elif is_empty(data, start, delimiter, quoted):
                is_known = False
            elif kind == NUMBER:
                after, number = number_from(data, start)
            elif kind >= DAYS:
                time, value, after = usual_time(data, start)
                ends = after < data.size and data[after] == QUOTE
                if not (ends if quoted else is_end(data, after, delimiter)):
                    after, _ = field_end(data, start, delimiter, quoted)
                    time, value, after = other_time(data, start, after)
                if not is_of_kind(time, kind):
                    return NOT_PLAIN
                if kind == DAYS:
                    value //= DAY_US
            else:
                after, value = integer_from(data, start, kind)
            if after == NOT_PLAIN:
                return NOT_PLAIN
            if kind != SKIPPED:
                if kind == NUMBER:
                    out_floats[column, row] = number
                else:
                    out_values[column, row] = value
                out_known[column, row] = is_known
                out_missing[column] += not is_known
            if quoted:
                if after >= data.size or data[after] != QUOTE:
                    return NOT_PLAIN
                after += 1
            if field + 1 < kinds.size:
                if after >= data.size or data[after] != delimiter:
                    return NOT_PLAIN
                place = after + 1
                continue
            if after < data.size and data[after] == CR:
                after += 1
                if after == data.size:
                    return NOT_PLAIN
            if after < data.size and data[after] != LF:
                return NOT_PLAIN
            place = after + 1
        row += 1
    return row


@kernel
def copy_texts(
    data: UInt8s, starts: Int64s, lengths: Int64s, out_offsets: Int32Out, out_data: UInt8Out
) -> bool:
    """Copy texts one behind the other; return whether all of their bytes are ASCII.

    data: (b,); starts, lengths: (n,); out_offsets: (n + 1,); out_data: (size,), all together.
    """
    place = 0
    bits = np.uint8(0)
    out_offsets[0] = 0
    for row in range(starts.size):
        start = starts[row]
        for byte in range(start, start + lengths[row]):
            out_data[place] = data[byte]
            bits |= data[byte]
            place += 1
        out_offsets[row + 1] = place
    return bits < 128
