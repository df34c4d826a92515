"""Memory that runs out: the right result, or an error; no signal, no hang, no other result.

The limit is set from outside, on the memory that a child may write to from then on (Linux).
"""

import resource
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import ordercycle as oc
from campaigns.children import Child, done
from campaigns.runner import Campaign, FaultError
from campaigns.writers import AS_OF, digest

ROWS = 400_000
#: Room at least: with less, Python itself waits without end for a thread that cannot begin.
LEAST_BYTES, MOST_BYTES = 2**22, 2**25


def table(rows):
    """Return orders."""
    drawn = np.random.default_rng(7)
    days = pa.array(drawn.integers(20_000, 20_500, rows), pa.int32())
    return pa.table(
        {
            "customer_id": pa.array(drawn.integers(0, rows // 8, rows)).cast(pa.string()),
            "ordered_at": days.cast(pa.date32()),
            "amount": pa.array(drawn.integers(0, 9_999, rows)),
        }
    )


@dataclass(frozen=True)
class Large:
    """Orders in memory and in files, and what comes of them undisturbed."""

    orders: pa.Table
    files: Path
    results: dict


def of_memory(large, threads):
    """Group a table."""
    return _told(oc.OrderHistory.build(large.orders, threads=threads).profile(AS_OF))


def of_files(large, threads):
    """Group a Parquet file."""
    path = large.files / "orders.parquet"
    return _told(oc.OrderHistory.build(path, threads=threads).profile(AS_OF))


def of_text(large, threads):
    """Group a CSV file."""
    path = large.files / "orders.csv"
    return _told(oc.OrderHistory.build(path, threads=threads).profile(AS_OF))


def limited(large, threads):
    """Group a file under a memory limit."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"memory_limit": "100MB", "spill_directory": folder, "threads": threads}
        history = oc.OrderHistory.build(large.files / "orders.parquet", **options)
        return _told(history.profile(AS_OF))


def reported(large, threads):
    """Open a history and make a report."""
    history = oc.OrderHistory.open(large.files / "history", threads=threads)
    membership = oc.Lifecycle().membership(history)
    return digest(oc.SegmentReport.build(history, membership, period="2026-01").comparison())


def saved(large, threads):
    """Group a table and save it."""
    with tempfile.TemporaryDirectory() as folder:
        oc.OrderHistory.build(large.orders, threads=threads).save(Path(folder) / "history")
        return _told(oc.OrderHistory.open(Path(folder) / "history", threads=1).profile(AS_OF))


WORK = {one.__name__: one for one in (of_memory, of_files, of_text, limited, reported, saved)}


def _told(profile):
    """Return sums of a large profile: exact ones, so that nothing can be lost in them."""
    sums = [int(np.asarray(profile[name].fill_null(0)).sum()) for name in ("orders", "revenue")]
    return f"{profile.num_rows} {sums}"


def written(folder, rows):
    """Return orders, in files too."""
    folder.mkdir()
    orders = table(rows)
    pq.write_table(orders, folder / "orders.parquet")
    pa.csv.write_csv(orders, folder / "orders.csv")
    oc.OrderHistory.build(orders).save(folder / "history")
    return Large(orders, folder, {})


@contextmanager
def state(folder: Path):
    """Compile everything with few orders; of many, children find the results.

    What this process had once it would keep, and its children never ask for again.
    """
    few = written(folder / "few", 2_000)
    for work in WORK.values():
        work(few, 2)
    done(lambda: written(folder / "many", ROWS) and "")
    large = Large(table(ROWS), folder / "many", {})
    for name, work in WORK.items():
        large.results[name] = done(lambda work=work: work(large, 2))
    yield large


def trial(random, state, totals):
    """Work with little memory."""
    name = random.choice(list(WORK))
    threads = random.choice((1, 2))
    room = LEAST_BYTES + int(MOST_BYTES * random.random())

    def work():
        limit = _written_bytes() + room
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        try:
            return WORK[name](state, threads)
        except MemoryError as error:
            return f"MemoryError: {error}"
        except oc.OrdercycleError as error:
            return f"{type(error).__name__}: {error}"

    code, said = Child(work).end()
    totals[f"{name}: tries"] += 1
    if code != 0:
        end = " ".join(said.split())[-400:]
        raise FaultError(f"{name} with {room:,} bytes, {threads=}: ended with {code}: {end}")
    if said == state.results[name]:
        totals["right"] += 1
    elif said.partition(":")[0].endswith("Error"):
        totals["refused"] += 1
    else:
        raise FaultError(f"{name} with {room:,} bytes: another result")


def _written_bytes():
    """Return the bytes that this process may write to; allocators reserve far more than that."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))


CAMPAIGN = Campaign("memory", "limits on memory from outside", "refused", trial, state)
