"""A Dask cluster that loses things: workers, in a task or at any moment, and room on its disk.

Blocks go through tasks or, as rows of frames, through Dask's own shuffle, which writes to the disk
of the workers. For the full disk it needs Linux and root.
"""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import dask as configured
import pyarrow as pa

from campaigns import losing_clusters
from campaigns.cluster_questions import answers, shop
from campaigns.losing_clusters import DISK_BYTES, Cluster, first
from campaigns.runner import Campaign
from campaigns.small_disks import small_disk
from ordercycle.engines import dask

#: Seconds for which a task is slow: meanwhile, the other worker takes over what waits behind it.
SLOW = 2


class DaskCluster(Cluster):
    """Two workers with a nanny each, and what can happen to them."""

    engine = dask
    in_a_task = ("slow task", "lost worker")
    errors = (OSError, RuntimeError)

    def collect(self, frame):
        return pa.Table.from_pandas(frame.compute(), preserve_index=False)

    def struck(self, frame, kind, mark, partition):
        return frame.map_partitions(
            mishap, meta=frame._meta, kind=kind, mark=mark, partition=partition
        )

    def workers(self):
        return list(self.driver.run(os.getpid).values())


def mishap(part, kind, mark, partition, partition_info=None):
    """Return a partition as it is, after something has happened once, in one of the tasks."""
    if partition_info is not None and partition_info["number"] == partition and first(mark):
        if kind == "slow task":
            time.sleep(SLOW)
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return part


@contextmanager
def state(folder: Path):
    """Start a cluster whose workers write to a disk of their own."""
    import dask.dataframe as dd
    import pandas as pd
    from distributed import Client, LocalCluster

    answers()  # which no cluster has to wait for
    disk = folder / "disk"
    # Workers import what happens to them.
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    with (
        small_disk(disk, DISK_BYTES) as is_mounted,
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs="CRITICAL",
            local_directory=str(disk),
        ) as made,
        Client(made) as client,
    ):
        orders, touches = (
            dd.from_pandas(table.to_pandas(types_mapper=pd.ArrowDtype), npartitions=4, sort=False)
            for table in (shop().orders, shop().touches)
        )
        yield DaskCluster(client, orders, touches, disk, is_mounted, folder)


def trial(random, state, totals):
    """Have one thing happen, through one of the two ways of shuffling."""
    shuffle = random.choice([None, "p2p"])
    with configured.config.set({"dataframe.shuffle.method": shuffle}):
        losing_clusters.trial(random, state, totals)
    totals["through Dask's own shuffle"] += shuffle == "p2p"


CAMPAIGN = Campaign(
    "workers",
    "workers and room on disk that a Dask cluster loses, and slow tasks",
    "happened",
    trial,
    state,
)
