"""What all models share that read a sequence and tell something of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import nn

from recurro.cells import Cell
from recurro.data import Sequences
from recurro.data.sequences import Targets, flat
from recurro.errors import DataError
from recurro.nn import Head, Pooling, Recurrent, VectorNetwork
from recurro.nn.sequence import Teller
from recurro.tasks.comparison import Comparison, read_comparison
from recurro.tasks.config import cell_tree
from recurro.tasks.network import load_weights
from recurro.tasks.readers import Items, Reader, as_items, learn_reader, load_reader
from recurro.tasks.runs import draft_folder
from recurro.tasks.sequence_config import (
    SequenceData,
    SequenceNetwork,
    SequenceSettings,
    TaskSettings,
    sections_of,
)
from recurro.tasks.sequence_runs import (
    Examples,
    begin_sequence_run,
    read_examples,
    read_sequence_run,
)
from recurro.tasks.vector_task import Answered, Network, VectorTask, held_out_rows
from recurro.train import Progress, RunFolder, check_device, train

__all__ = ["Data", "SequenceEstimator"]

Data: TypeAlias = Sequence[Any] | np.ndarray
"""Texts; arrays ``(time, channels)`` or ``(time,)``, of any lengths; or one array
``(items, time, channels)``."""


class SequenceEstimator(BaseEstimator, ABC):
    """A model of one answer per sequence, or per step; see the classes made from it.

    A task says what its targets are, which head tells them, what scores it, and what
    stands beside it; all else is here. Where it says nothing else, there is one answer
    per sequence, a text or a series of numbers.
    """

    task: ClassVar[str]
    kind: ClassVar[type[TaskSettings]] = SequenceSettings

    cell: Cell
    out: str | Path | None
    overwrite: bool

    # What a task says.

    @abstractmethod
    def _learn_targets(self, y: Any) -> Targets:  # noqa: ANN401 (whatever came)
        """Check the targets and learn what is needed of them; give ids or numbers."""

    @abstractmethod
    def _targets(self, y: Any) -> Targets:  # noqa: ANN401 (whatever came)
        """Check targets that are to be scored; give ids or numbers."""

    @abstractmethod
    def _head(self, features: int, settings: Any) -> Teller:  # noqa: ANN401 (its own)
        """The head, by what was learnt of the targets."""

    @abstractmethod
    def _judge(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        """The figures of a network, the one that rules first; lower is better."""

    @abstractmethod
    def _baselines(
        self, train: tuple[Items, Any], valid: tuple[Items, Any]
    ) -> Comparison:
        """Train the baselines; their figures on the part held out."""

    def _items(self, X: Any) -> Items:  # noqa: ANN401 (whatever came)
        """Check what is to be read."""
        return as_items(X)

    def _learn_reader(self, items: Items, settings: TaskSettings) -> Reader:
        """What turns items into sequences, learnt from the training part."""
        assert isinstance(settings.data, SequenceData)
        return learn_reader(items, settings.data)

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> Reader:
        """Read it back."""
        assert isinstance(settings.data, SequenceData)
        return load_reader(run, settings.data)

    def _joined(
        self, encoder: nn.Module, recurrent: Recurrent, settings: TaskSettings
    ) -> Network:
        """The network, given what reads."""
        model = settings.model
        assert isinstance(model, SequenceNetwork)
        directions = 1 + model.bidirectional
        pooling = Pooling(model.pooling, recurrent.output_size, directions=directions)
        head = self._head(pooling.width, model)
        assert isinstance(head, Head)
        return VectorNetwork(encoder, recurrent, pooling, head, dropout=model.dropout)

    def _finish(self, network: Any, valid: Answered | None) -> None:  # noqa: ANN401
        """Settle what is chosen after training, if anything."""

    def _learnt(self) -> dict[str, str]:
        """Files of what was learnt of the targets, by name."""
        return {}

    def _read_learnt(self, run: RunFolder) -> None:
        """Read them back."""

    # What is the same for all.

    @property
    def settings(self) -> Any:  # noqa: ANN401 (of the task's kind)
        """The arguments in their sections, checked: settings of the task's kind.

        Raises:
            ConfigError: If one is wrong.
        """
        values = self.get_params(deep=False)
        values["cell"] = cell_tree(values["cell"])
        sections: dict[str, Any] = {
            name: kind(
                **{key: values[key] for key in kind.model_fields if key in values}
            )
            for name, kind in sections_of(self.kind).items()
        }
        return self.kind(task=self.task, **sections)

    def fit(
        self,
        X: Data,
        y: Any,  # noqa: ANN401 (classes or numbers)
        *,
        valid: tuple[Data, Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from sequences and their targets.

        Args:
            X: The sequences.
            y: The target of each.
            valid: Sequences and targets that choices (the best epoch) are made on;
                without them a share ``held_out`` of the others.
            progress: Shown how training goes.

        Raises:
            DataError: If sequences or targets cannot be used; the item is named.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        settings, out = self.settings, None if self.out is None else Path(self.out)
        check_device(settings.train)
        examples = self._examples(settings, X, y, valid)
        (items, _), _ = examples.parts()
        reader = self._learn_reader(items, settings)
        self.run_ = None
        with draft_folder(out, overwrite=self.overwrite) as draft:
            network = self._network(settings, reader)
            network.head.start(torch.as_tensor(flat(examples.parts()[0][1])))
            if out is not None and draft is not None:
                examples.write(draft)
                self.run_ = begin_sequence_run(
                    *(out, draft, settings, reader, self._learnt()),
                    overwrite=self.overwrite,
                )
        return self._train(network, reader, settings, examples, progress)

    def _examples(
        self,
        settings: TaskSettings,
        X: Data,
        y: Any,  # noqa: ANN401
        valid: tuple[Data, Any] | None,
    ) -> Examples:
        items, targets = self._items(X), self._learn_targets(y)
        self._check_pairs(items, targets)
        if valid is not None:
            more, theirs = self._items(valid[0]), self._targets(valid[1])
            self._check_pairs(more, theirs)
            both: Any = [*items, *more]
            return Examples(both, _both(targets, theirs), len(more))
        rows = held_out_rows(
            targets,
            settings.data.held_out,
            settings.train.seed,
            classes=self.task == "classify",
        )
        rest = np.setdiff1d(np.arange(len(items)), rows)
        if not len(rest):
            raise DataError(
                f"{type(self).__name__}: must have items to learn from beside the "
                f"{len(rows)} held out, got none. Give more, or set held_out=0."
            )
        order = np.concatenate([rest, rows])
        ordered: Any = [items[row] for row in order]
        return Examples(ordered, targets[order], len(rows))

    def _check_pairs(self, items: Items, targets: Targets) -> None:
        name = type(self).__name__
        if len(items) != len(targets):
            raise DataError(
                f"{name}: there must be one target per sequence, got {len(targets)} "
                f"for {len(items)}. Take both from the same source."
            )
        if not isinstance(targets, Sequences):
            return
        for number, item in enumerate(items):
            if len(item) != len(targets[number]):
                raise DataError(
                    f"{name}: item {number} must have a target for each of its "
                    f"{len(item)} steps, got {len(targets[number])}. Mend it, or leave "
                    "the item out."
                )

    def _network(self, settings: TaskSettings, reader: Reader) -> Network:
        """A network with random weights, the same for the same seed."""
        model = settings.model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.train.seed)
            encoder, width = reader.encoder(model)
            recurrent = Recurrent(
                *(self.cell, width, model.hidden_size, model.num_layers),
                bidirectional=model.bidirectional,
                variational_dropout=model.dropout,
                recurrent_dropout=model.recurrent_dropout,
                zoneout=model.zoneout,
                weight_drop=model.weight_drop,
                backend=model.backend,
            )
            return self._joined(encoder, recurrent, settings)

    def _train(
        self,
        network: Network,
        reader: Reader,
        settings: TaskSettings,
        examples: Examples,
        progress: Progress | None,
        resume: bool = False,
    ) -> Self:
        parts = examples.parts()
        learnt = Answered(reader(parts[0][0]), parts[0][1])
        chosen = Answered(reader(parts[1][0]), parts[1][1]) if parts[1][0] else None
        task = VectorTask(network, learnt, chosen, settings.train, self._judge)
        self.history_ = train(
            task, settings.train, self.run_, resume=resume, progress=progress
        )
        self.network_, self.reader_ = network, reader
        self._finish(network, chosen)
        self.baselines_: Comparison = []
        if chosen is not None:
            ours = {"name": "network", **self._judge(network, chosen)}
            self.baselines_ = [*self._baselines(*parts), ours]
        if self.run_ is not None:
            self.run_.write_weights(network.state_dict())
            self.run_.write_json("baselines.json", self.baselines_)
        return self

    def evaluate(self, X: Data, y: Any) -> dict[str, float]:  # noqa: ANN401
        """The figures of the task on sequences whose targets are known.

        Raises:
            DataError: If sequences or targets cannot be used.
        """
        return self._judge(self._fitted(), self._answered(X, y))

    def _answered(self, X: Data, y: Any) -> Answered:  # noqa: ANN401
        """Sequences as the network reads them, with their targets."""
        self._fitted()
        items, targets = self._items(X), self._targets(y)
        self._check_pairs(items, targets)
        return Answered(self.reader_(items), targets)

    def _read(self, X: Data) -> Sequences:
        self._fitted()
        return self.reader_(self._items(X))

    def _fitted(self) -> Any:  # noqa: ANN401 (the network of the task)
        if not hasattr(self, "network_"):
            raise NotFittedError(
                f"{type(self).__name__}: must be fitted first. Call fit or load."
            )
        return self.network_

    @classmethod
    def of(
        cls,
        settings: TaskSettings,
        *,
        cell: Cell | None = None,
        out: Path | None = None,
        overwrite: bool = False,
    ) -> Self:
        """A model that is not fitted yet, by its settings.

        Args:
            settings: Settings of the task's kind.
            cell: The cell object, where it is none of ``recurro.cells``.
            out: The run folder.
            overwrite: Whether it may replace a run.

        Raises:
            ConfigError: If the cell is unknown, or not the one that is passed.
        """
        values = {**settings.arguments(cell), "out": out, "overwrite": overwrite}
        return cls(**{key: values[key] for key in cls._get_param_names()})

    # A run on disk.

    @classmethod
    def load(cls, run: Path | str, *, cell: Cell | None = None) -> Self:
        """Read a trained model from its run folder.

        Args:
            run: The folder.
            cell: The cell it was trained with, if that is one of your own: no class is
                found by name outside ``recurro.cells``.

        Raises:
            RunError: If it is no run, was stopped before its first weights, was changed
                or comes from a newer version.
            ConfigError: If the cell is unknown, or not the one passed.
        """
        model, folder, settings = cls._open(run, cell)
        reader = model._load_reader(folder, settings)
        network = model._network(settings, reader)
        load_weights(network, folder)
        model.network_, model.reader_ = network.eval(), reader
        model.baselines_ = read_comparison(folder)
        return model

    @classmethod
    def resume(
        cls,
        run: Path | str,
        *,
        cell: Cell | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Go on with a run that was stopped, as if it had never been.

        Args:
            run: The folder.
            cell: The cell it is trained with, if that is one of your own.
            progress: Shown how training goes.

        Raises:
            RunError: If it is no run, lacks what it learns from, or was changed.
        """
        model, folder, settings = cls._open(run, cell)
        examples, reader = read_examples(folder), model._load_reader(folder, settings)
        network = model._network(settings, reader)
        network.head.start(torch.as_tensor(flat(examples.parts()[0][1])))
        begun = folder.trained  # if not, it was stopped before its first step
        return model._train(network, reader, settings, examples, progress, begun)

    @classmethod
    def _open(
        cls, path: Path | str, cell: Cell | None
    ) -> tuple[Self, RunFolder, TaskSettings]:
        run, settings = read_sequence_run(path, cls.task, cls.kind)
        model = cls.of(settings, cell=cell, out=run.path)
        model.run_ = run
        model._read_learnt(run)
        return model, run, settings


def _both(first: Targets, second: Targets) -> Targets:
    """Targets of the same kind, joined."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, flat(second)])
    assert isinstance(second, Sequences)
    starts = np.concatenate([first.starts, first.starts[-1] + second.starts[1:]])
    return Sequences(np.concatenate([first.values, second.values]), starts)
