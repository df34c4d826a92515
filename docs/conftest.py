"""Examples of the documentation run in an empty folder each."""

from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["conf.py", "_ext"]

#: Made-up exports of shops, with the source file that reads each.
EXPORTS = Path(__file__).parent / "exports"
#: Definitions of journeys, one for each segment.
JOURNEYS = Path(__file__).parent / "journeys"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _exports(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["exports"] = EXPORTS
    doctest_namespace["journeys"] = JOURNEYS
