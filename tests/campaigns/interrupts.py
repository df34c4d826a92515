"""Ctrl-C at any moment, many threads at once, forks of a busy process: always the right results."""

import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from campaigns.children import Child
from campaigns.runner import Campaign, FaultError
from campaigns.work import WORK

THREADS = 6


@contextmanager
def state(folder: Path):  # noqa: ARG001 - of all campaigns
    """Work undisturbed, and note how long it takes."""
    found = {}
    for name, work in WORK.items():
        wanted = work(2)
        begun = time.monotonic()
        work(2)
        found[name] = wanted, time.monotonic() - begun
    yield found


def trial(random, state, totals):
    """Disturb a piece of work in one of three ways."""
    random.choice((_interrupted, _interrupted, _together, _forked))(random, state, totals)


def _interrupted(random, state, totals):
    """Send SIGINT; the child goes on after it, with the same process."""
    name = random.choice(list(WORK))
    wanted, seconds = state[name]
    threads = random.choice((1, 2))

    def work():
        told = "in time"
        try:
            WORK[name](threads)
        except KeyboardInterrupt:
            told = "interrupted"
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        left = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
        return f"{told} {WORK[name](threads)} {' '.join(left)}"

    child = Child(work)
    time.sleep(random.uniform(0.0, 1.2) * seconds)
    sent = time.monotonic()
    child.kill(signal.SIGINT)
    code, said = child.end()
    took = time.monotonic() - sent
    if code != 0 and "KeyboardInterrupt" in said:
        totals["interrupted before the work"] += 1  # or between it and its end
        return
    if code != 0:
        raise FaultError(f"{name}, {threads=}: ended with {code}: {' '.join(said.split())[-400:]}")
    words = said.split()
    if wanted not in words:
        raise FaultError(f"{name}: after an interruption, another result: {said!r}")
    totals["interrupted" if words[0] == "interrupted" else "in time"] += 1
    totals["slowest ms to go on"] = max(totals["slowest ms to go on"], round(1000 * took))


def _together(random, state, totals):
    """Work in many threads at once."""
    names = [random.choice(list(WORK)) for _ in range(THREADS)]
    found = {}

    def work(number, name):
        try:
            found[number] = WORK[name](2)
        except Exception as error:  # noqa: BLE001 - told below
            found[number] = repr(error)

    threads = [threading.Thread(target=work, args=one) for one in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, name in enumerate(names):
        if found[number] != state[name][0]:
            raise FaultError(f"{name} beside {names}: {found[number]!r}")
    totals["calls in threads"] += len(names)


def _forked(random, state, totals):
    """Fork while other threads work, and work in the child."""
    name, other = random.choice(list(WORK)), random.choice(list(WORK))
    found = []

    def work():
        try:
            found.append(WORK[other](2))
        except Exception as error:  # noqa: BLE001 - told below
            found.append(repr(error))

    busy = threading.Thread(target=work)
    busy.start()
    time.sleep(random.uniform(0.0, 1.0) * state[other][1])
    code, said = Child(lambda: WORK[name](2)).end()
    busy.join()
    if code != 0 or said != state[name][0]:
        end = " ".join(said.split())[-400:]
        raise FaultError(f"{name} forked beside {other}: ended with {code}: {end}")
    if found != [state[other][0]]:
        raise FaultError(f"{other}, while {name} was forked: {found}")
    totals["forks"] += 1


CAMPAIGN = Campaign("interrupts", "interruptions, threads and forks", "interrupted", trial, state)
