"""Plays, character by character: running text through two layers of LSTM.

``python examples/plays.py [FILE]``; without a file a few scenes beside this one, enough
to see it learn, too few to learn from. tinyshakespeare is the usual choice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from recurro import LSTM, LanguageModel, baseline_table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    file: Path = HERE / "plays.txt"
    hidden_size: int = 128
    num_layers: int = 2
    dropout: float = 0.1
    bptt: int = 100
    batch_size: int = 32
    epochs: int = 12
    learning_rate: float = 0.005


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    model = LanguageModel(
        cell=LSTM(),
        hidden_size=settings.hidden_size,
        num_layers=settings.num_layers,
        dropout=settings.dropout,
        bptt=settings.bptt,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        schedule="cosine",
        max_steps=steps,
    )
    model.fit(settings.file)
    print(baseline_table(model.baselines_))

    for temperature in [0.5, 0.8, 1.0]:
        print(f"\ntemperature {temperature}:")
        print(model.generate("ROMEO:\n", 300, temperature=temperature, seed=0))
    print("\nthe likeliest, by beam search:")
    print(model.generate("ROMEO:\n", 60, beam_size=4))


if __name__ == "__main__":
    main(settings=Settings(*map(Path, sys.argv[1:2])))
