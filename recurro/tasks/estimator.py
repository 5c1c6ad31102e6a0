"""What all models share that a network learns and a run folder keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import nn

from recurro.cells import Cell
from recurro.nn import Recurrent
from recurro.tasks.arguments import constructor
from recurro.tasks.comparison import Comparison, read_comparison
from recurro.tasks.config import cell_tree
from recurro.tasks.network import load_weights
from recurro.tasks.readers import Learnt
from recurro.tasks.runs import draft_folder
from recurro.tasks.sequence_config import TaskSettings, sections_of
from recurro.tasks.sequence_runs import begin_sequence_run, read_sequence_run
from recurro.train import Progress, RunFolder, check_device, train
from recurro.types import Task

__all__ = ["NetworkEstimator"]


TESTED = "test.json"


class Material(Protocol):
    """What a model learns from and what it chooses on."""

    def write(self, folder: Path) -> None:
        """Write it to a folder, free of pickle."""
        ...


class NetworkEstimator(BaseEstimator, ABC):
    """A model that a network learns; see the classes made from it.

    A kind of data says how it is read, what network it takes, and what scores it; runs,
    settings, training and resuming are here.

    Attributes:
        network_: The trained network.
        reader_: What turns data into what the network reads, learnt in training.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        test_: The same on the part that was tested on, for baselines that have learnt
            from all the rest. Empty if there was none.
    """

    task: ClassVar[str]
    kind: ClassVar[type[TaskSettings]]

    cell: Cell
    out: str | Path | None
    overwrite: bool

    def __init_subclass__(
        cls, without: Sequence[str] = (), defaults: Mapping[str, Any] | None = None
    ) -> None:
        """Make the arguments of a task out of its settings; see ``constructor``."""
        super().__init_subclass__()
        if "task" in vars(cls) and "__init__" not in vars(cls):
            cls.__init__ = constructor(cls.kind, without, defaults or {})

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401
        """Store the arguments; each task has its own, see ``__init_subclass__``."""
        raise NotImplementedError

    _origin: Mapping[str, Any] = MappingProxyType({})  # where data come from, if known

    # What a kind of data says.

    @abstractmethod
    def _assemble(self, settings: Any, reader: Any) -> nn.Module:  # noqa: ANN401 (its)
        """The network, its weights drawn from the global generator."""

    @abstractmethod
    def _start(self, network: Any, reader: Any, material: Any) -> None:  # noqa: ANN401
        """Let a network learn what there is to learn before training."""

    @abstractmethod
    def _task(
        self,
        network: Any,  # noqa: ANN401
        reader: Any,  # noqa: ANN401
        settings: Any,  # noqa: ANN401
        material: Any,  # noqa: ANN401
    ) -> Task:
        """What the training loop sees."""

    @abstractmethod
    def _compare(self, task: Any, material: Any) -> Comparison:  # noqa: ANN401
        """Settle what is chosen after training; score all on the part held out."""

    def _test(self, task: Any, material: Any) -> Comparison:  # noqa: ANN401
        """Score all on the part to test on, if there is one."""
        return []

    @abstractmethod
    def _load_reader(self, run: RunFolder, settings: Any) -> Learnt:  # noqa: ANN401
        """The reader of a run."""

    @abstractmethod
    def _load_material(self, run: RunFolder) -> Material:
        """What a run learns from."""

    def _learnt(self) -> dict[str, str]:
        """Further files of what was learnt before training, by name."""
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
        values = {**self._origin, **self.get_params(deep=False)}
        values["cell"] = cell_tree(values["cell"])
        sections: dict[str, Any] = {
            name: kind(
                **{key: values[key] for key in kind.model_fields if key in values}
            )
            for name, kind in sections_of(self.kind).items()
        }
        return self.kind(task=self.task, **sections)

    def _fit(
        self,
        settings: TaskSettings,
        reader: Learnt,
        material: Material,
        progress: Progress | None,
    ) -> Self:
        """Begin a run, if one is asked for, and train."""
        out = None if self.out is None else Path(self.out)
        check_device(settings.train)
        self.run_ = None
        with draft_folder(out, overwrite=self.overwrite) as draft:
            network = self._network(settings, reader)
            self._start(network, reader, material)
            if out is not None and draft is not None:
                material.write(draft)
                self.run_ = begin_sequence_run(
                    *(out, draft, settings, reader, self._learnt()),
                    overwrite=self.overwrite,
                )
        return self._train(network, reader, settings, material, progress)

    def _network(self, settings: TaskSettings, reader: Learnt) -> nn.Module:
        """A network with random weights, the same for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.train.seed)
            return self._assemble(settings, reader)

    def _recurrent(self, width: int, settings: TaskSettings) -> Recurrent:
        """The recurrence over inputs of some width."""
        model = settings.model
        return Recurrent(
            *(self.cell, width, model.hidden_size, model.num_layers),
            bidirectional=model.bidirectional,
            variational_dropout=model.dropout,
            recurrent_dropout=model.recurrent_dropout,
            zoneout=model.zoneout,
            weight_drop=model.weight_drop,
            backend=model.backend,
        )

    def _train(
        self,
        network: nn.Module,
        reader: Learnt,
        settings: TaskSettings,
        material: Material,
        progress: Progress | None,
        resume: bool = False,
    ) -> Self:
        task = self._task(network, reader, settings, material)
        self.history_ = train(
            task, settings.train, self.run_, resume=resume, progress=progress
        )
        self.network_: Any = network
        self.reader_: Any = reader
        self.baselines_ = self._compare(task, material)
        self.test_ = self._test(task, material)
        if self.run_ is not None:
            self.run_.write_weights(network.state_dict())
            if self.test_:
                self.run_.write_json(TESTED, self.test_)
            self.run_.write_json("baselines.json", self.baselines_)
        return self

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
        known = values.keys() & cls._get_param_names()
        model = cls(**{key: values[key] for key in known})
        data = settings.data.model_dump()
        model._origin = {key: data[key] for key in data.keys() - known}
        return model

    def remember(self, **data: Any) -> None:  # noqa: ANN401 (settings)
        """Keep settings of where data come from, for messages and for the record."""
        known = data.keys() & self.get_params(deep=False)
        self.set_params(**{key: data[key] for key in known})
        self._origin = {**self._origin, **data}

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
        model.test_ = read_comparison(folder, TESTED)
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
        reader, material = (
            model._load_reader(folder, settings),
            model._load_material(folder),
        )
        network = model._network(settings, reader)
        model._start(network, reader, material)
        begun = folder.trained  # if not, it was stopped before its first step
        return model._train(network, reader, settings, material, progress, begun)

    @classmethod
    def _open(
        cls, path: Path | str, cell: Cell | None
    ) -> tuple[Self, RunFolder, TaskSettings]:
        run, settings = read_sequence_run(path, cls.task, cls.kind)
        model = cls.of(settings, cell=cell, out=run.path)
        model.run_ = run
        model._read_learnt(run)
        return model, run, settings
