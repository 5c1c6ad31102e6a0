"""A target out of sight: lost one frame at a time, kept by memory; with a picture.

``python examples/hidden_target.py [PICTURE]``; the picture needs matplotlib.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro import FrameLabeler
from recurro.data.occlusion import Occluded, moving_targets


@dataclass(frozen=True)
class Settings:
    picture: Path | None = None
    sequences: int = 400
    hidden_size: int = 64
    epochs: int = 20
    learning_rate: float = 0.01


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    seen, new = moving_targets(settings.sequences), moving_targets(100, seed=1)
    network = FrameLabeler(
        hidden_size=settings.hidden_size,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        max_steps=steps,
        held_out=0,
    )
    models = {"with memory": network, "without memory": network.without_memory()}
    told = {
        name: model.fit(seen.items, seen.labels).predict(new.items)
        for name, model in models.items()
    }
    hidden, true = np.concatenate(new.hidden), np.concatenate(new.labels)
    print(f"{'':16}{'in sight':>10}{'hidden':>10}  share of frames told wrong")
    for name, rows in told.items():
        wrong = np.concatenate(rows) != true
        print(f"{name:16}{wrong[~hidden].mean():10.1%}{wrong[hidden].mean():10.1%}")
    if settings.picture is not None:
        draw(new, told, settings.picture)


def draw(new: Occluded, told: dict[str, list], path: Path) -> None:
    from matplotlib.figure import Figure

    item = max(range(len(new.items)), key=lambda row: new.hidden[row].sum())
    sheet = Figure(figsize=(8, 3.6), layout="constrained")
    area = sheet.subplots()
    area.imshow(new.items[item].T, cmap="Greys", aspect="auto", origin="lower")
    gone = np.flatnonzero(new.hidden[item])
    area.axvspan(gone[0] - 0.5, gone[-1] + 0.5, color="#d0730c", alpha=0.2, lw=0)
    area.text(gone.mean(), 11.7, "out of sight", ha="center", fontsize=9)
    styles = {"with memory": ("o", "#1f62d0"), "without memory": ("x", "#c62f3b")}
    for name, rows in told.items():
        mark, colour = styles[name]
        area.plot(rows[item], mark, color=colour, ms=6, mfc="none", label=name)
    area.plot(new.labels[item], color="#5b6472", lw=0.8, label="where it is")
    area.set(xlabel="frame", ylabel="cell", ylim=(-0.5, 12.4))
    sheet.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    sheet.savefig(path, dpi=110)


if __name__ == "__main__":
    main(settings=Settings(*map(Path, sys.argv[1:2])))
