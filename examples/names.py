"""Names letter by letter: one item per line, new ones drawn from the model.

``python examples/names.py [FILE]``, a name per line; without a file a short list beside
this one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from recurro import GRU, LanguageModel, baseline_table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    file: Path = HERE / "names.txt"
    hidden_size: int = 128
    dropout: float = 0.2
    batch_size: int = 32
    epochs: int = 30
    patience: int = 5
    learning_rate: float = 0.003


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    model = LanguageModel(
        lines=True,
        lower=True,
        cell=GRU(),
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

    print("\nnew names:")
    known = set(settings.file.read_text(encoding="utf-8").lower().split())
    for seed in range(20):
        name = model.generate(length=20, temperature=0.8, seed=seed).strip()
        print(f"  {name}{'' if name not in known else '  (known)'}")

    print("\nlikely and unlikely, log P:")
    names = ["maria", "martin", "xzvt"]
    for name, log_p in zip(names, model.log_prob(names), strict=True):
        print(f"  {name:8} {log_p:7.2f}")


if __name__ == "__main__":
    main(settings=Settings(*map(Path, sys.argv[1:2])))
