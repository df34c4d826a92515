"""Damaged files: how they are made, and a process of its own that reads them.

A fault that ends a process has to be seen as well, so the process is not that of the test; it is
started again where it died or hung.
"""

import hashlib
import importlib
import json
import select
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

import ordercycle as oc

#: Seconds after which a file counts as one that hangs its reader.
PATIENCE = 20
#: The same, while kernels may still have to be compiled.
LONG_PATIENCE = 600
#: What offsets, lengths, counts and codes are overwritten with.
HOSTILE = (0, 1, -1, -5, 127, 200, 4000, 2**20, 2**30, 2**31 - 1, -(2**31))
LONG_HOSTILE = (*HOSTILE, 2**40, 2**62, 2**63 - 1, -(2**63))


def mutant(content, random):
    """Return the bytes of a file with something wrong in them."""
    damaged = bytearray(content)
    place = random.randrange(len(damaged))
    kind = random.randrange(8)
    if kind < 2:
        damaged[place] ^= 1 << random.randrange(8)
    elif kind == 2:
        damaged[place] = random.choice([0, 1, 127, 128, 255])
    elif kind in (3, 4):
        place -= place % 4
        damaged[place : place + 4] = struct.pack("<i", random.choice(HOSTILE))
    elif kind == 5:
        place -= place % 8
        damaged[place : place + 8] = struct.pack("<q", random.choice(LONG_HOSTILE))
    elif kind == 6:
        del damaged[place:]
    else:
        size = random.randrange(1, 64)
        other = random.randrange(len(damaged))
        damaged[place : place + size] = damaged[other : other + size]
    return bytes(damaged)


class Reader:
    """A process that reads files until one ends it."""

    def __init__(self):
        self._process = None
        #: Of the values that were read last; "" where a file was refused.
        self.digest = ""
        self._compiled = set()  # uses whose kernels are

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self._stop()

    def _stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def read(self, use, path, **options):
        """Return "sound" or "refused", or what went wrong with a file."""
        if self._process is None:
            command = [sys.executable, "-W", "ignore", __file__]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        self._process.stdin.write(json.dumps([use, str(path), options]) + "\n")
        self._process.stdin.flush()
        patience = PATIENCE if use in self._compiled else LONG_PATIENCE
        if not select.select([self._process.stdout], [], [], patience)[0]:
            self._stop()
            return "hangs"
        self._compiled.add(use)
        answer = self._process.stdout.readline()
        if not answer:
            code = self._process.wait()
            self._process = None
            return f"ended with {code}"
        found, self.digest = json.loads(answer)
        return found


#: Of all the files; an error names one of them, or the file.
COLUMNS = ("customer_id", "ordered_at", "amount", "registered_at", "segment", "valid_")
EVENT_COLUMNS = ("occurred_at", "event_id", "kind", "price")


def check(*tables):
    """Look at every value of a result; return a digest of all."""
    for table in tables:
        table.validate(full=True)
    values = [table.to_pydict() for table in tables]
    return hashlib.sha256(repr(values).encode()).hexdigest()


def read_orders(path, **options):
    """Build, profile and look at orders."""
    return check(oc.OrderHistory.build(path, threads=1, **options).profile("2026-06-01"))


def stream_columns():
    """Return the columns of events that are read."""
    return oc.EventColumns(id="event_id", attributes=["kind"], values=["price"])


def read_events(path, **options):
    """Build and look at events."""
    stream = oc.EventHistory.build(path, columns=stream_columns(), threads=1, **options)
    return check(*stream.to_batches())


def read_event_history(folder, *, verify):
    """Open a stream and look at it."""
    return check(*oc.EventHistory.open(folder, verify=verify, threads=1).to_batches())


def read_customers(path, **options):
    """Build with customers of a file."""
    orders = pa.table(
        {"customer_id": ["a"], "ordered_at": pa.array([20_000], pa.date32()), "amount": [1.0]}
    )
    history = oc.OrderHistory.build(orders, path, threads=1, **options)
    return check(history.profile("2026-06-01"))


def read_membership(path):
    """Read a membership and look at it."""
    return check(oc.Membership.from_table(path).to_table())


def read_history(folder, *, verify):
    """Open a history and look at it."""
    history = oc.OrderHistory.open(folder, verify=verify)
    return check(
        history.profile("2026-06-01"),
        history.profile("2025-06-01"),
        oc.Lifecycle.preset("fashion").membership(history).to_table(),
    )


USES = {
    "orders": read_orders,
    "events": read_events,
    "event_history": read_event_history,
    "customers": read_customers,
    "membership": read_membership,
    "history": read_history,
}


#: What was raised where nobody could catch it: its traceback would be printed.
IGNORED = []


def answer(use, path, options):
    """Return how reading a file ends, and a digest of what was read."""
    IGNORED.clear()
    try:
        digest = USES[use](path, **options)
        return ("sound", digest) if not IGNORED else (f"a traceback on stderr: {IGNORED[0]}", "")
    except oc.OrdercycleError as error:
        text = str(error)
        named = any(name in text for name in (Path(path).name, *COLUMNS, *EVENT_COLUMNS))
        found = "refused" if text.isprintable() and named else f"names nothing: {text}"
        if IGNORED:
            found = f"a traceback on stderr: {IGNORED[0]}"
    except Exception as error:  # noqa: BLE001 - what it is is the answer
        found = f"{type(error).__name__}: {error}"[:300]
    return found, ""


if __name__ == "__main__":
    sys.unraisablehook = lambda raised: IGNORED.append(repr(raised.exc_value))
    importlib.import_module("numba")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(*json.loads(line))) + "\n")
        sys.stdout.flush()
