"""kill -9 at any moment: what is there is the old or the new, and the next run leaves no trace."""

import time
from contextlib import contextmanager
from pathlib import Path

from campaigns.children import Child, done, in_memory
from campaigns.runner import Campaign, FaultError
from campaigns.writers import NEW, NEXT, OLD, WRITERS, Prepared
from ordercycle import _durable

#: How often one is killed before what it left is cleared away.
IN_A_ROW = (1, 2, 4, 8)
#: What becomes of the time within which a writer is killed, where it came first and where not: of
#: seven, one comes first, so that its last moment is tried as well.
SHORTER, LONGER = 0.97, 1.005


class Killed:
    """A writer, and how long it takes until it is done."""

    def __init__(self, writer, folder):
        self.prepared = Prepared(writer, folder)
        self.place = folder.with_name(f"{folder.name}-killed")
        self.seconds = min(self._undisturbed() for _ in range(3))

    def _undisturbed(self):
        place = self.prepared.copied(self.place)
        child = Child(lambda: self.prepared.writer.write(place, NEW))
        begun = time.monotonic()
        code, said = child.end()
        if code != 0:
            raise FaultError(f"undisturbed, a writer ended with {code}: {said}")
        return time.monotonic() - begun


@contextmanager
def state(folder: Path):
    """Prepare every writer; leftovers are taken for such at once."""
    fresh, _durable.FRESH_SECONDS = _durable.FRESH_SECONDS, 0.0
    try:
        with in_memory(folder) as place:
            yield {
                name: Killed(make(), place / name.replace(" ", "-"))
                for name, make in WRITERS.items()
            }
    finally:
        _durable.FRESH_SECONDS = fresh


def trial(random, state, totals):
    """Kill a writer, once or several times, and let it go on."""
    name = random.choice(list(state))
    one = state[name]
    writer, place = one.prepared.writer, one.prepared.copied(one.place)
    for _ in range(random.choice(IN_A_ROW)):
        child = Child(lambda: writer.write(place, NEW))
        time.sleep(random.uniform(0.0, one.seconds))
        child.kill()
        code, said = child.end()
        if code not in (0, -9):
            raise FaultError(f"{name}: ended with {code}: {' '.join(said.split())[-500:]}")
        totals["killed" if code == -9 else "came first"] += 1
        totals[f"{name}: tries"] += 1
        one.seconds *= LONGER if code == -9 else SHORTER
        found = writer.found(place)
        if found not in (one.prepared.digests[OLD], one.prepared.digests[NEW]):
            raise FaultError(f"{name}: neither the old nor the new is there")
        totals["new" if found == one.prepared.digests[NEW] else "old"] += 1
    done(lambda: _in_turn(writer, place))
    if writer.found(place) != one.prepared.digests[NEXT]:
        raise FaultError(f"{name}: the next run made something else")
    left = writer.files(place)
    if left != one.prepared.files[NEXT]:
        raise FaultError(f"{name}: {left} is there, and should be {one.prepared.files[NEXT]}")


def _in_turn(writer, place):
    for version in (NEW, NEXT):
        writer.write(place, version)


CAMPAIGN = Campaign(
    "kills",
    "kill -9 in every writer",
    "killed",
    trial,
    state,
)
