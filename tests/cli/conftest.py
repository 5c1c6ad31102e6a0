from __future__ import annotations

import os
from pathlib import Path

import pytest

from recurro.cli import demo, language
from recurro.tasks import ClassLanguageModel, LanguageModel

LINES = [
    "the sun is up and the sea is blue",
    "a small boat goes out to the sea",
    "the wind is cold and the day is new",
    "we row and sing, just you and me",
]
TEXT = "\n".join(LINES * 45) + "\n"


@pytest.fixture(autouse=True)
def _short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reports show little text: without a compiler each symbol takes long."""
    for shown in (language, demo):
        monkeypatch.setattr(shown, "LENGTH", 30)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a text in it and no settings around it."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        kept = ("RECURRO_DATA", "RECURRO_COMPILE", "RECURRO_CACHE")
        if name.startswith("RECURRO_") and name not in kept:
            monkeypatch.delenv(name)
    (tmp_path / "sea.txt").write_text(TEXT)
    return tmp_path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a small model of running text."""
    path = tmp_path_factory.mktemp("runs") / "sea"
    LanguageModel(
        hidden_size=16, epochs=2, batch_size=8, bptt=20, learning_rate=0.01, out=path
    ).fit(TEXT)
    return path


@pytest.fixture(scope="session")
def class_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a small model by class."""
    path = tmp_path_factory.mktemp("runs") / "letters"
    words = ["abab", "baba", "aabb", "bbaa", "xyxy", "yxyx", "xxyy", "yyxx"] * 20
    labels = ["ab", "ab", "ab", "ab", "xy", "xy", "xy", "xy"] * 20
    small = LanguageModel(
        lines=True, hidden_size=8, epochs=5, batch_size=8, learning_rate=0.02, out=path
    )
    ClassLanguageModel(small).fit(words, labels)
    return path
