"""Python source: a folder of files as one text, a run folder, and reading it back.

It reads modules of the standard library of the Python that runs it, so it needs no
file. ``python examples/python_source.py``
"""

from __future__ import annotations

import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from recurro import GRU, LanguageModel, baseline_table


@dataclass(frozen=True)
class Settings:
    pattern: str = "a*.py"  # which modules: the first letter of the alphabet
    hidden_size: int = 256
    bptt: int = 100
    batch_size: int = 32
    epochs: int = 6
    learning_rate: float = 0.004


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    with tempfile.TemporaryDirectory() as folder:
        model = LanguageModel(
            cell=GRU(),
            hidden_size=settings.hidden_size,
            bptt=settings.bptt,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            schedule="cosine",
            max_steps=steps,
            out=Path(folder) / "run",
        )
        model.fit(sorted(library.glob(settings.pattern)))
        print(baseline_table(model.baselines_))

        # What stands in the run folder is all that is needed.
        print("\n" + ", ".join(sorted(path.name for path in model.run_.path.iterdir())))
        again = LanguageModel.load(Path(folder) / "run")
        print("\n" + again.generate("def ", 400, temperature=0.7, seed=1))


if __name__ == "__main__":
    main()
