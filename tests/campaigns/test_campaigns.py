"""Short slices of the campaigns, the same in every run, and that they would find something.

The long ones are run by hand: docs/contributing/reliability.md has the commands and their totals.
"""

import random
from collections import Counter

import pytest

from campaigns import differential, docs_oracle
from campaigns.mutants import DEFECTS, planted
from campaigns.runner import NAMES, Campaign, FaultError, campaign_of, run

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
