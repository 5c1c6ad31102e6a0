"""Titles of books: one item per line, cut into pieces of words by byte pairs.

``python examples/titles.py [FILE]``, a title per line; without a file a short list
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
    file: Path = HERE / "titles.txt"
    tokens: str = "bpe:320"
    hidden_size: int = 128
    dropout: float = 0.3
    batch_size: int = 32
    epochs: int = 40
    patience: int = 5
    learning_rate: float = 0.003


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    model = LanguageModel(
        tokens=settings.tokens,
        lines=True,
        cell=LSTM(),
        hidden_size=settings.hidden_size,
        dropout=settings.dropout,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        patience=settings.patience,
        learning_rate=settings.learning_rate,
        max_steps=steps,
    )
    model.fit(settings.file)
    print(baseline_table(model.baselines_))

    print("\nnew titles:")
    for seed in range(10):
        title = model.generate("The", length=20, temperature=0.8, seed=seed)
        print(f"  {title.strip()}")


if __name__ == "__main__":
    main(settings=Settings(*map(Path, sys.argv[1:2])))
