"""Long runs over time are as fast here as outside of tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``auto`` take rendered C."""
    monkeypatch.setenv("RECURRO_COMPILE", "1")
