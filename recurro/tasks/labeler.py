"""Sequences with a label for each frame: sensors, video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import clone

from recurro.cells import LSTM, Cell, Memoryless
from recurro.data import Sequences
from recurro.tasks.comparison import Comparison
from recurro.tasks.frames import FilmReader, as_frames, learn_frames, load_frames
from recurro.tasks.in_step import StepClassifier
from recurro.tasks.metrics import classification_figures
from recurro.tasks.readers import Items, SeriesReader
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.step_config import FrameSettings
from recurro.train import RunFolder

__all__ = ["FrameLabeler"]


class FrameLabeler(StepClassifier):
    """A recurrent model of the label of each frame of a sequence.

    p(label_t | x_1 ... x_t) = softmax(W h_t + b), with h_t of a recurrence that reads
    the frames: numbers of sensors, or pictures through convolutions
    (``FrameEncoder``). With ``bidirectional=True`` it reads the frames behind, too;
    with ``head="crf"`` labels depend on their neighbours.

    Beside it stands the same network without memory (``Memoryless``: same encoder, same
    head), which sees one frame at a time.

    The arguments are those of ``TableData`` (in ``recurro.tasks.sequence_config``),
    ``FrameNetwork`` (in ``step_config``) and those that all tasks share. Items are
    arrays ``(time, channels)``, or films ``(time, height, width)`` and ``(time, height,
    width, channels)``; labels are lists, one for each frame.

    Attributes:
        classes_: The labels, sorted.
        network_: The trained ``StepNetwork``.
        reader_: The scaler.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> from recurro.data.occlusion import moving_targets
        >>> seen = moving_targets(40, steps=16, cells=3, longest=5)
        >>> model = FrameLabeler(hidden_size=24, epochs=20, learning_rate=0.02)
        >>> model = model.fit(seen.items, seen.labels)
        >>> _, plain, network = model.baselines_
        >>> plain["name"], network["accuracy"] > plain["accuracy"]
        ('without memory', True)
    """

    task: ClassVar[str] = "label"
    kind: ClassVar[type[TaskSettings]] = FrameSettings

    cell: Cell

    def __init__(
        self,
        *,
        encoding: str = "utf-8",
        label: str | None = None,
        id: str | None = None,
        time: str | None = None,
        features: Sequence[str] = (),
        test: str | None = None,
        held_out: float = 0.1,
        cell: Cell = LSTM(),  # noqa: B008 (a frozen value)
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        embedding_size: int | None = None,
        head: Literal["softmax", "crf"] = "softmax",
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        backend: Literal["auto", "reference", "vendor", "cpu", "scan"] = "auto",
        batch_size: int = 32,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.002,
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        nonmonotone: int = 5,
        schedule: Literal["constant", "cosine", "plateau"] = "constant",
        warmup_steps: int = 0,
        final_rate: float = 0.0,
        plateau_factor: float = 4.0,
        plateau_patience: int = 0,
        clip: float | Literal["auto"] | None = 1.0,
        clip_mode: Literal["norm", "element"] = "norm",
        accumulate: int = 1,
        validate_every: int | None = None,
        patience: int | None = None,
        keep: Literal["best", "last"] = "best",
        checkpoint_seconds: float | None = 120.0,
        checkpoint_steps: int | None = None,
        log_every: int = 50,
        seed: int = 0,
        precision: Literal["32", "bf16"] = "32",
        device: str = "auto",
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        values = dict(locals())
        del values["self"]
        vars(self).update(values)

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        return as_frames(X)

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> SeriesReader | FilmReader:
        return learn_frames(items)

    def _load_reader(
        self, run: RunFolder, settings: TaskSettings
    ) -> SeriesReader | FilmReader:
        return load_frames(run)

    def _baselines(
        self, train: tuple[Items, Sequences], valid: tuple[Items, Sequences]
    ) -> Comparison:
        true = valid[1].values
        counts = np.bincount(train[1].values, minlength=len(self.classes_))
        shares = np.log(np.maximum(counts / counts.sum(), 1e-12))
        rows: Comparison = [
            {
                "name": "most frequent",
                **classification_figures(np.tile(shares, (len(true), 1)), true),
            }
        ]
        if not isinstance(self.cell, Memoryless):
            plain = self.without_memory().fit(train[0], self._named(train[1]))
            figures = plain.evaluate(valid[0], self._named(valid[1]))
            rows.append({"name": "without memory", **figures})
        return rows

    def without_memory(self) -> FrameLabeler:
        """A labeler that is the same but for its memory, not fitted yet."""
        other = {"bidirectional": False, "backend": "auto", "out": None}
        plain: Any = clone(self)
        return plain.set_params(cell=Memoryless(), **other)

    def _named(self, targets: Sequences) -> list[list[Any]]:
        """Labels by name, of each item."""
        rows = Sequences(self.classes_[targets.values], targets.starts)
        return [rows[item].tolist() for item in range(len(rows))]
