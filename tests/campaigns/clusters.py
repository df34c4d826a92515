"""A Spark cluster that loses things: workers, shuffle files, room on its disk, and patience.

Of two executors, processes of their own, one is killed; files of a shuffle are deleted while tasks
read them; tasks are slow, so that Spark starts them a second time; the disk of the executors is
full. It needs Java, and for the full disk Linux and root.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import ordercycle as oc
from campaigns.runner import Campaign, FaultError
from ordercycle.engines import spark

AS_OF = "2026-06-01"
ORDERS = 200_000
DISK_BYTES = 2**25
#: Seconds for which a task is slow: long beside those that Spark waits.
SLOW = 4
OPTIONS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",
    "spark.sql.shuffle.partitions": "6",
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.quantile": "0.3",
    "spark.speculation.multiplier": "1.5",
    "spark.speculation.minTaskRuntime": "500ms",
    "spark.shuffle.io.maxRetries": "1",
    "spark.shuffle.io.retryWait": "200ms",
}


@dataclass
class Cluster:
    """A session, orders, what one machine says of them, and the disk of the executors."""

    session: Any
    orders: Any
    expected: pa.Table
    disk: Path
    is_mounted: bool
    folder: Path
    number: int = 0

    def mark(self):
        """Return the path of a file by which one task knows that it is the first."""
        self.number += 1
        return str(self.folder / f"mark-{self.number}")


def shop():
    """Return orders of some thousand customers."""
    drawn = np.random.default_rng(7)
    days = drawn.integers(19_000, 20_600, ORDERS).astype(np.int32)
    return pa.table(
        {
            "customer_id": drawn.integers(0, ORDERS // 10, ORDERS),
            "ordered_at": pa.array(days, pa.int32()).cast(pa.date32()),
            "amount": drawn.integers(1, 10_000, ORDERS) / 100,
        }
    )


@contextmanager
def state(folder: Path):
    """Start a cluster whose executors write to a disk of their own."""
    from pyspark.sql import SparkSession

    disk, mount = folder / "disk", shutil.which("mount")
    disk.mkdir()
    command = [str(mount), "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "campaign", str(disk)]
    is_mounted = os.geteuid() == 0 and mount is not None
    if is_mounted:
        is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Workers import what happens to them.
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["SPARK_LOCAL_DIRS"] = str(disk)
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("campaign")
    for name, value in OPTIONS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        table = shop()
        expected = oc.OrderHistory.build(table).profile(AS_OF).sort_by("customer_id")
        orders = session.createDataFrame(table).repartition(4)
        yield Cluster(session, orders, expected, disk, is_mounted, folder)
    finally:
        session.stop()
        if is_mounted:
            subprocess.run([str(shutil.which("umount")), "-l", str(disk)], check=True)


def first(mark):
    """Return whether nobody has made a file yet, which is then there."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def kill_executor():
    """End the process that started this worker's daemon."""
    stat = Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)


def delete_shuffle(disk):
    """Delete what tasks have written for others."""
    for file in Path(disk).rglob("shuffle_*"):
        file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Mishap:
    """Passes batches on, after something has happened once, in one of the tasks."""

    kind: str
    mark: str
    disk: str
    partition: int

    def __call__(self, batches):
        """Return the batches as they are."""
        from pyspark import TaskContext

        rows = list(batches)
        if TaskContext.get().partitionId() == self.partition and first(self.mark):
            if self.kind == "slow task":
                time.sleep(SLOW)
            elif self.kind == "lost worker":
                kill_executor()
            else:
                delete_shuffle(self.disk)
        yield from rows


def trial(random, state, totals):
    """Have one thing happen, among the sources of a shuffle or behind it."""
    kinds = ["slow task", "lost worker", "lost shuffle files"]
    kind = random.choice(kinds + ["full disk"] * state.is_mounted)
    if kind == "full disk":
        _with_full_disk(random, state, totals)
        return
    mishap = Mishap(kind, state.mark(), str(state.disk), random.randrange(2))
    is_before = random.random() < 0.5 and kind != "lost shuffle files"
    orders = state.orders
    if is_before:
        orders = orders.mapInArrow(mishap, orders.schema)
    profiles = spark.profile(orders, as_of=AS_OF, partitions=random.choice([2, 3, 6]))
    if not is_before:
        profiles = profiles.mapInArrow(mishap, profiles.schema)
    _compare(state, profiles.toArrow(), kind)
    if not os.path.exists(mishap.mark):
        raise FaultError(f"{kind}: it did not happen")
    totals[kind] += 1
    totals["happened"] += 1


def _with_full_disk(random, state, totals):
    filler = state.disk / "filler"
    free = shutil.disk_usage(state.disk).free
    filler.write_bytes(bytes(max(0, free - random.randrange(2**20))))
    profiles = spark.profile(state.orders, as_of=AS_OF, partitions=6)
    try:
        found = profiles.toArrow()
    except Exception as error:  # noqa: BLE001 - whatever Spark makes of it
        # Spark's own, of several kinds: what matters is that it is one, and what comes after it.
        totals["refused"] += 1
        totals["refused, saying why"] += "No space left" in str(error)
    else:
        _compare(state, found, "full disk")
    finally:
        filler.unlink()
    _compare(state, spark.profile(state.orders, as_of=AS_OF).toArrow(), "room again")
    totals["full disk"] += 1
    totals["happened"] += 1


def _compare(state, found, kind):
    if not found.sort_by("customer_id").equals(state.expected):
        raise FaultError(f"{kind}: other rows than one machine's")


CAMPAIGN = Campaign(
    "clusters",
    "workers, shuffle files and room on disk that a Spark cluster loses, and slow tasks",
    "happened",
    trial,
    state,
)
