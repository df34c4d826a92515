"""Work in children of this process: forked, so that libraries and kernels are there already.

And a folder in memory for what they write.
"""

import faulthandler
import os
import select
import signal
import tempfile
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path

from campaigns.runner import FaultError

#: Seconds between two looks at a child that says nothing.
PATIENCE = 60
#: Looks after which one counts as hanging that sleeps at each of them and did nothing in between;
#: one that waits for a processor or a disk, as on a busy machine, does not.
IDLE_LOOKS = 2
#: Seconds of a processor that are work; after so many, or looks, a child has no end.
LITTLE, MOST_WORK, MOST_LOOKS = 0.02, 300, 60
#: Seconds in which a child that hangs can say where.
LAST_WORDS = 5


class Child:
    """A forked process that works, and says how it went."""

    def __init__(self, work):
        self._reports, report = os.pipe()
        # An interruption waits until the child can tell of it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reports)
            _work(work, report)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(report)

    def kill(self, number=signal.SIGKILL):
        """Send a signal, if the child is still there."""
        os.kill(self.pid, number)  # not yet waited for, so that nobody else has its number

    def end(self):
        """Return the exit code, negative for a signal, and what the child said."""
        said = b""
        while self._speaks():
            piece = os.read(self._reports, 2**16)
            if not piece:
                break
            said += piece
        else:
            used = _processor_seconds(self.pid)
            said += self._place()
            self.kill()
            os.waitpid(self.pid, 0)
            os.close(self._reports)
            text = " ".join(said.decode(errors="replace").split())
            raise FaultError(f"a child hangs after {used:.1f} s of a processor: {text}")
        os.close(self._reports)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return code, said.decode(errors="replace")

    def _speaks(self):
        """Wait for what the child says; return False where it hangs."""
        used, idle = 0.0, 0
        for _ in range(MOST_LOOKS):
            if select.select([self._reports], [], [], PATIENCE)[0]:
                return True
            before, used = used, _processor_seconds(self.pid)
            idle = idle + 1 if used - before < LITTLE and _sleeps(self.pid) else 0
            if idle == IDLE_LOOKS or used > MOST_WORK:
                return False
        return False

    def _place(self):
        """Return where each thread of the child is, if it can still say so."""
        said = b""
        self.kill(signal.SIGUSR1)
        while select.select([self._reports], [], [], LAST_WORDS)[0]:
            piece = os.read(self._reports, 2**16)
            if not piece:
                break
            said += piece
        return said


def _sleeps(pid):
    """Return whether all threads of a process wait for something that is no processor or disk."""
    states = set()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):  # a thread that has just ended
            states.add(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0])
    return states.isdisjoint({"R", "D"})


def _processor_seconds(pid):
    """Return what a process has used of processors; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _work(work, report):
    """Do the work of a child and end it: nothing of this process is cleaned up twice."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if hasattr(faulthandler, "register"):
            faulthandler.register(signal.SIGUSR1, file=report, all_threads=True)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(silent, stream)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        said = work()
        os.write(report, str(said or "").encode())
        code = 0
    except BaseException:  # noqa: BLE001 - what it is is told
        os.write(report, traceback.format_exc().encode()[-4000:])
    finally:
        os._exit(code)


def done(work):
    """Run in a child; return what it said, or raise a fault where it failed."""
    code, said = Child(work).end()
    if code != 0:
        raise FaultError(f"a child ended with {code}: {' '.join(said.split())[-600:]}")
    return said


@contextmanager
def in_memory(folder: Path):
    """Give a folder in memory, where there can be one: what a disk does is not what is tried."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    place = shared if shared.is_dir() else folder
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=place) as made:
        yield Path(made)
