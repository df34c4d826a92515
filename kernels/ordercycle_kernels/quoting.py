"""Records of delimited text: where they end, which is where a line ends outside quotes.

A quote begins a quoted value where a field begins, and nowhere else. In quotes, two of them stand
for one; a single one ends the quoted part. A line ends in LF, CR LF, or CR. Records of no byte are
none.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import UInt8s

#: Where in a record a byte is: outside quotes, inside, or after a quote that may have ended them.
OUTSIDE, INSIDE, AFTER_QUOTE = 0, 1, 2
#: Added to a state: lines ended inside quotes on the way to it.
LINES_IN_QUOTES = 4
QUOTE, LF, CR = np.uint8(34), np.uint8(10), np.uint8(13)
NOWHERE = -1

# b = bytes


@helper
def state_after(byte: np.uint8, before: np.uint8, delimiter: int, state: int) -> int:
    """Return the state after a byte, given the byte before it and the state before it."""
    if state == INSIDE:
        return AFTER_QUOTE if byte == QUOTE else INSIDE
    if byte != QUOTE:
        return OUTSIDE
    if state == AFTER_QUOTE:
        return INSIDE
    begins = before == delimiter or before == LF or before == CR  # noqa: PLR1714 - for Numba
    return INSIDE if begins else OUTSIDE


@helper
def ends_line(data: UInt8s, place: int) -> bool:
    """Return whether a line ends with a byte; a CR at the very end may yet be followed by LF."""
    byte = data[place]
    return byte == LF or (byte == CR and place + 1 < data.size and data[place + 1] != LF)


@kernel
def state_at_end(data: UInt8s, begin: int, delimiter: int, state: int) -> int:
    """Return the state after all bytes from `begin`, with LINES_IN_QUOTES where there are any.

    data: (b,); begin: at least 1.
    """
    lines_in_quotes = 0
    place = begin
    while place < data.size:
        if state == OUTSIDE:  # where most bytes are: nothing else matters of them
            for here in range(place, data.size):
                if data[here] == QUOTE:
                    state = state_after(QUOTE, data[here - 1], delimiter, OUTSIDE)
                    place = here + 1
                    break
            else:
                break
            continue
        if state == INSIDE:  # where only the next quote matters, and line ends
            for here in range(place, data.size):
                byte = data[here]
                if byte == QUOTE:
                    state = AFTER_QUOTE
                    place = here + 1
                    break
                if byte in (LF, CR):
                    lines_in_quotes = LINES_IN_QUOTES
            else:
                break
            continue
        state = state_after(data[place], data[place - 1], delimiter, state)
        place += 1
    return state | lines_in_quotes


@kernel
def record_end(data: UInt8s, begin: int, delimiter: int, state: int) -> int:
    """Return the place behind the first line end outside quotes from `begin`, or NOWHERE.

    data: (b,); begin: at least 1; state: before the byte at `begin`.
    """
    for place in range(begin, data.size):
        if data[place] == QUOTE or state == AFTER_QUOTE:
            state = state_after(data[place], data[place - 1], delimiter, state)
        if state != INSIDE and ends_line(data, place):
            return place + 1
    return NOWHERE


@kernel
def last_record_end(data: UInt8s, delimiter: int) -> int:
    """Return the place behind the last line end outside quotes, 0 without one.

    data: (b,), which begins with a record.
    """
    state = OUTSIDE
    before = LF
    end = 0
    for place in range(data.size):
        byte = data[place]
        if byte == QUOTE or state == AFTER_QUOTE:
            state = state_after(byte, before, delimiter, state)
        if state != INSIDE and ends_line(data, place):
            end = place + 1
        before = byte
    return end


@kernel
def count_lines(data: UInt8s) -> int:
    """Return how many lines end in some bytes, a CR at the very end among them: data: (b,)."""
    lines = 0
    for place in range(data.size):
        lines += ends_line(data, place)
    return lines + int(data.size > 0 and data[data.size - 1] == CR)


@kernel
def count_records(data: UInt8s, delimiter: int) -> int:
    """Return how many records there are, the last of which may have no line end.

    data: (b,), which begins with a record.
    """
    state = OUTSIDE
    before = LF
    records = 0
    is_begin = True
    for place in range(data.size):
        byte = data[place]
        is_end = byte == LF or byte == CR  # noqa: PLR1714 - for Numba
        if is_begin and not is_end:
            records += 1
            is_begin = False
        if byte == QUOTE or state == AFTER_QUOTE:
            state = state_after(byte, before, delimiter, state)
        is_begin = is_begin or (is_end and state != INSIDE)
        before = byte
    return records


@kernel
def line_of_record(data: UInt8s, delimiter: int, record: int) -> int:
    """Return how many lines end before a record, counted from 0, or NOWHERE.

    data: (b,), which begins with a record.
    """
    state = OUTSIDE
    before = LF
    lines = 0
    is_begin = True
    for place in range(data.size):
        byte = data[place]
        is_end = byte == LF or byte == CR  # noqa: PLR1714 - for Numba
        if is_begin and not is_end:
            if record == 0:
                return lines
            record -= 1
            is_begin = False
        if byte == QUOTE or state == AFTER_QUOTE:
            state = state_after(byte, before, delimiter, state)
        if is_end:
            lines += byte == LF or place + 1 == data.size or data[place + 1] != LF
            is_begin = is_begin or state != INSIDE
        before = byte
    return NOWHERE
