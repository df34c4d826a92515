import pytest

from ordercycle._sync import transport


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Wait for nothing, but remember for how long it would have been."""
    waited = []
    monkeypatch.setattr(transport, "pause", waited.append)
    return waited
