"""What all campaigns share: budget, seeds, totals, and a line for every fault.

A campaign is a module with a `Campaign` under the name `CAMPAIGN`. Its trials are numbered, and a
trial draws all that it does from its seed and number: a fault says with which command it is seen
again. Runs add up in a file, each with a seed of its own, and end early, with their totals, on
SIGINT and SIGTERM.
"""

import argparse
import json
import platform
import random
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numba
import pyarrow as pa

NAMES = ("files", "differential", "properties", "kills", "disks", "memory", "names", "interrupts")
#: Those that need more than Python, and are run by hand.
BY_HAND = ("clusters", "workers")
PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
#: Faults after which a campaign gives up: one cause has many.
MOST_FAULTS = 20
#: Seconds between lines that say how far it is.
PROGRESS_SECONDS = 60


class FaultError(Exception):
    """What must not be: the campaign goes on and ends with exit code 1."""


@dataclass(frozen=True)
class Campaign:
    """What a campaign tries.

    `trial(random, state, totals)` tries one thing, adds what it counted to the totals, and raises
    FaultError, or anything, where something is wrong. `state(folder)` is what trials share, as a
    context manager. `unit` is the total that tells how long the campaign was.
    """

    name: str
    about: str
    unit: str
    trial: Callable[[random.Random, Any, Counter[str]], None]
    state: Callable[[Path], AbstractContextManager[Any]]


@dataclass
class Outcome:
    """What a run of a campaign found."""

    campaign: Campaign
    seed: int
    trials: int = 0
    seconds: float = 0.0
    totals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the totals in one line."""
        counted = ", ".join(f"{name} {number:,}" for name, number in sorted(self.totals.items()))
        return (
            f"{self.campaign.name}: {self.trials:,} trials in {self.seconds:,.0f} s, {counted}; "
            f"{len(self.faults)} faults"
        )


def run(
    campaign: Campaign,
    *,
    seed: int = 0,
    seconds: float | None = None,
    trials: int | None = None,
    only: int | None = None,
    say: Callable[[str], object] = print,
    stop: Collection[int] = (),
) -> Outcome:
    """Run trials until the time, or their number, is used up, or something stands in `stop`."""
    outcome = Outcome(campaign, seed)
    number = 0 if only is None else only
    with (
        tempfile.TemporaryDirectory(prefix="campaign-") as folder,
        campaign.state(Path(folder)) as state,
    ):
        began = said = time.monotonic()  # what is prepared once takes nothing of the budget
        while only is None or number == only:
            outcome.seconds = time.monotonic() - began
            if (trials is not None and outcome.trials >= trials) or (
                seconds is not None and outcome.seconds >= seconds
            ):
                break
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                say(outcome.line())
            _try(campaign, number, state, outcome, say, stop)
            if stop:
                break
            number += 1
            if len(outcome.faults) >= MOST_FAULTS:
                say(f"{campaign.name}: given up after {MOST_FAULTS} faults")
                break
    outcome.seconds = time.monotonic() - began
    return outcome


def _try(
    campaign: Campaign,
    number: int,
    state: Any,
    outcome: Outcome,
    say: Callable[[str], object],
    stop: Collection[int],
) -> None:
    drawn = random.Random(f"{campaign.name} {outcome.seed} {number}")  # noqa: S311 - no secret
    counted: Counter[str] = Counter()
    fault = None
    try:
        campaign.trial(drawn, state, counted)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
        if stop:
            return  # a terminal interrupts the processes of a trial as well: it is not counted
        again = f"python tests/campaigns {campaign.name} --seed {outcome.seed} --only {number}"
        kind = str(error) if isinstance(error, FaultError) else _told(error)
        fault = f"{kind} [{again}]"
    outcome.trials += 1
    add(outcome.totals, counted)
    if fault is not None:
        outcome.faults.append(fault)
        say(f"FAULT {fault}")


def add(totals: Counter[str], counted: Mapping[str, int]) -> None:
    """Add what was counted to totals; of a total that is "slowest" something, keep the larger."""
    for name, number in counted.items():
        slowest = name.startswith("slowest")
        totals[name] = max(totals[name], number) if slowest else totals[name] + number


def _told(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def campaign_of(name: str) -> Campaign:
    """Return a campaign by its name."""
    return import_module(f"campaigns.{name}").CAMPAIGN


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Give a list in which SIGINT and SIGTERM are noted; a second one interrupts the trial."""
    noted: list[int] = []

    def note(number: int, _frame: object) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def record(outcome: Outcome) -> dict[str, Any]:
    """Return a run as it is kept: what ran with which seed, and what it counted."""
    return {
        "campaign": outcome.campaign.name,
        "seed": outcome.seed,
        "trials": outcome.trials,
        "seconds": round(outcome.seconds),
        "faults": len(outcome.faults),
        "totals": dict(sorted(outcome.totals.items())),
        "versions": {
            "ordercycle": tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"],
            "python": platform.python_version(),
            "numba": numba.__version__,
            "pyarrow": pa.__version__,
        },
    }


def records(path: Path) -> list[dict[str, Any]]:
    """Return the runs of a file; none where it is not there yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def unused_seed(runs: Iterable[dict[str, Any]], name: str) -> int:
    """Return a seed with which none of the runs of a campaign was."""
    return 1 + max((run["seed"] for run in runs if run["campaign"] == name), default=0)


def added_up(runs: Collection[dict[str, Any]]) -> list[str]:
    """Return a line for each campaign with the sums over its runs."""
    lines = []
    for name in (*NAMES, *BY_HAND):
        own = [run for run in runs if run["campaign"] == name]
        if not own:
            continue
        sums: Counter[str] = Counter()
        for run in own:
            add(sums, {key: run[key] for key in ("trials", "seconds", "faults")})
            add(sums, run["totals"])
        trials, seconds, faults = (sums.pop(key) for key in ("trials", "seconds", "faults"))
        counted = ", ".join(f"{key} {number:,}" for key, number in sorted(sums.items()))
        seeds = [run["seed"] for run in own]
        runs_had = f"{len(own)} runs, seeds {min(seeds)} to {max(seeds)}"
        lines.append(
            f"{name}: {runs_had}, {trials:,} trials in {seconds:,} s, {counted}; {faults} faults"
        )
    return lines


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/campaigns", description=__doc__)
    parser.add_argument("name", nargs="?", choices=(*NAMES, *BY_HAND))
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    parser.add_argument("--seconds", type=float, help="budget; 60 where no other is given")
    parser.add_argument("--trials", type=int, help="how many at most")
    parser.add_argument("--seed", type=int, help="one that FILE has not had; 1 without a file")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this trial alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the totals as a line")
    parser.add_argument("--totals", type=Path, metavar="FILE", help="add up the lines of a file")
    given = parser.parse_args()
    if given.seconds is None and given.trials is None and given.only is None:
        given.seconds = 60.0
    before = [] if given.json is None else records(given.json)
    if given.seed is None:
        given.seed = unused_seed(before, given.name)
    elif any((run["campaign"], run["seed"]) == (given.name, given.seed) for run in before):
        parser.error(f"{given.json} has a run of {given.name} with seed {given.seed} already")
    return given


def main() -> None:
    """Run a campaign of the command line; the exit code says whether there were faults."""
    given = _given()
    if given.totals is not None:
        print(*added_up(records(given.totals)), sep="\n")  # noqa: T201
        return
    if given.list or given.name is None:
        for name in (*NAMES, *BY_HAND):
            print(f"{name:<14}{campaign_of(name).about}")  # noqa: T201
        return
    with stopping() as stop:
        outcome = run(
            campaign_of(given.name),
            seed=given.seed,
            seconds=given.seconds,
            trials=given.trials,
            only=given.only,
            say=lambda line: print(line, flush=True),  # noqa: T201
            stop=stop,
        )
    print(outcome.line(), flush=True)  # noqa: T201
    if given.json is not None:
        with given.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record(outcome)) + "\n")
    sys.exit(bool(outcome.faults))
