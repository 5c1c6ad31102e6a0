"""Speech: strings of spoken digits."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import numpy as np

from recurro.baselines import JoinedTemplates, MostFrequentText
from recurro.bench.tasks.case import Case, Found, Goal
from recurro.data import Variation, draw_joins, load_samples
from recurro.generate import token_error_rate
from recurro.tasks import SpeechRecognizer

__all__ = ["CASES"]

FIGURE = "token_error_rate"
RATE, DIGITS, STRINGS = 8000, 4, 300
TRAIN, TEST = range(5, 10), (10, 11)
NEW = f"{FIGURE}_new_speaker"
"""The same for a speaker who is not in training: the last by name."""

Spoken = tuple[list[np.ndarray], list[str]]
"""Samples, and what is said in each."""


def _digits(folder: Path, numbers: Container[int], speakers: Container[str]) -> Spoken:
    """Recordings of single digits, ``DIGIT_SPEAKER_NUMBER.wav``."""
    files = [
        file
        for file in sorted(folder.glob("*.wav"))
        if int(file.stem.split("_")[2]) in numbers
        and file.stem.split("_")[1] in speakers
    ]
    return load_samples(files, RATE)[0], [file.stem[0] for file in files]


def _strings(spoken: Spoken) -> Spoken:
    """Strings of digits, with silences at half of the places where digits meet."""
    samples, texts = spoken
    draw, join = np.random.default_rng(0), Variation(RATE, gap=0.3)
    rows: list[np.ndarray] = []
    while len(rows) < STRINGS:
        rows += draw_joins(len(samples), (DIGITS, DIGITS), draw)
    rows = rows[:STRINGS]
    return (
        [join([samples[i] for i in row], draw) for row in rows],
        ["".join(texts[i] for i in row) for row in rows],
    )


def _found(train: Spoken, test: Spoken, seed: int) -> tuple[float, dict[str, float]]:
    """The error of a recogniser and of its baselines on strings of digits.

    Its settings were chosen on a part of the training recordings; here it learns from
    all of them, and no epoch is chosen.
    """
    model = SpeechRecognizer(join=DIGITS, held_out=0.0, seed=seed).fit(*train)
    given, texts = _strings(test)
    heard = [model.reader_.frames(item) for item in train[0]]
    frames = [model.reader_.frames(item) for item in given]
    known = [tuple(text) for text in train[1]]
    baselines = {
        "most frequent text": MostFrequentText(),
        "templates, joined": JoinedTemplates(),
    }
    return model.evaluate(given, texts)[FIGURE], {
        name: token_error_rate(texts, other.fit(heard, known).predict(frames))
        for name, other in baselines.items()
    }


def _both(folder: Path, seed: int) -> Found:
    """Other recordings of the speakers of training; and a speaker who is not in it."""
    names = {file.stem.split("_")[1] for file in folder.glob("*.wav")}
    apart = max(names)
    figures, baselines = {}, {}
    for figure, learnt, tested in (
        (FIGURE, names, names),
        (NEW, names - {apart}, {apart}),
    ):
        train, test = _digits(folder, TRAIN, learnt), _digits(folder, TEST, tested)
        figures[figure], others = _found(train, test, seed)
        for name, value in others.items():
            baselines.setdefault(name, {})[figure] = value
    return Found(figures, baselines)


CASES = (
    Case(
        "transcribe",
        "fsdd",
        (Goal(FIGURE, 0.06, "lower"), Goal(NEW, None, "lower")),
        _both,
    ),
)
"""What is measured of speech."""
