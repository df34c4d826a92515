"""Short slices of the campaigns, the same in every run, and that they would find something.

The long ones are run by hand: docs/contributing/reliability.md has the commands and their totals.
"""

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter

import pytest

from campaigns import children, differential, docs_oracle
from campaigns.children import done
from campaigns.mutants import DEFECTS, planted
from campaigns.runner import (
    NAMES,
    Campaign,
    FaultError,
    added_up,
    campaign_of,
    record,
    records,
    run,
    stopping,
    unused_seed,
)

#: Trials of each, a second or two.
SLICES = {
    "files": 400,
    "differential": 8,
    "properties": 1,
    "kills": 8,
    "disks": 8,
    "memory": 4,
    "names": 40,
    "interrupts": 4,
}
#: Cases within which a planted defect has to be found.
ENOUGH = 40

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", NAMES)
def test_a_slice_finds_nothing(name):
    outcome = run(campaign_of(name), seed=11, trials=SLICES[name], say=lambda _: None)
    assert outcome.faults == []
    assert outcome.trials == SLICES[name]
    assert outcome.totals[outcome.campaign.unit] + (name in ("disks", "memory")) > 0


@pytest.mark.parametrize(
    ("right", "wrong"), [texts for _, *texts in DEFECTS], ids=[d[0] for d in DEFECTS]
)
def test_planted_defects_are_found(right, wrong, tmp_path):
    oracle = planted(right, wrong)
    for number in range(ENOUGH):
        drawn = random.Random(f"differential 0 {number}")  # noqa: S311 - no secret
        try:
            differential.trial(drawn, tmp_path, Counter(), oracle)
        except (FaultError, ZeroDivisionError):
            drawn = random.Random(f"differential 0 {number}")  # noqa: S311 - no secret
            differential.trial(drawn, tmp_path, Counter(), docs_oracle)
            return
    pytest.fail(f"not found in {ENOUGH} cases")


def test_the_runner_counts_faults_and_says_how_to_see_them_again():
    def trial(drawn, state, totals):
        totals["tried"] += 1
        if drawn.random() < 0.5:
            raise FaultError(f"heads in {state.name[:9]}")
        if drawn.random() < 0.2:
            raise KeyError("x")

    class State:
        def __init__(self, folder):
            self.folder = folder

        def __enter__(self):
            return self.folder

        def __exit__(self, *_):
            pass

    coin = Campaign("coin", "heads are wrong", "tried", trial, State)
    said = []
    whole = run(coin, seed=5, trials=12, say=said.append)
    assert (whole.trials, whole.totals["tried"]) == (12, 12)
    assert 0 < len(whole.faults) < 12
    assert said == [f"FAULT {fault}" for fault in whole.faults]
    number = int(whole.faults[0].partition("--only ")[2].rstrip("]"))
    again = run(coin, seed=5, only=number, say=said.append)
    assert again.faults == whole.faults[:1]
    assert whole.line().startswith("coin: 12 trials in 0 s, tried 12; ")
    assert run(coin, seed=5, seconds=0, say=said.append).trials == 0


def coins(trial):
    """Return a campaign that prepares nothing."""
    return Campaign("names", "heads are wrong", "tried", trial, contextlib.nullcontext)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_what_it_counted(number):
    def trial(drawn, _state, totals):
        totals["tried"] += 1
        if drawn.random() < 0.2:
            os.kill(os.getpid(), number)
            raise FaultError("a child of it was interrupted as well")

    before = signal.getsignal(number)
    with stopping() as stop:
        outcome = run(coins(trial), seed=3, trials=1000, say=lambda _: None, stop=stop)
    assert stop == [number]
    assert 0 < outcome.trials < 1000
    assert (outcome.totals["tried"], outcome.faults) == (outcome.trials, [])
    assert signal.getsignal(number) == before


def test_of_what_is_slowest_the_larger_is_kept():
    def trial(drawn, _state, totals):
        totals["slowest ms"] = drawn.randrange(100)

    outcomes = [run(coins(trial), seed=seed, trials=5) for seed in (1, 2)]
    assert all(outcome.totals["slowest ms"] < 100 for outcome in outcomes)
    (line,) = added_up([record(outcome) for outcome in outcomes])
    assert f"slowest ms {max(outcome.totals['slowest ms'] for outcome in outcomes)};" in line


def _spin():
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    return "late"


def test_a_child_that_hangs_says_where(monkeypatch):
    monkeypatch.setattr(children, "PATIENCE", 0.2)
    monkeypatch.setattr(children, "LAST_WORDS", 0.5)
    with pytest.raises(FaultError, match=r"a child hangs after .*test_campaigns.py"):
        done(threading.Event().wait)


def test_a_child_that_works_or_waits_for_a_processor_does_not_hang(monkeypatch):
    monkeypatch.setattr(children, "PATIENCE", 0.05)
    monkeypatch.setattr(children, "LAST_WORDS", 0.5)
    monkeypatch.setattr(children, "MOST_LOOKS", 10_000)
    assert done(_spin) == "late"
    monkeypatch.setattr(children, "LITTLE", 10**9)  # as where others have all processors
    assert done(_spin) == "late"
    monkeypatch.setattr(children, "MOST_WORK", 0.1)
    with pytest.raises(FaultError, match="a child hangs after"):
        done(_spin)


def test_runs_add_up_and_their_seeds_differ(tmp_path):
    def trial(drawn, _state, totals):
        totals["tried"] += drawn.randrange(5)

    path = tmp_path / "runs.jsonl"
    outcomes = []
    for trials in (3, 4):
        seed = unused_seed(records(path), "names")
        outcomes.append(run(coins(trial), seed=seed, trials=trials))
        with path.open("a") as file:
            file.write(json.dumps(record(outcomes[-1])) + "\n")
    tried = sum(outcome.totals["tried"] for outcome in outcomes)
    (line,) = added_up(records(path))
    assert line.startswith("names: 2 runs, seeds 1 to 2, 7 trials in 0 s, tried ")
    assert line.endswith(f"tried {tried:,}; 0 faults")
    assert unused_seed(records(path), "files") == 1
    by_hand = [run | {"campaign": "clusters"} for run in records(path)]
    assert added_up(by_hand) == [line.replace("names", "clusters")]
