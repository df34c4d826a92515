"""Journeys: who enters one, and which of its steps each entry has come to by a day.

A walk is a function of the day of entry and of what happened later: nothing is kept in between. An
exit on a day comes before whatever is due on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import (
    Bools,
    Int8Out,
    Int16Out,
    Int16s,
    Int32Out,
    Int32s,
    Int32Table,
    Int64Out,
    Int64s,
    Int64Table,
    UInt8s,
    UInt64Out,
    UInt64s,
)
from ordercycle_kernels.hashing import mix

# c = customers, m = intervals, g = segments, k = candidates, n = orders, e = events,
# v = conversions, s = steps, l = sent actions, room = as many as there can be

#: After every day.
NEVER = 2**31 - 1
#: Of steps: what they are, where a walk ends, and the signal of orders, which are no events.
ACTION, WAIT = 0, 1
END = -1
ORDER_SIGNAL = -1
#: How walks stand.
WAITING, COMPLETED, CONVERTED, LEFT = 0, 1, 2, 3
#: Who enters again.
ONCE, EACH_ENTRY, AFTER_DAYS, AFTER_END = 0, 1, 2, 3
#: Rows of what is written of an entry, and of where it comes from in its part.
TRIGGERED, CONVERTED_ON, CONVERSIONS, STATUS, STEP, SINCE, NEXT_STEP, DUE = 0, 1, 2, 3, 4, 5, 6, 7
NUMBER = 8  # the how manieth of the customer, from 1
ENTRY_ROWS = 9
CUSTOMER, CANDIDATE, BEGIN, STOP = 0, 1, 2, 3
PLACE_ROWS = 4
#: Rows of what is written of a visit of a step.
ENTRY, VISITED, ON = 0, 1, 2
VISIT_ROWS = 3
STEPS_BITS = np.int64(8)


class Rules(NamedTuple):
    """Who enters: triggers, earlier (segments that may come before): (g,).

    span: (4,): the first and the last day of entries, the day on which those who are there already
    enter (NO_DAY: they do not), and the first that memberships know; any_before: (1,), whether it
    does not matter what comes before.
    """

    triggers: Bools
    earlier: Bools
    span: Int64s
    any_before: Bools


class Candidates(NamedTuple):
    """Days on which customers would enter, ascending: offsets: (c + 1,); days, stops: (k,).

    stops: when they leave the segment; kept: (k,), which satisfy the trigger's condition.
    """

    offsets: Int64s
    days: Int32s
    stops: Int32s
    kept: Bools


class Happened(NamedTuple):
    """What customers did, by day: orders, and others: events and conversions.

    order_offsets: (c + 1,); order_days, are_orders: (n,); begins, ends: (c,), where the events of a
    customer are; event_days, signals: (e,), a bit for each of what is waited for;
    conversion_offsets: (c + 1,); conversion_days, convert: (v,).
    """

    order_offsets: Int64s
    order_days: Int32s
    are_orders: Bools
    begins: Int64s
    ends: Int64s
    event_days: Int32s
    signals: UInt64s
    conversion_offsets: Int64s
    conversion_days: Int32s
    convert: Bools


class Program(NamedTuple):
    """Steps: kinds, days, waited (signals), following, otherwise: (s,).

    options: (7,): the policy of entering again and its days, the days of the window, whether
    conversions, leaving the segment and orders end a walk, and the last day that is known;
    exits: (1,), signals that end a walk.
    """

    kinds: Int64s
    days: Int64s
    waited: Int64s
    following: Int64s
    otherwise: Int64s
    options: Int64s
    exits: UInt64s


class Rows(NamedTuple):
    """The first order, event and conversion of a customer after a day."""

    order: int
    event: int
    conversion: int


class Sent(NamedTuple):
    """Actions that were sent, ascending by key.

    hashes: (c,), or (0,) where nothing was sent; salt: (1,); keys, days: (l,).
    """

    hashes: UInt64s
    salt: UInt64s
    keys: UInt64s
    days: Int32s


@kernel
def find_entries(
    offsets: Int64s,
    codes: Int16s,
    starts: Int32s,
    stops: Int32s,
    visible: Int32s,
    rules: Rules,
    out_offsets: Int64Out,
    out_days: Int32Out,
    out_stops: Int32Out,
    out_codes: Int16Out,
) -> None:
    """Write the days on which customers come into the segments of a trigger.

    offsets: (c + 1,); codes, starts, stops: (m,), by customer and start; visible: (c,);
    out_offsets: (c + 1,); out_days, out_stops, out_codes: (room,), one an interval at most.
    """
    first, last, present, known = rules.span[0], rules.span[1], rules.span[2], rules.span[3]
    place = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        begin = place
        for interval in range(offsets[customer], offsets[customer + 1]):
            code = codes[interval]
            if not rules.triggers[code]:
                continue
            start, stop = np.int64(starts[interval]), np.int64(stops[interval])
            is_cut = start == known and visible[customer] < start
            day = start
            if is_cut or start < first:
                day = np.int64(present) if start <= present and stop > present else NEVER
            elif not rules.any_before[0]:
                before = interval - 1
                while before >= offsets[customer] and not (
                    stops[before] == start and rules.earlier[codes[before]]
                ):
                    before -= 1
                if before < offsets[customer]:
                    continue
            if day > last or (place > begin and out_days[place - 1] >= day):
                continue
            out_days[place] = day
            out_stops[place] = stop
            out_codes[place] = code
            place += 1
        out_offsets[customer + 1] = place


@inlined
def first_after(days: Int32s, row: int, stop: int, day: int) -> int:
    """Return the first of ascending days, from a row up to another, that is after a day."""
    while row < stop and days[row] <= day:
        row += 1
    return row


@inlined
def first_order(happened: Happened, row: int, stop: int, until: int) -> int:
    """Return the day of the first order from a row on, up to a day, or NEVER."""
    while row < stop and happened.order_days[row] <= until:
        if happened.are_orders[row]:
            return np.int64(happened.order_days[row])
        row += 1
    return NEVER


@inlined
def first_event(happened: Happened, row: int, stop: int, wanted: np.uint64, until: int) -> int:
    """Return the day of the first event that is wanted from a row on, up to a day, or NEVER."""
    while row < stop and happened.event_days[row] <= until:
        if happened.signals[row] & wanted:
            return np.int64(happened.event_days[row])
        row += 1
    return NEVER


@inlined
def action_key(hashed: np.uint64, salt: np.uint64, day: int, step: int) -> np.uint64:
    """Return the key of an action: of a customer who entered on a day, and a step."""
    return mix(mix(hashed ^ salt) ^ np.uint64((np.int64(day) << STEPS_BITS) | np.int64(step)))


@inlined
def sent_day(sent: Sent, customer: int, triggered: int, step: int, due: int) -> int:
    """Return the day on which an action was sent, not before it was due."""
    if sent.hashes.size == 0:
        return due
    key = action_key(sent.hashes[customer], sent.salt[0], triggered, step)
    low, high = 0, sent.keys.size
    while low < high:
        middle = (low + high) >> 1
        if sent.keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low < sent.keys.size and sent.keys[low] == key:
        return max(due, np.int64(sent.days[low]))
    return due


@inlined
def put_visit(entry: int, step: int, day: int, place: int, out_visits: Int32Table) -> int:
    """Write that a step was reached; return the place behind it."""
    out_visits[ENTRY, place] = entry
    out_visits[VISITED, place] = step
    out_visits[ON, place] = day
    return place + 1


@inlined
def next_action(program: Program, step: int, since: int) -> tuple[int, int]:
    """Return the action, and when it is due, that follows a wait if nothing more happens."""
    day = since
    while step != END and program.kinds[step] == WAIT:
        day += program.days[step] + 1
        step = program.otherwise[step]
    return (END, NEVER) if step == END else (step, day + program.days[step])


@inlined
def exit_of(
    program: Program, happened: Happened, customer: int, rows: Rows, stop: int, converted: int
) -> tuple[int, int]:
    """Return the day on which something ends a walk, or NEVER, and how it then stands.

    rows: the first order and the first event after the day of entry; stop: when the customer leaves
    the segment.
    """
    last = program.options[6]
    day, status = NEVER, WAITING
    if program.options[3] and converted != NEVER:
        day, status = converted, CONVERTED
    left = NEVER
    if program.options[4] and stop <= last:
        left = stop
    if program.options[5]:
        orders = happened.order_offsets[customer + 1]
        left = min(left, first_order(happened, rows.order, orders, last))
    if program.exits[0]:
        events = happened.ends[customer]
        left = min(left, first_event(happened, rows.event, events, program.exits[0], last))
    return (left, LEFT) if left < day else (day, status)


@inlined
def conversions(happened: Happened, row: int, stop: int, until: int) -> tuple[int, int, int]:
    """Return the first day of a conversion from a row on, or NEVER, how many, and the row behind.

    Both up to a day.
    """
    first, count = NEVER, 0
    while row < stop and happened.conversion_days[row] <= until:
        if happened.convert[row]:
            if count == 0:
                first = np.int64(happened.conversion_days[row])
            count += 1
        row += 1
    return first, count, row


@inlined
def next_entry(
    candidates: Candidates, customer: int, candidate: int, program: Program, ended: int
) -> int:
    """Return the candidate that enters next after one, or where those of the customer end."""
    stop = candidates.offsets[customer + 1]
    policy, day = program.options[0], np.int64(candidates.days[candidate])
    if policy == ONCE:
        return stop
    following = candidate + 1
    while following < stop:
        later = np.int64(candidates.days[following])
        is_late = policy == EACH_ENTRY
        if policy == AFTER_DAYS:
            is_late = later - day >= program.options[1]
        elif policy == AFTER_END:
            is_late = later > ended
        if candidates.kept[following] and is_late:
            return following
        following += 1
    return stop


@kernel
def walk_journeys(
    candidates: Candidates,
    happened: Happened,
    program: Program,
    sent: Sent,
    out_entries: Int32Table,
    out_places: Int64Table,
    out_visits: Int32Table,
    out_counts: Int64Out,
) -> None:
    """Write entries, how far each has come, and the steps that it has reached.

    out_entries: (ENTRY_ROWS, k), days as NEVER and steps as END where there are none; out_places:
    (PLACE_ROWS, k); out_visits: (VISIT_ROWS, room), as many as candidates times steps; out_counts:
    (2,), how many entries and visits.
    """
    window, last = program.options[2], program.options[6]
    entries = visits = 0
    for customer in range(candidates.offsets.size - 1):
        candidate, stop = candidates.offsets[customer], candidates.offsets[customer + 1]
        while candidate < stop and not candidates.kept[candidate]:
            candidate += 1
        if candidate == stop:
            continue
        # Days ascend, and so do those of entries: what came before one is never looked at again.
        order, orders = happened.order_offsets[customer], happened.order_offsets[customer + 1]
        event, events = happened.begins[customer], happened.ends[customer]
        begin = happened.conversion_offsets[customer]
        ending = happened.conversion_offsets[customer + 1]
        number = 0
        while candidate < stop:
            triggered = np.int64(candidates.days[candidate])
            order = first_after(happened.order_days, order, orders, triggered)
            event = first_after(happened.event_days, event, events, triggered)
            begin = first_after(happened.conversion_days, begin, ending, triggered)
            until = min(triggered + window, last)
            following = stop
            if program.options[0] != AFTER_END:
                following = next_entry(candidates, customer, candidate, program, NEVER)
                if following < stop:
                    until = min(until, np.int64(candidates.days[following]))
            converted, count, row = conversions(happened, begin, ending, until)
            ends, how = exit_of(
                program, happened, customer, Rows(order, event, begin),
                np.int64(candidates.stops[candidate]), converted,
            )  # fmt: skip
            status, step, day = WAITING, np.int64(0), triggered
            reached, since = np.int64(END), triggered
            coming, due = np.int64(END), np.int64(NEVER)
            while step != END and day < ends:
                length = program.days[step]
                if program.kinds[step] == ACTION:
                    if day + length > last or day + length >= ends:
                        coming, due = step, day + length
                        break
                    day += length
                    visits = put_visit(entries, step, day, visits, out_visits)
                    day = sent_day(sent, customer, triggered, step, day)
                    reached, since = step, day
                    step = program.following[step]
                    continue
                visits = put_visit(entries, step, day, visits, out_visits)
                reached, since = step, day
                latest = min(day + length, last)
                if program.waited[step] == ORDER_SIGNAL:
                    after = first_after(happened.order_days, order, orders, day)
                    seen = first_order(happened, after, orders, latest)
                else:
                    wanted = np.uint64(1) << np.uint64(program.waited[step])
                    after = first_after(happened.event_days, event, events, day)
                    seen = first_event(happened, after, events, wanted, latest)
                if seen < ends:
                    day, step = seen, program.following[step]
                elif day + length + 1 > last or day + length + 1 >= ends:
                    coming, due = next_action(program, step, day)
                    break
                else:
                    day, step = day + length + 1, program.otherwise[step]
            ended = np.int64(NEVER)
            if step == END and day < ends:
                status, ended = COMPLETED, day
            elif ends <= last:
                status, ended = how, ends
                coming, due = np.int64(END), np.int64(NEVER)
            if program.options[0] == AFTER_END:
                following = next_entry(candidates, customer, candidate, program, ended)
                if following < stop:
                    until = min(until, np.int64(candidates.days[following]))
                    converted, count, row = conversions(happened, begin, ending, until)
            number += 1
            out_places[CUSTOMER, entries] = customer
            out_entries[NUMBER, entries] = number
            out_entries[TRIGGERED, entries] = triggered
            out_entries[CONVERTED_ON, entries] = converted
            out_entries[CONVERSIONS, entries] = count
            out_entries[STATUS, entries] = status
            out_entries[STEP, entries] = reached
            out_entries[SINCE, entries] = since
            out_entries[NEXT_STEP, entries] = coming
            out_entries[DUE, entries] = due
            out_places[CANDIDATE, entries] = candidate
            out_places[BEGIN, entries] = begin
            out_places[STOP, entries] = row
            entries += 1
            candidate = following
    out_counts[0] = entries
    out_counts[1] = visits


@kernel
def action_keys(
    hashes: UInt64s, salt: np.uint64, triggered: Int32s, steps: UInt8s, out_keys: UInt64Out
) -> None:
    """Write the keys of actions: hashes, triggered, steps, out_keys: (k,)."""
    for row in range(hashes.size):
        out_keys[row] = action_key(
            hashes[row], salt, np.int64(triggered[row]), np.int64(steps[row])
        )


@kernel
def write_hexadecimal(words: UInt64s, out_text: Int8Out) -> None:
    """Write words as sixteen digits each: words: (k,); out_text: (room,), sixteen times as many."""
    for row in range(words.size):
        word = words[row]
        for digit in range(16):
            value = np.int64((word >> np.uint64(60 - 4 * digit)) & np.uint64(15))
            out_text[16 * row + digit] = value + (48 if value < 10 else 87)
