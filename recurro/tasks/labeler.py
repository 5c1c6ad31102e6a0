"""Sequences with a label for each frame: sensors, video."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from recurro.cells import Cell, Memoryless
from recurro.data import Sequences
from recurro.tasks.comparison import Comparison
from recurro.tasks.frames import FilmReader, as_frames, learn_frames, load_frames
from recurro.tasks.in_step import StepClassifier
from recurro.tasks.metrics import classification_figures
from recurro.tasks.readers import Items, SeriesReader
from recurro.tasks.sequence_config import OF_TABLES, TableData, TaskSettings
from recurro.tasks.step_config import FrameSettings
from recurro.train import RunFolder

__all__ = ["FrameLabeler"]


class FrameLabeler(StepClassifier, without=OF_TABLES):
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

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        return as_frames(X)

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> SeriesReader | FilmReader:
        assert isinstance(settings.data, TableData)
        return learn_frames(items, settings.data.features)

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
