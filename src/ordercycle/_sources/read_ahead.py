"""Reading ahead: threads read the next parts while the caller works on the batches before them.

Parts are read in parallel and handed over in their order. What waits is bounded: at most
`threads` + 1 parts, of each at most `PART_ROWS` rows and the batch that reached them; where memory
has a limit, as many bytes of all parts together.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

#: Rows of a part to aim for: a few batches, so that threads have work and memory stays small.
PART_ROWS = 2**20
#: Rows of a batch to ask readers for: what is laid out at a time.
BATCH_ROWS = 2**18
#: More readers than this wait for the disk, or for the caller, and only hold memory.
MOST_READERS = 8

Part = Callable[[], Iterator[pa.RecordBatch]]


class _Lane:
    """The batches of one part on their way to the caller."""

    def __init__(self) -> None:
        self.batches: deque[pa.RecordBatch] = deque()
        self.rows = 0
        self.finished = False
        self.error: BaseException | None = None

    def has_news(self) -> bool:
        return self.finished or bool(self.batches)


def read_ahead(
    parts: Sequence[Part], threads: int, most_bytes: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of all parts, one part after the other.

    most_bytes: of the batches that wait; None: no limit.

    The first error, in the order of the rows, is raised where its batch would have come.
    Closing the iterator ends the threads.
    """
    readers = _Readers(parts, min(threads, MOST_READERS, len(parts)), most_bytes)
    try:
        yield from readers.batches()
    finally:
        readers.stop()


class _Readers:
    def __init__(self, parts: Sequence[Part], threads: int, most_bytes: int | None) -> None:
        self._parts = parts
        self._most_bytes = most_bytes
        self._bytes = 0  # of all batches that wait, where memory has a limit
        self._lanes = [_Lane() for _ in parts]
        self._changed = threading.Condition()
        self._started = 0  # parts taken by a thread
        self._passed = 0  # parts that the caller has gone through
        self._stopped = False
        self._window = threads + 1
        self._threads = [
            threading.Thread(target=self._run, name=f"ordercycle-read-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        for number, lane in enumerate(self._lanes):
            while True:
                with self._changed:
                    self._changed.wait_for(lane.has_news)
                    if not lane.batches:
                        self._passed += 1
                        self._changed.notify_all()
                        break
                    batch = lane.batches.popleft()
                    lane.rows -= batch.num_rows
                    self._bytes -= self._size(batch)
                    self._changed.notify_all()
                yield batch
            if lane.error is not None:
                raise lane.error
            self._lanes[number] = _Lane()  # lets go of what the old one holds

    def stop(self) -> None:
        """End the threads, after the batch that each is reading."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._may_start)
                if self._stopped or self._started == len(self._parts):
                    return
                number = self._started
                self._started += 1
            self._read(self._parts[number], self._lanes[number])

    def _may_start(self) -> bool:
        return (
            self._stopped
            or self._started == len(self._parts)
            or self._started < self._passed + self._window
        )

    def _size(self, batch: pa.RecordBatch) -> int:
        return 0 if self._most_bytes is None else int(batch.nbytes)

    def _has_room(self, lane: _Lane) -> bool:
        if not lane.batches and lane is self._lanes[self._passed]:
            return True  # the caller waits for this batch, whatever else waits for the caller
        full = self._most_bytes is not None and self._bytes >= self._most_bytes
        return not full and lane.rows < PART_ROWS

    def _read(self, part: Part, lane: _Lane) -> None:
        try:
            for batch in part():
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped or self._has_room(lane))
                    if self._stopped:
                        return
                    lane.batches.append(batch)
                    lane.rows += batch.num_rows
                    self._bytes += self._size(batch)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            lane.error = error
        finally:
            with self._changed:
                lane.finished = True
                self._changed.notify_all()
