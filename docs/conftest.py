"""Examples of the documentation run in an empty folder each."""

import pytest

collect_ignore = ["conf.py", "_ext"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
