"""Crashes between any two steps: what was begun is finished, and nothing is removed twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from concurrent.futures import Future
from copy import deepcopy
from pathlib import Path

import pytest
from support.mailing import audience, found_by, people
from support.vendors import TOKEN, FakeMailchimp, FakeMeta, served

from ordercycle._audiences.contacts import people_of
from ordercycle._audiences.members import members_of
from ordercycle._audiences.sending import rows_to_send
from ordercycle._audiences.targets import target_of
from ordercycle._sync import batch_sender, state_folder
from ordercycle._sync.syncing import SyncOptions, sync
from ordercycle.connect import Mailchimp, Meta

pytestmark = [
    pytest.mark.filterwarnings("ignore:Meta has this list"),
    pytest.mark.filterwarnings("ignore:Mailchimp has this list"),
]

POINTS = 400
SIZE = 14
#: About as many as a sync takes.
STEPS = {"changes": 60, "replace": 50, "add_only": 45}


class CrashError(BaseException):
    """The process is gone: nothing handles it."""


class Steps:
    """Counts what reaches the disk or the vendor, and crashes before or after one of them."""

    def __init__(self):
        self.left = None
        self.taken = 0

    def count(self, tear=None):
        self.taken += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                if tear is not None:
                    tear()
                raise CrashError

    def around(self, function):
        def counted(*arguments, **named):
            self.count()
            found = function(*arguments, **named)
            self.count()
            return found

        return counted


class AtOnce:
    """Deals with a batch when it is handed in, before those on their way are noted.

    As threads do, without waiting for their turn: a third of a sync of few people is that.
    """

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        done = Future()
        try:
            done.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - as a thread's
            done.set_exception(error)
        return done


@pytest.fixture
def steps(monkeypatch):
    made = Steps()
    monkeypatch.setattr(os, "fsync", lambda _: made.count())  # the disk itself is not in question
    monkeypatch.setattr(Path, "replace", made.around(Path.replace))
    monkeypatch.setattr(Path, "unlink", made.around(Path.unlink))
    write = state_folder.Journal.write

    def torn(journal, entry):
        made.count(lambda: os.write(journal._handle, b'{"batch":'))
        write(journal, entry)
        made.count()

    monkeypatch.setattr(state_folder.Journal, "write", torn)
    return made


def wanted(connection, numbers, versions):
    """Return rows as a sync takes them, made once for many."""
    of_all = audience(numbers)
    members = members_of(
        of_all._listed.customers, None, people_of(people(numbers, versions)),
        target_of(connection.target), keep_texts=connection.layout.texts, threads=1,
    )  # fmt: skip
    return rows_to_send(members, connection, threads=1)


def days(connection):
    """Return what is wanted on some days, with the versions of addresses."""
    draw = random.Random(7)  # noqa: S311 - no secret
    made = []
    for _ in range(6):
        numbers = sorted(draw.sample(range(SIZE), draw.randint(6, 12)))
        versions = {one: draw.randint(0, 1) for one in numbers}
        made.append((numbers, versions, wanted(connection, numbers, versions)))
    return made


def begun(connection, planned, folder):
    """Return what a vendor has, and the state, after a first sync of each day."""
    options = SyncOptions("changes", dry_run=False, largest_removal=1.0, allow_empty=False)
    made = []
    for number, (*_, rows) in enumerate(planned):
        vendor = connection.transport = FakeMeta()
        sync("Top", rows, connection, folder / str(number), options)
        made.append((vendor.audiences, folder / str(number)))
    return made


@pytest.mark.parametrize(
    ("mode", "points"), [("changes", POINTS), ("replace", 100), ("add_only", 100)]
)
def test_meta_holds_the_audience_after_any_crash(tmp_path, monkeypatch, steps, mode, points):
    if points == POINTS:  # the others, and Mailchimp's, are with threads
        monkeypatch.setattr(batch_sender, "ThreadPoolExecutor", AtOnce)
    connection = Meta("123", TOKEN, base_url="http://localhost:9")._connection
    connection.batch_rows, connection.concurrency = 3, 2
    planned = days(connection)
    there = begun(connection, planned, tmp_path / "begun")
    options = SyncOptions(mode, dry_run=False, largest_removal=1.0, allow_empty=False)
    at_last = SyncOptions("changes", dry_run=False, largest_removal=1.0, allow_empty=False)
    crashes = 0
    draw = random.Random(11)  # noqa: S311 - no secret
    for number in range(points):
        vendor, state = FakeMeta(), tmp_path / str(number)
        connection.transport = CrashingVendor(vendor, steps)
        first, second, third = draw.sample(range(len(planned)), 3)
        vendor.audiences = deepcopy(there[first][0])
        shutil.copytree(there[first][1], state)
        second, third = planned[second], planned[third]
        steps.left = draw.randint(1, STEPS[mode])
        try:
            sync("Top", second[2], connection, state, options)
        except CrashError:
            crashes += 1
        acknowledged = Counter(vendor.removed)
        journalled = removals_in(state)
        vendor.removed.clear()
        steps.left = None
        finally_wanted = draw.choice([second, third])
        sync("Top", finally_wanted[2], connection, state, at_last)
        assert vendor.members("Top") == found_by(*finally_wanted[:2]), number
        again = Counter(vendor.removed[: sum(acknowledged.values())])
        assert not [row for row in journalled if again[row] and finally_wanted is second], number
    assert crashes > points / 2


class CrashingVendor:
    """A vendor that is reached in steps: a crash comes before or after it deals with a request."""

    def __init__(self, vendor, steps):
        self.vendor, self.steps = vendor, steps

    def send(self, *request):
        return self.steps.around(self.vendor.send)(*request)


def removals_in(state):
    """Return the rows of removals that the journal says are acknowledged."""
    from ordercycle._sync.digests import hexadecimal_or_empty
    from ordercycle._sync.plans import NEW, actions_of, batches_of
    from ordercycle._sync.state_folder import AudienceFolder

    found = []
    for folder in AudienceFolder.all_in(state):
        plan = folder.plan()
        done = folder.acknowledged() if plan is not None else {}
        for number, rows in batches_of(plan.table) if plan is not None else ():
            if number in done and actions_of(rows)[0] < NEW:
                columns = [hexadecimal_or_empty(rows.column(name)) for name in ("EMAIL", "PHONE")]
                found += zip(*columns, strict=True)
    return found


def test_mailchimp_holds_the_audience_after_any_crash(tmp_path, steps):
    connection = Mailchimp("a1b2c3", "key1618-us6", base_url="http://localhost:9")._connection
    connection.batch_rows, connection.concurrency = 3, 2
    planned = days(connection)
    options = SyncOptions("changes", dry_run=False, largest_removal=1.0, allow_empty=False)
    draw = random.Random(13)  # noqa: S311 - no secret
    known = {one for *_, rows in planned for one in rows.table.column("EMAIL").to_pylist()}
    crashes = 0
    for number in range(200):
        vendor = FakeMailchimp(members=known)
        connection.transport = CrashingVendor(vendor, steps)
        first, second = draw.sample(planned, 2)
        steps.left = draw.randint(1, 60)
        for rows in (first[2], second[2]):
            try:
                sync("Top", rows, connection, tmp_path / str(number), options)
            except CrashError:
                crashes += 1
                steps.left = None
                sync("Top", rows, connection, tmp_path / str(number), options)
        steps.left = None
        assert vendor.members("Top") == set(second[2].table.column("EMAIL").to_pylist())
    assert crashes > 100


NIGHT = """
import sys
sys.path[:0] = {path!r}
from support.mailing import audience, people
from ordercycle.connect import Meta
meta = Meta("123", {token!r}, base_url={url!r})
meta._connection.batch_rows = 5
moved = {{one: 1 for one in range(20, 30)}}
audience(range(20, 80)).sync(meta, people(range(80), moved), {state!r})
"""


def test_a_process_that_is_killed(tmp_path):
    """Really killed, at moments that only the system knows."""
    vendor = FakeMeta()
    draw = random.Random(17)  # noqa: S311 - no secret
    moved = dict.fromkeys(range(20, 30), 1)
    with served(vendor) as url:
        meta = Meta("123", TOKEN, base_url=url)
        audience(range(60)).sync(meta, people(range(60)), tmp_path / "s")
        code = textwrap.dedent(NIGHT).format(
            path=sys.path, token=TOKEN, url=url, state=str(tmp_path / "s")
        )
        killed = 0
        for _ in range(3):
            stop = len(vendor.requests) + draw.randint(1, 9)
            with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code]) as started:
                while started.poll() is None and len(vendor.requests) < stop:
                    time.sleep(0.002)
                if started.poll() is None:
                    started.send_signal(signal.SIGKILL)
                    killed += 1
        audience(range(20, 80)).sync(meta, people(range(80), moved), tmp_path / "s")
    assert killed
    assert vendor.members("Top") == found_by(range(20, 80), moved)
