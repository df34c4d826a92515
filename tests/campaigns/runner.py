"""What all campaigns share: budget, seeds, totals, and a line for every fault.

A campaign is a module with a `Campaign` under the name `CAMPAIGN`. Its trials are numbered, and a
trial draws all that it does from its seed and number: a fault says with which command it is seen
again.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

NAMES = ("files", "differential", "properties", "kills", "disks", "memory", "names", "interrupts")
#: Those that need more than Python, and are run by hand.
BY_HAND = ("clusters",)
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
) -> Outcome:
    """Run trials until the time, or their number, is used up."""
    outcome = Outcome(campaign, seed)
    began = said = time.monotonic()
    number = 0 if only is None else only
    with (
        tempfile.TemporaryDirectory(prefix="campaign-") as folder,
        campaign.state(Path(folder)) as state,
    ):
        while only is None or number == only:
            outcome.seconds = time.monotonic() - began
            if (trials is not None and outcome.trials >= trials) or (
                seconds is not None and outcome.seconds >= seconds
            ):
                break
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                say(outcome.line())
            _try(campaign, number, state, outcome, say)
            number += 1
            if len(outcome.faults) >= MOST_FAULTS:
                say(f"{campaign.name}: given up after {MOST_FAULTS} faults")
                break
    outcome.seconds = time.monotonic() - began
    return outcome


def _try(
    campaign: Campaign, number: int, state: Any, outcome: Outcome, say: Callable[[str], object]
) -> None:
    drawn = random.Random(f"{campaign.name} {outcome.seed} {number}")  # noqa: S311 - no secret
    outcome.trials += 1
    try:
        campaign.trial(drawn, state, outcome.totals)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
        again = f"python tests/campaigns {campaign.name} --seed {outcome.seed} --only {number}"
        kind = str(error) if isinstance(error, FaultError) else _told(error)
        outcome.faults.append(f"{kind} [{again}]")
        say(f"FAULT {outcome.faults[-1]}")


def _told(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def campaign_of(name: str) -> Campaign:
    """Return a campaign by its name."""
    return import_module(f"campaigns.{name}").CAMPAIGN


def main() -> None:
    """Run a campaign of the command line; the exit code says whether there were faults."""
    parser = argparse.ArgumentParser(prog="python tests/campaigns", description=__doc__)
    parser.add_argument("name", nargs="?", choices=(*NAMES, *BY_HAND))
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    parser.add_argument("--seconds", type=float, help="budget; 60 where no other is given")
    parser.add_argument("--trials", type=int, help="how many at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this trial alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the totals as a line")
    given = parser.parse_args()
    if given.list or given.name is None:
        for name in (*NAMES, *BY_HAND):
            print(f"{name:<14}{campaign_of(name).about}")  # noqa: T201
        return
    if given.seconds is None and given.trials is None and given.only is None:
        given.seconds = 60.0
    outcome = run(
        campaign_of(given.name),
        seed=given.seed,
        seconds=given.seconds,
        trials=given.trials,
        only=given.only,
        say=lambda line: print(line, flush=True),  # noqa: T201
    )
    print(outcome.line())  # noqa: T201
    if given.json is not None:
        line = {
            "campaign": given.name,
            "seed": given.seed,
            "trials": outcome.trials,
            "seconds": round(outcome.seconds),
            "faults": len(outcome.faults),
            "totals": dict(sorted(outcome.totals.items())),
        }
        with given.json.open("a") as file:
            file.write(json.dumps(line) + "\n")
    sys.exit(bool(outcome.faults))
