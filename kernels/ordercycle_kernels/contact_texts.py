"""E-mail addresses and telephone numbers as those who match them write them.

Texts are data[offsets[row]:offsets[row + 1]] and come out shorter or as long. A text of no byte is
none; one that is no address or number comes out as none, and is marked.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Int8Out,
    Int16s,
    Int32s,
    Int64Out,
    Int64s,
    UInt8Out,
    UInt8s,
)

#: What is at a row: nothing, something usable, or something else.
NOTHING, USABLE, UNUSABLE = 0, 1, 2
#: What becomes of addresses beside trimming and small letters, added up: spaces within are left
#: out; dots and what follows a plus are, before the @ of Gmail.
SPACES_OUT, GMAIL = 1, 2
LONGEST_ADDRESS, LONGEST_LOCAL = 254, 64
SHORTEST_NUMBER, LONGEST_NUMBER = 6, 15
NO_REGION = -1
#: Prefixes are numbers of a 1 and their digits, as some begin with zeros: this one has none.
NO_PREFIX = 1
#: The prefix of those who dial 011 to call abroad.
NORTH_AMERICA = 11

ZERO, NINE = 48, 57
SMALL_A, SMALL_Z, CAPITAL_A, CAPITAL_Z, UNDERSCORE = 97, 122, 65, 90, 95
SPACE, DELETE, AT, DOT, PLUS, HYPHEN, SLASH, OPENING, CLOSING = 32, 127, 64, 46, 43, 45, 47, 40, 41
BEYOND_ASCII = 128
#: What stands in no address that is written without quotes.
REFUSED = np.frombuffer(b'"(),:;<>[]\\`', np.uint8)
GMAIL_DOMAINS = np.frombuffer(b"gmail.com     googlemail.com", np.uint8)
GMAIL_SIZES = np.array([9, 14], np.int64)
DOMAIN_WIDTH = 14
#: Unseen characters that numbers are copied with: a space that does not break, and U+2000 to
#: U+203F, which are spaces, dashes and marks of direction.
NO_BREAK = np.array([0xC2, 0xA0], np.uint8)
PUNCTUATION = np.array([0xE2, 0x80], np.uint8)

# n = texts, b = bytes, r = regions


@helper
def is_digit(byte: int) -> bool:
    """Return whether a byte is a digit."""
    return ZERO <= byte <= NINE


@helper
def begins_well(byte: int) -> bool:
    """Return whether an address may begin with a byte: none that a spreadsheet takes as formula."""
    if byte == UNDERSCORE or is_digit(byte) or byte >= BEYOND_ASCII:
        return True
    return SMALL_A <= byte <= SMALL_Z


@helper
def stands_nowhere(byte: int) -> bool:
    """Return whether no address has a byte."""
    if byte <= SPACE or byte == DELETE:
        return True
    for refused in REFUSED:  # noqa: SIM110 - for Numba
        if byte == refused:
            return True
    return False


@helper
def is_of_gmail(data: UInt8Out, start: int, stop: int) -> bool:
    """Return whether a domain is one of Gmail's."""
    for number in range(GMAIL_SIZES.size):
        if stop - start == GMAIL_SIZES[number]:
            same = True
            for place in range(stop - start):
                same &= data[start + place] == GMAIL_DOMAINS[number * DOMAIN_WIDTH + place]
            if same:
                return True
    return False


@helper
def is_domain(data: UInt8Out, start: int, stop: int) -> bool:
    """Return whether there are names between dots, two at least."""
    dots, last = 0, DOT
    for place in range(start, stop):
        byte = data[place]
        if byte == DOT:
            if last in (DOT, HYPHEN):
                return False
            dots += 1
        elif byte == HYPHEN and last == DOT:
            return False
        last = byte
    return dots > 0 and last not in (DOT, HYPHEN)


@helper
def without_gmail_tricks(data: UInt8Out, start: int, at: int, stop: int) -> int:
    """Take dots and what follows a plus out before the @; return where the address ends then."""
    target, tagged = start, False
    for place in range(start, at):
        byte = data[place]
        tagged |= byte == PLUS
        if byte != DOT and not tagged:
            data[target] = byte
            target += 1
    if target == start:
        return start
    for place in range(at, stop):
        data[target] = data[place]
        target += 1
    return target


@kernel
def clean_addresses(
    offsets: Int64s,
    data: UInt8s,
    changes: int,
    out_kinds: Int8Out,
    out_ends: Int64Out,
    out_data: UInt8Out,
) -> None:
    """Write e-mail addresses in small letters, without what is around them.

    offsets: (n + 1,) into data: (b,); changes: SPACES_OUT, GMAIL, added up; out_kinds: (n,);
    out_ends: (n + 1,), where addresses begin and end in out_data: (b,).
    """
    target = 0
    out_ends[0] = 0
    for row in range(out_kinds.size):
        begin, place, stop = target, offsets[row], offsets[row + 1]
        while place < stop and data[place] <= SPACE:
            place += 1
        while place < stop and data[stop - 1] <= SPACE:
            stop -= 1
        if place == stop:
            out_kinds[row] = NOTHING
            out_ends[row + 1] = target
            continue
        at, ats, sound = -1, 0, True
        for here in range(place, stop):
            byte = data[here]
            if byte == SPACE and changes & SPACES_OUT:
                continue
            if CAPITAL_A <= byte <= CAPITAL_Z:
                byte += SMALL_A - CAPITAL_A
            elif byte == AT:
                at, ats = target, ats + 1
            elif stands_nowhere(byte):
                sound = False
            out_data[target] = byte
            target += 1
        sound &= ats == 1 and target > begin and target - begin <= LONGEST_ADDRESS
        sound = sound and begin < at <= begin + LONGEST_LOCAL
        sound = sound and begins_well(out_data[begin]) and is_domain(out_data, at + 1, target)
        if sound and changes & GMAIL and is_of_gmail(out_data, at + 1, target):
            target = without_gmail_tricks(out_data, begin, at, target)
            sound = target > begin
        if not sound:
            target = begin
        out_kinds[row] = USABLE if sound else UNUSABLE
        out_ends[row + 1] = target


@helper
def separator_size(data: UInt8s, place: int, stop: int) -> int:
    """Return how many bytes what stands between digits has, 0 where it is something else."""
    byte = data[place]
    if byte in (SPACE, HYPHEN, DOT, SLASH, OPENING, CLOSING):
        return 1
    if place + 1 < stop and byte == NO_BREAK[0] and data[place + 1] == NO_BREAK[1]:
        return 2
    is_punctuation = place + 2 < stop and byte == PUNCTUATION[0]
    return 3 if is_punctuation and data[place + 1] == PUNCTUATION[1] else 0


@helper
def is_bracketed_zero(data: UInt8s, place: int, stop: int) -> bool:
    """Return whether the trunk prefix stands in brackets, as in +44 (0)20."""
    if place + 2 >= stop:
        return False
    return data[place] == OPENING and data[place + 1] == ZERO and data[place + 2] == CLOSING


@helper
def first_unit(prefix: int) -> int:
    """Return what the first digit of a prefix, behind the 1 of all prefixes, counts; 0: none."""
    unit = 1
    while unit * 10 <= prefix:
        unit *= 10
    return unit // 10


@helper
def begins_with(data: UInt8Out, start: int, size: int, prefix: int) -> int:
    """Return how many digits a prefix has with which a number begins, 0 where it does not."""
    unit = first_unit(prefix)
    width = 0
    while unit >= 1:
        if width == size or data[start + width] - ZERO != prefix // unit % 10:
            return 0
        width += 1
        unit //= 10
    return width


@helper
def has_length(lengths: int, size: int) -> bool:
    """Return whether numbers of a region may have so many digits."""
    return 0 < size <= LONGEST_NUMBER and (lengths >> size) & 1 == 1


@helper
def put_before(data: UInt8Out, start: int, size: int, cut: int, prefix: int) -> int:
    """Put a prefix in the place of the first digits; return how many digits there are then."""
    width, unit = 0, first_unit(prefix)
    while unit >= 10**width:
        width += 1
    kept = size - cut
    if width > cut:
        for place in range(kept - 1, -1, -1):
            data[start + width + place] = data[start + cut + place]
    elif width < cut:
        for place in range(kept):
            data[start + width + place] = data[start + cut + place]
    for place in range(width):
        data[start + place] = ZERO + prefix // unit % 10
        unit //= 10
    return width + kept


@helper
def with_code(data: UInt8Out, start: int, size: int, code: int, trunk: int, lengths: int) -> int:
    """Write a number of a region with its calling code; return its digits, 0 for no number.

    Where numbers have a trunk prefix, those that begin with the calling code have it already; where
    they have none, a number that is long enough is national.
    """
    cut = begins_with(data, start, size, trunk)
    if cut and has_length(lengths, size - cut):
        return put_before(data, start, size, cut, code)
    there = begins_with(data, start, size, code)
    is_whole = there > 0 and has_length(lengths, size - there)
    if is_whole and trunk != NO_PREFIX:
        return size
    if has_length(lengths, size):
        return put_before(data, start, size, 0, code)
    return size if is_whole else 0


@helper
def zeros_before(data: UInt8Out, start: int, size: int) -> int:
    """Return with how many zeros a number begins."""
    zeros = 0
    while zeros < size and data[start + zeros] == ZERO:
        zeros += 1
    return zeros


@kernel
def clean_numbers(
    offsets: Int64s,
    data: UInt8s,
    regions: Int16s,
    codes: Int32s,
    trunks: Int32s,
    lengths: Int32s,
    out_kinds: Int8Out,
    out_ends: Int64Out,
    out_data: UInt8Out,
) -> None:
    """Write telephone numbers as digits that begin with the calling code.

    offsets: (n + 1,) into data: (b,); regions: (n,), of national numbers, or NO_REGION; codes:
    (r,), prefixes that call regions; trunks: (r,), prefixes of national numbers within the region,
    or NO_PREFIX; lengths: (r,), a bit for each number of digits that is possible without
    both; out_kinds: (n,); out_ends: (n + 1,), where numbers begin and end in out_data: (size,), of
    b + 3 * n at least.
    """
    target = 0
    out_ends[0] = 0
    for row in range(out_kinds.size):
        place, stop = offsets[row], offsets[row + 1]
        while place < stop and data[place] <= SPACE:
            place += 1
        while place < stop and data[stop - 1] <= SPACE:
            stop -= 1
        if place == stop:
            out_kinds[row] = NOTHING
            out_ends[row + 1] = target
            continue
        size, international, sound = 0, False, True
        while place < stop:
            byte = data[place]
            if is_digit(byte):
                out_data[target + size] = byte
                size += 1
                place += 1
                continue
            if byte == PLUS and size == 0 and not international:
                international = True
                place += 1
                continue
            if international and is_bracketed_zero(data, place, stop):
                place += 3
                continue
            width = separator_size(data, place, stop)
            if width == 0:
                sound = False
                break
            place += width
        region = np.int64(regions[row])
        zeros = zeros_before(out_data, target, size)
        if not international and zeros >= 2:
            international = True
        elif (
            not international
            and region >= 0
            and codes[region] == NORTH_AMERICA
            and size > 3
            and zeros == 1
            and out_data[target + 1] == ZERO + 1
            and out_data[target + 2] == ZERO + 1
        ):
            international, zeros = True, 3
        if international or (region < 0 and zeros == 0):
            for here in range(size - zeros):
                out_data[target + here] = out_data[target + zeros + here]
            size -= zeros
        elif region < 0:
            sound = False  # national, of nobody knows where
        else:
            size = with_code(
                out_data,
                target,
                size,
                np.int64(codes[region]),
                np.int64(trunks[region]),
                np.int64(lengths[region]),
            )
        sound = sound and SHORTEST_NUMBER <= size <= LONGEST_NUMBER
        out_kinds[row] = USABLE if sound else UNUSABLE
        target += size if sound else 0
        out_ends[row + 1] = target
