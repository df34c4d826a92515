"""A Spark cluster that loses things: workers, shuffle files, room on its disk, and patience.

Of two executors, processes of their own, one is killed, in a task or at any moment, or the Python
of a task; files of a shuffle are deleted while tasks read them; tasks are slow, so that Spark
starts them a second time; the disk of the executors is full. It needs Java, and for the full disk
Linux and root.
"""

import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from campaigns.cluster_questions import answers, shop
from campaigns.losing_clusters import DISK_BYTES, Cluster, first, trial
from campaigns.runner import Campaign
from campaigns.small_disks import small_disk
from ordercycle.engines import spark

#: Seconds for which a task is slow: long beside those that Spark waits.
SLOW = 4
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
OPTIONS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": JAVA,
    "spark.executor.extraJavaOptions": JAVA,
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
    # However many executors are killed, others are started.
    "spark.deploy.maxExecutorRetries": "-1",
}


class SparkCluster(Cluster):
    """Two executors, and what can happen to them."""

    engine = spark
    in_a_task = ("slow task", "lost worker", "lost Python", "lost shuffle files")
    errors = (PySparkException, Py4JJavaError)

    def collect(self, frame):
        return frame.toArrow()

    def struck(self, frame, kind, mark, partition):
        return frame.mapInArrow(Mishap(kind, mark, str(self.disk), partition), frame.schema)

    def workers(self):
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if b"CoarseGrainedExecutorBackend" not in (folder / "cmdline").read_bytes():
                    continue
                above = int(folder.name)
                while above not in (0, os.getpid()):
                    above = parent_of(above)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
            if above:
                found.append(int(folder.name))
        return found


@contextmanager
def state(folder: Path):
    """Start a cluster whose executors write to a disk of their own."""
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    answers()  # which no cluster has to wait for
    disk = folder / "disk"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Workers import what happens to them.
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["SPARK_LOCAL_DIRS"] = str(disk)
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("campaign")
    for name, value in OPTIONS.items():
        builder = builder.config(name, value)
    with small_disk(disk, DISK_BYTES) as is_mounted:
        session = builder.getOrCreate()
        try:
            orders, touches = (
                session.createDataFrame(
                    table, from_arrow_schema(table.schema, prefer_timestamp_ntz=True)
                ).repartition(4)
                for table in (shop().orders, shop().touches)
            )
            yield SparkCluster(session, orders, touches, disk, is_mounted, folder)
        finally:
            session.stop()


def parent_of(process):
    """Return the number of the process that started another; 0: none."""
    stat = Path(f"/proc/{process}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


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
                os.kill(parent_of(os.getppid()), signal.SIGKILL)  # who started its daemon
            elif self.kind == "lost Python":
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                delete_shuffle(self.disk)
        yield from rows


CAMPAIGN = Campaign(
    "clusters",
    "workers, shuffle files and room on disk that a Spark cluster loses, and slow tasks",
    "happened",
    trial,
    state,
)
