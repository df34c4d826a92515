"""Examples of the documentation run in an empty folder each."""

from pathlib import Path

import pytest

collect_ignore = ["conf.py", "_ext"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
