from __future__ import annotations
import numpy as np
from ordercycle_kernels._jit import helper, kernel

@kernel("(uint64[], int32[], int64[], int64[], int64[], uint64[:], int32[:], int64[:]) -> void")
def collect_partition(hashes, days, amounts, starts, stops, out_hashes, out_days, out_amounts):
    position = 0
    for run in range(starts.size):
        start, stop = starts[run], stops[run]
        for row in range(start, stop):
            out_hashes[position+row-start] = hashes[row]
        for row in range(start, stop):
            out_days[position+row-start] = days[row]
        for row in range(start, stop):
            out_amounts[position+row-start] = amounts[row]
        position += stop-start

@kernel("(uint64[], int64, int64, uint64[:], int32[:], int32[:]) -> int64")
def find_slots(hashes, partition_bits, table_bits, table, counts, out_slots):
    left = np.uint64(partition_bits)
    right = np.uint64(64 - table_bits)
    mask = np.int64((1 << table_bits) - 1)
    limit = np.int64(1 << table_bits) >> 1
    customers = 0
    for row in range(hashes.size):
        hashed = hashes[row]
        slot = np.int64((hashed << left) >> right)
        while table[slot] != hashed:
            if counts[slot] == 0:
                customers += 1
                if customers > limit:
                    return -1
                table[slot] = hashed
                break
            slot = (slot + 1) & mask
        counts[slot] += 1
        out_slots[row] = slot
    return customers

@kernel("(uint64[], int32[:], uint64[:], int32[:], int64[:]) -> void")
def order_customers(table, counts, out_hashes, slot_of, out_offsets):
    customers = 0
    for slot in range(table.size):
        if counts[slot] > 0:
            hashed = table[slot]
            position = customers
            while position > 0 and out_hashes[position-1] > hashed:
                out_hashes[position] = out_hashes[position-1]
                slot_of[position] = slot_of[position-1]
                position -= 1
            out_hashes[position] = hashed
            slot_of[position] = slot
            customers += 1
    total = out_offsets[0]
    for customer in range(customers):
        slot = slot_of[customer]
        size = counts[slot]
        counts[slot] = total
        total += size
        out_offsets[customer + 1] = total

@kernel("(int32[], int64[], int32[], int64, int32[:], int32[:], int32[:], int64[:]) -> void")
def order_by_day(days, amounts, slots, first_day, histogram, out_days, out_slots, out_amounts):
    for row in range(days.size):
        histogram[days[row] - first_day] += 1
    total = 0
    for d in range(histogram.size):
        size = histogram[d]
        histogram[d] = total
        total += size
    for row in range(days.size):
        d = days[row] - first_day
        t = histogram[d]
        histogram[d] = t + 1
        out_days[t] = days[row]
        out_slots[t] = slots[row]
        out_amounts[t] = amounts[row]

@kernel("(int32[], int64[], int32[], int32[:], int32[:], int64[:]) -> void")
def scatter_to_customers(days, amounts, slots, cursors, out_days, out_amounts):
    for row in range(days.size):
        slot = slots[row]
        t = cursors[slot]
        cursors[slot] = t + 1
        out_days[t] = days[row]
        out_amounts[t] = amounts[row]

@kernel("(int64[], int32[:], int64[:]) -> void")
def sort_ties(offsets, days, amounts):
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        for i in range(start + 1, stop):
            if days[i] == days[i-1] and amounts[i] < amounts[i-1]:
                amount = amounts[i]; j = i
                while j > start and days[j-1] == days[i] and amounts[j-1] > amount:
                    amounts[j] = amounts[j-1]
                    j -= 1
                amounts[j] = amount

@kernel("(int64[], int32[:], int64[:]) -> void")
def insertion_sort(offsets, days, amounts):
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        for i in range(start + 1, stop):
            amount = amounts[i]; day = days[i]; j = i
            while j > start and (days[j-1] > day or (days[j-1] == day and amounts[j-1] > amount)):
                amounts[j] = amounts[j-1]
                days[j] = days[j-1]
                j -= 1
            amounts[j] = amount
            days[j] = day

@kernel("(uint64[], int64[], int64[], int64, int64, uint64[:], int32[:], int32[:]) -> int64")
def find_slots2(hashes, starts, stops, partition_bits, table_bits, table, counts, out_slots):
    left = np.uint64(partition_bits)
    right = np.uint64(64 - table_bits)
    mask = np.int64((1 << table_bits) - 1)
    limit = np.int64(1 << table_bits) >> 1
    customers = 0
    position = 0
    for run in range(starts.size):
        for row in range(starts[run], stops[run]):
            hashed = hashes[row]
            slot = np.int64((hashed << left) >> right)
            while table[slot] != hashed:
                if counts[slot] == 0:
                    customers += 1
                    if customers > limit:
                        return -1
                    table[slot] = hashed
                    break
                slot = (slot + 1) & mask
            counts[slot] += 1
            out_slots[position] = slot
            position += 1
    return customers

@kernel("(int32[], int64[], int64[], int64[], int32[], int64, int32[:], int32[:], int32[:], int64[:]) -> void")
def order_by_day2(days, amounts, starts, stops, slots, first_day, histogram, out_days, out_slots, out_amounts):
    for run in range(starts.size):
        for row in range(starts[run], stops[run]):
            histogram[days[row] - first_day] += 1
    total = 0
    for d in range(histogram.size):
        size = histogram[d]
        histogram[d] = total
        total += size
    position = 0
    for run in range(starts.size):
        for row in range(starts[run], stops[run]):
            d = days[row] - first_day
            t = histogram[d]
            histogram[d] = t + 1
            out_days[t] = days[row]
            out_slots[t] = slots[position]
            out_amounts[t] = amounts[row]
            position += 1
