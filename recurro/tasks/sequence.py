"""What all models share that read a sequence and tell something of it."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from torch import nn

from recurro.data import RecordingWindows, Sequences
from recurro.data.sequences import Targets, flat, sequence_batches
from recurro.errors import DataError, ItemError
from recurro.nn import Evidence, Head, Pooling, Recurrent, VectorNetwork
from recurro.nn.sequence import TaughtNetwork, Teller
from recurro.tasks.comparison import Comparison
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.readers import (
    Items,
    Reader,
    Sequencer,
    as_items,
    learn_reader,
    load_reader,
)
from recurro.tasks.sequence_config import (
    PooledNetwork,
    SequenceData,
    SequenceSettings,
    TableData,
    TaskSettings,
)
from recurro.tasks.sequence_runs import (
    Examples,
    read_examples,
)
from recurro.tasks.vector_task import (
    Answered,
    Network,
    Passes,
    VectorTask,
    held_out_rows,
)
from recurro.tasks.windows import cut_items, groups_of, keep_gaps, last_windows
from recurro.train import Progress, RunFolder
from recurro.types import Batch

__all__ = ["Data", "SequenceEstimator"]

Data: TypeAlias = Sequence[Any] | np.ndarray
"""Texts; arrays ``(time, channels)`` or ``(time,)``, of any lengths; or one array
``(items, time, channels)``."""


class SequenceEstimator(NetworkEstimator):
    """A model of one answer per sequence, or per step; see the classes made from it.

    A task says what its targets are, which head tells them, what scores it, and what
    stands beside it; all else is here. Where it says nothing else, there is one answer
    per sequence, a text or a series of numbers.
    """

    kind: ClassVar[type[TaskSettings]] = SequenceSettings

    _of_classes: ClassVar[bool] = False  # all of which must be in the training part
    _learns_anew: ClassVar[bool] = False  # of targets, from the training part alone

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
        """Train the baselines; their figures on another part."""

    def _items(self, X: Any) -> Items:  # noqa: ANN401 (whatever came)
        """Check what is to be read."""
        return as_items(X)

    def _of_windows(
        self,
        cuts: RecordingWindows,
        lengths: list[int],
        y: Any,  # noqa: ANN401 (a target for each item)
    ) -> tuple[RecordingWindows, Any]:
        """The windows that have a target, and it: what is said of the whole item.

        Args:
            cuts: The windows of all items.
            lengths: The steps of each item.
            y: What is said of each item.
        """
        return cuts, [y[item] for item in cuts.recordings]

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401 (what was learnt of them)
        settings: TaskSettings,
    ) -> Sequencer:
        """What turns items into sequences, learnt from the training part."""
        assert isinstance(settings.data, SequenceData)
        return learn_reader(items, settings.data)

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> Sequencer:
        """Read it back."""
        assert isinstance(settings.data, SequenceData)
        return load_reader(run, settings.data)

    def _check_steps(self, X: Any, items: Items, targets: Sequences) -> None:  # noqa: ANN401
        """Check that targets of steps fit the items, given as X."""
        for number, item in enumerate(items):
            if len(item) != len(targets[number]):
                raise DataError(
                    f"{type(self).__name__}: item {number} must have a target for each "
                    f"of its {len(item)} steps, got {len(targets[number])}. Mend it, "
                    "or leave the item out."
                )

    def _held_out(self, items: Items, targets: Any) -> tuple[Items, Any]:  # noqa: ANN401
        """What choices are made on, of the items that are held out."""
        return items, targets

    def _passes(
        self,
        reader: Any,  # noqa: ANN401 (of the task)
        items: Items,
        targets: Any,  # noqa: ANN401
    ) -> Passes:
        """What is learnt from, pass by pass."""
        return self._answers(reader, items, targets)

    def _answers(self, reader: Any, items: Items, targets: Any) -> Answered:  # noqa: ANN401
        """Items and targets as the network reads them."""
        return Answered(reader(items), targets)

    def _batches(self, *args: Any, **options: Any) -> Iterator[Batch]:  # noqa: ANN401
        """What makes batches; see ``sequence_batches``."""
        return sequence_batches(*args, **options)

    def _chosen_by(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        """The figures in training, where those of ``_judge`` take too long."""
        return self._judge(network, data)

    def _joined(
        self, encoder: nn.Module, recurrent: Recurrent, settings: TaskSettings
    ) -> Network:
        """The network, given what reads."""
        model = settings.model
        assert isinstance(model, PooledNetwork)
        directions = 1 + model.bidirectional
        pooling = Pooling(model.pooling, recurrent.output_size, directions=directions)
        evidence = self._evidence(settings)
        width = pooling.width + (0 if evidence is None else evidence.width)
        head = self._head(width, model)
        assert isinstance(head, Head)
        return VectorNetwork(
            *(encoder, recurrent, pooling, head),
            dropout=model.dropout,
            evidence=evidence,
        )

    def _evidence(self, settings: TaskSettings) -> Evidence | None:
        """What counts features, if anything."""
        return None

    def _finish(self, network: Any, valid: Answered | None) -> None:  # noqa: ANN401
        """Settle what is chosen after training, if anything."""

    # What is the same for all.

    def fit(
        self,
        X: Data,
        y: Any,  # noqa: ANN401 (classes or numbers)
        *,
        valid: tuple[Data, Any] | None = None,
        test: tuple[Data, Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from sequences and their targets.

        Args:
            X: The sequences.
            y: The target of each.
            valid: Sequences and targets that choices (the best epoch) are made on;
                without them a share ``held_out`` of the others.
            test: Sequences and targets that the model and its baselines are scored on
                at the end, once.
            progress: Shown how training goes.

        Raises:
            DataError: If sequences or targets cannot be used; the item is named.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        settings = self.settings
        examples = self._examples(settings, X, y, valid)
        if test is not None:
            examples = self._tested(examples, *test)
        (items, targets), _ = examples.parts()
        reader = self._learn_reader(items, targets, settings)
        if test is not None:
            self._check_tested(reader, examples)
        return self._fit(settings, reader, examples, progress)

    def _examples(
        self,
        settings: TaskSettings,
        X: Data,
        y: Any,  # noqa: ANN401
        valid: tuple[Data, Any] | None,
    ) -> Examples:
        items, told, groups = self._cut(X, y)
        targets = self._matched(X, items, told, self._learn_targets)
        if valid is not None:
            more, theirs = self._pairs(*valid)
            both: Any = [*items, *more]
            return Examples(both, _both(targets, theirs), len(more))
        rows = held_out_rows(
            targets,
            settings.data.held_out,
            settings.train.seed,
            classes=self._of_classes,
            groups=groups,
        )
        if isinstance(settings.data, TableData):
            rows = keep_gaps(items, rows, groups)
        rest = np.setdiff1d(np.arange(len(items)), rows)
        kept: Any = [items[row] for row in rest]
        if not len(rows):
            if settings.data.held_out:
                warnings.warn(
                    f"{type(self).__name__}: none of {len(items)} items could be held "
                    "out (too few, or all alike): the last epoch is kept, and nothing "
                    "is judged. Give more.",
                    stacklevel=3,
                )
            return Examples(kept, targets[rest], 0)
        learnt, theirs = targets[rest], targets[rows]
        if self._learns_anew:
            told = list(told)
            learnt = self._learn_targets([told[row] for row in rest])
            theirs = self._targets([told[row] for row in rows])
        chosen: Any = [items[row] for row in rows]
        chosen, theirs = self._held_out(chosen, theirs)
        return Examples([*kept, *chosen], _both(learnt, theirs), len(chosen))

    def _tested(self, examples: Examples, X: Data, y: Any) -> Examples:  # noqa: ANN401
        """Examples with some to test on."""
        items, targets = self._pairs(X, y)
        both: Any = [*examples.items, *items]
        targets = _both(examples.targets, targets)
        return Examples(both, targets, examples.held_out, len(items))

    def _check_tested(self, reader: Sequencer, examples: Examples) -> None:
        """Read what is tested on before training, lest that fails at its end."""
        _, (items, targets) = examples.test_parts()
        try:
            self._answers(reader, items, targets)
        except ItemError as error:
            error.tested = True
            raise

    def _pairs(self, X: Data, y: Any) -> tuple[Items, Targets]:  # noqa: ANN401
        """What is read at once, and its targets, such as are known from training."""
        items, told, _ = self._cut(X, y)
        return items, self._matched(X, items, told, self._targets)

    def _cut(self, X: Data, y: Any) -> tuple[Items, Any, np.ndarray]:  # noqa: ANN401
        """What is read at once, what is said of it, and what must not be parted."""
        items, data = self._items(X), self.settings.data
        groups = groups_of(items)
        if isinstance(data, SequenceData) and data.window is not None:
            cuts = cut_items(items, data.window, data.stride)
            self._check_count(items, y)
            lengths = [len(item) for item in items]
            cuts, y = self._of_windows(cuts, lengths, y)
            items, groups = cuts.items, groups[cuts.recordings]
        return items, y, groups

    def _matched(
        self,
        X: Data,
        items: Items,
        y: Any,  # noqa: ANN401 (whatever came)
        targets_of: Callable[[Any], Targets],
    ) -> Targets:
        """The targets of items, one of each or of each of its steps."""
        targets = targets_of(y)
        self._check_count(items, targets)
        if isinstance(targets, Sequences):
            self._check_steps(X, items, targets)
        return targets

    def _check_count(self, items: Items, targets: Any) -> None:  # noqa: ANN401
        count = len(targets) if isinstance(targets, Sized) else 0
        if len(items) != count:
            raise DataError(
                f"{type(self).__name__}: there must be one target per sequence, got "
                f"{count} for {len(items)}. Take both from the same source."
            )

    def _assemble(self, settings: TaskSettings, reader: Reader) -> TaughtNetwork:
        encoder, width = reader.encoder(settings.model)
        return self._joined(encoder, self._recurrent(width, settings), settings)

    def _start(self, network: Any, reader: Any, material: Examples) -> None:  # noqa: ANN401
        network.head.start(torch.as_tensor(flat(material.parts()[0][1])))

    def _task(
        self,
        network: TaughtNetwork,
        reader: Any,  # noqa: ANN401 (of the task)
        settings: TaskSettings,
        material: Examples,
    ) -> VectorTask:
        given, (items, targets) = material.parts()
        learnt = self._passes(reader, *given)
        chosen = self._answers(reader, items, targets) if items else None
        return VectorTask(
            *(network, learnt, chosen, settings.train, self._chosen_by),
            cut=self._batches,
        )

    def _compare(self, task: VectorTask, material: Examples) -> Comparison:
        self._finish(task.network, task.valid)
        if task.valid is None:
            return []
        ours = {"name": "network", **self._judge(task.network, task.valid)}
        return [*self._baselines(*material.parts()), ours]

    def _test(self, task: VectorTask, material: Examples) -> Comparison:
        if not material.tested:
            return []
        known, tested = material.test_parts()
        data = self._answers(self.reader_, *tested)
        ours = {"name": "network", **self._judge(task.network, data)}
        return [*self._baselines(known, tested), ours]

    def _load_material(self, run: RunFolder) -> Examples:
        return read_examples(run)

    def evaluate(self, X: Data, y: Any) -> dict[str, float]:  # noqa: ANN401
        """The figures of the task on sequences whose targets are known.

        Raises:
            DataError: If sequences or targets cannot be used.
        """
        return self._judge(self._fitted(), self._answered(X, y))

    def _answered(self, X: Data, y: Any) -> Answered:  # noqa: ANN401
        """Sequences as the network reads them, with their targets."""
        self._fitted()
        items, targets = self._pairs(X, y)
        return self._answers(self.reader_, items, targets)

    def _read(self, X: Data) -> Sequences:
        self._fitted()
        items, data = self._items(X), self.settings.data
        if isinstance(data, SequenceData) and data.window is not None:
            items = last_windows(items, data.window)
        return self.reader_(items)


def _both(first: Targets, second: Targets) -> Targets:
    """Targets of the same kind, joined."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, flat(second)])
    assert isinstance(second, Sequences)
    starts = np.concatenate([first.starts, first.starts[-1] + second.starts[1:]])
    return Sequences(np.concatenate([first.values, second.values]), starts)
