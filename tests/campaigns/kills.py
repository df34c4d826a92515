"""kill -9 at any moment: what is there is the old or the new, and the next run leaves no trace."""

import time
from contextlib import contextmanager
from pathlib import Path

from campaigns.children import Child, done
from campaigns.runner import Campaign, FaultError
from campaigns.writers import NEW, NEXT, OLD, WRITERS, Prepared
from ordercycle import _durable


class Killed:
    """A writer, and how long it takes undisturbed."""

    def __init__(self, writer, folder):
        self.prepared = Prepared(writer, folder)
        self.place = folder.with_name(f"{folder.name}-killed")
        begun = time.monotonic()
        place = self.prepared.copied(self.place)
        done(lambda: writer.write(place, NEW))
        self.seconds = time.monotonic() - begun


@contextmanager
def state(folder: Path):
    """Prepare every writer; leftovers are taken for such at once."""
    fresh, _durable.FRESH_SECONDS = _durable.FRESH_SECONDS, 0.0
    try:
        yield {
            name: Killed(make(), folder / name.replace(" ", "-")) for name, make in WRITERS.items()
        }
    finally:
        _durable.FRESH_SECONDS = fresh


def trial(random, state, totals):
    """Kill a writer, once or several times, and let it go on."""
    name = random.choice(list(state))
    one = state[name]
    writer, place = one.prepared.writer, one.prepared.copied(one.place)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        child = Child(lambda: writer.write(place, NEW))
        time.sleep(random.uniform(0.0, 1.05) * one.seconds)
        child.kill()
        code, said = child.end()
        if code not in (0, -9):
            raise FaultError(f"{name}: ended with {code}: {' '.join(said.split())[-500:]}")
        totals["killed" if code == -9 else "came first"] += 1
        totals[f"{name}: tries"] += 1
    found = writer.found(place)
    if found not in (one.prepared.digests[OLD], one.prepared.digests[NEW]):
        raise FaultError(f"{name}: neither the old nor the new is there")
    totals["new" if found == one.prepared.digests[NEW] else "old"] += 1
    for version in (NEW, NEXT):
        done(lambda version=version: writer.write(place, version))
    if writer.found(place) != one.prepared.digests[NEXT]:
        raise FaultError(f"{name}: the next run made something else")
    left = writer.files(place)
    if left != one.prepared.files[NEXT]:
        raise FaultError(f"{name}: {left} is there, and should be {one.prepared.files[NEXT]}")


CAMPAIGN = Campaign(
    "kills",
    "kill -9 in every writer",
    "killed",
    trial,
    state,
)
