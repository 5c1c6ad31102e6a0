"""LaTeX from a few short documents: a small model, and text that comes as it is made.

``python examples/latex.py [FILE ...]``; without files the documents in ``latex/``
beside this one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from recurro import LSTM, LanguageModel, baseline_table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    files: tuple[Path, ...] = (HERE / "latex",)
    hidden_size: int = 128
    bptt: int = 60
    batch_size: int = 8
    epochs: int = 25
    learning_rate: float = 0.005


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    model = LanguageModel(
        cell=LSTM(),
        hidden_size=settings.hidden_size,
        bptt=settings.bptt,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        keep="last",
        max_steps=steps,
    )
    model.fit(list(settings.files))
    print(baseline_table(model.baselines_))

    print()
    for piece in model.stream("\\section{", 400, temperature=0.6, seed=2):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    files = tuple(map(Path, sys.argv[1:]))
    main(settings=Settings(files) if files else Settings())
