"""C++ from the headers that PyTorch itself installs: bytes, and a score of other code.

``python examples/cpp_headers.py``
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from recurro import LSTM, LanguageModel, baseline_table


@dataclass(frozen=True)
class Settings:
    folder: str = "include/c10/util"
    pattern: str = "*.h"
    hidden_size: int = 256
    bptt: int = 100
    batch_size: int = 32
    epochs: int = 6
    learning_rate: float = 0.004


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    model = LanguageModel(
        tokens="byte",
        cell=LSTM(),
        hidden_size=settings.hidden_size,
        bptt=settings.bptt,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        schedule="cosine",
        max_steps=steps,
    )
    headers = Path(torch.__file__).parent / settings.folder
    model.fit(sorted(headers.glob(settings.pattern)))
    print(baseline_table(model.baselines_))

    print("\nperplexity of C++, of Python and of prose:")
    for text in [
        "template <typename T>\nclass Vector {\n public:\n  size_t size() const;\n};\n",
        "def size(self):\n    return len(self.items)\n",
        "The size of a vector is the number of its items.\n",
    ]:
        print(f"  {model.evaluate(text)['perplexity']:8.2f}  {text.splitlines()[0]}")
    print("\n" + model.generate("template <", 400, temperature=0.6, seed=1))


if __name__ == "__main__":
    main()
