"""Learning to execute: programs in, what they print out, symbol by symbol."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from recurro.baselines.answers import AnswerGuesses
from recurro.data import Curriculum, Exercise, pair_batches, run_program
from recurro.data.batching import line_groups
from recurro.data.curriculum import Part
from recurro.data.programs import ALPHABET
from recurro.errors import DataError, RunError
from recurro.generate import beam_search, sample_batch
from recurro.nn import Decoder, SequenceEncoder
from recurro.tasks.comparison import Comparison
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.program_config import ProgramSettings
from recurro.tasks.program_network import (
    LOSS,
    ROWS,
    SYMBOLS,
    WRITTEN,
    ExecutingNetwork,
    ProgramReader,
    answer_figures,
    judged,
)
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.vector_task import Answered, VectorTask
from recurro.train import Progress, RunFolder
from recurro.types import Stepper

__all__ = ["ProgramExecutor"]

_COUNTED = 1000
"""Most answers that are counted before training, and that baselines learn from."""


@dataclass(frozen=True)
class _Drawn:
    """Programs that are drawn anew for each pass, so that nothing is stored."""

    curriculum: Curriculum
    count: int
    seed: int
    reader: ProgramReader
    network: ExecutingNetwork

    def __len__(self) -> int:
        return self.count

    def __call__(self, epoch: int) -> Answered:
        stage = int(self.network.stage)
        found = self.curriculum.draw(self.count, f"{self.seed} {epoch}", stage=stage)
        return self.reader.both(found)


class _Nothing:
    """What a run keeps of programs: nothing, as they are drawn by the seed."""

    def write(self, folder: Path) -> None:
        """Write nothing."""


class ProgramExecutor(NetworkEstimator, without=("bidirectional",)):
    """A network that reads a program, symbol by symbol, and writes what it prints.

    P(answer | program) by an encoder and a decoder of the same cell without attention:
    the final state of the one is the first of the other, and enters at each of its
    steps (``each_step=False``: it does not, as in the paper). Programs are drawn, new
    ones for each pass, by a curriculum; those that are chosen and tested on are none
    that are learnt from, by a hash of their text.

    The arguments are those of ``recurro.tasks.program_config``. ``cell`` is an object,
    also one of your own; ``out`` names a run folder, without which all stays in memory;
    ``overwrite`` lets it replace a run that is there.

    Attributes:
        network_: The trained ``ExecutingNetwork``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the programs that
            choices were made on; the network last.
        test_: The same on programs for testing.

    Example:
        >>> model = ProgramExecutor(
        ...     problem="addition", length=1, curriculum="none", hidden_size=32,
        ...     programs=2000, epochs=4, batch_size=50, learning_rate=0.01,
        ... )
        >>> model.fit().score() > 0.1
        True

    References:
        Zaremba and Sutskever (2014), arXiv 1410.4615 (whose network reads and writes
        with the same weights); Sutskever, Vinyals and Le (2014), arXiv 1409.3215.
    """

    task: ClassVar[str] = "execute"
    kind: ClassVar[type[TaskSettings]] = ProgramSettings

    def fit(
        self, X: object = None, y: object = None, *, progress: Progress | None = None
    ) -> Self:
        """Learn from programs that are drawn.

        Args:
            X: Nothing; scikit-learn passes it.
            y: Nothing; the answers are what the programs print.
            progress: Shown how training goes.

        Raises:
            DataError: If programs are given.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        if X is not None or y is not None:
            raise DataError(
                "ProgramExecutor: programs to learn from are drawn and must not be "
                "given. Call fit(), and name problem, length and nesting instead."
            )
        settings = self.settings
        reader = ProgramReader(settings.data.reverse, settings.data.double)
        return self._fit(settings, reader, _Nothing(), progress)

    # The network, and what it learns from.

    def _assemble(
        self, settings: ProgramSettings, reader: ProgramReader
    ) -> ExecutingNetwork:
        width, dropout = settings.model.embedding_size, settings.model.dropout
        encoder = SequenceEncoder(
            nn.Embedding(len(ALPHABET), width),
            [self._recurrent(width, settings)],
            dropout=dropout,
        )
        summary, each_step = encoder.output_size, settings.model.each_step
        inputs = Decoder.input_size(width, summary_size=summary, each_step=each_step)
        decoder = Decoder(
            len(WRITTEN),
            self._recurrent(inputs, settings),
            stop=0,
            embedding=nn.Embedding(len(WRITTEN), width),
            first="copy",
            summary_size=summary,
            each_step=each_step,
            dropout=dropout,
        )
        return ExecutingNetwork(encoder, decoder)

    def _start(
        self, network: ExecutingNetwork, reader: ProgramReader, material: _Nothing
    ) -> None:
        counted = reader.both(self._counted())
        network.head.start(torch.from_numpy(counted.flat))

    def _task(
        self,
        network: ExecutingNetwork,
        reader: ProgramReader,
        settings: ProgramSettings,
        material: _Nothing,
    ) -> VectorTask:
        data = settings.data
        learnt = _Drawn(
            *(data.lessons(), data.programs, settings.train.seed, reader, network)
        )
        chosen = reader.both(self._exercises(data.chosen_on, "valid"))
        judge = partial(self._chosen_by, reader=reader)
        return VectorTask(network, learnt, chosen, settings.train, judge, pair_batches)

    def _exercises(
        self, count: int, part: Part, hardness: tuple[int, int] | None = None
    ) -> list[Exercise]:
        """Exercises of a part, of the full length and nesting or of others."""
        curriculum = self.settings.data.lessons()
        if hardness is not None:
            length, nesting = hardness
            curriculum = replace(curriculum, length=length, nesting=nesting)
        return curriculum.draw(count, f"{part} {self.settings.train.seed}", part=part)

    def _counted(self) -> list[Exercise]:
        """Exercises whose answers are counted."""
        return self._exercises(min(_COUNTED, self.settings.data.programs), "train")

    def _chosen_by(
        self, network: ExecutingNetwork, data: Answered, reader: ProgramReader
    ) -> dict[str, float]:
        """What the best pass is chosen by; the curriculum goes on by it too."""
        figures, settings = judged(network, data), self.settings.data
        if settings.curriculum not in ("naive", "combined"):
            return figures
        stages = settings.lessons().stages
        length, nesting = stages[int(network.stage)]
        here = self._exercises(settings.chosen_on, "valid", (length, nesting))
        network.note(judged(network, reader.both(here))["char_accuracy"], len(stages))
        return {**figures, "length": length, "nesting": nesting}

    def _load_reader(self, run: RunFolder, settings: ProgramSettings) -> ProgramReader:
        if run.read_json(SYMBOLS) != {"read": ALPHABET, "written": WRITTEN}:
            raise RunError(
                f"{run.path / SYMBOLS}: must be the symbols that programs are read and "
                "written in, got others. Put it back from a copy."
            )
        return ProgramReader(settings.data.reverse, settings.data.double)

    def _load_material(self, run: RunFolder) -> _Nothing:
        return _Nothing()

    # Figures.

    def _compare(self, task: VectorTask, material: _Nothing) -> Comparison:
        return self._rows(self._exercises(self.settings.data.chosen_on, "valid"))

    def _test(self, task: VectorTask, material: _Nothing) -> Comparison:
        return self._rows(self._exercises(self.settings.data.tested_on, "test"))

    def _rows(self, exercises: list[Exercise]) -> Comparison:
        answers = [one.answer for one in exercises]
        known = [one.answer for one in self._counted()]
        guesses = AnswerGuesses().fit(known).predict([one.text for one in exercises])
        rows = [
            {"name": name, **answer_figures(said, answers)}
            for name, said in guesses.items()
        ]
        ours = judged(self.network_, self.reader_.both(exercises))
        del ours[LOSS]
        return [*rows, {"name": "network", **ours}]

    def evaluate(
        self,
        X: Sequence[Any] | None = None,
        y: Sequence[Any] | None = None,
    ) -> dict[str, float]:
        """How well answers are written.

        ``char_accuracy`` is the share of symbols (with the end of each answer) that are
        the likeliest ones given the right symbols before; ``exact_match`` is the share
        of programs whose answer, as ``predict`` writes it, is right.

        Args:
            X: Programs; ``None`` for ``tested_on`` new ones of the full length and
                nesting.
            y: What they print; ``None`` to find out by running them.

        Raises:
            DataError: If a text is no program, or ``y`` is not what it prints.
        """
        self._fitted()
        if X is None:
            exercises = self._exercises(self.settings.data.tested_on, "test")
            X = [one.text for one in exercises]
        answers = _ran(X)
        for number, (said, printed) in enumerate(zip(y or (), answers, strict=False)):
            if str(said) != printed:
                raise DataError(
                    f"program {number}: prints {printed}, got {said!r} as its answer. "
                    "Mend it, or leave y out."
                )
        data = Answered(self.reader_(X), self.reader_.answers(answers))
        figures = judged(self.network_, data)
        written = self.predict(X)
        exact = np.mean([one == two for one, two in zip(written, answers, strict=True)])
        return {"char_accuracy": figures["char_accuracy"], "exact_match": float(exact)}

    def evaluate_each(self, count: int = 200) -> Comparison:
        """The figures for each length and nesting, on new programs for testing.

        Args:
            count: Programs of each.

        Returns:
            One row for each: ``length``, ``nesting``, ``char_accuracy`` and
            ``exact_match``.
        """
        self._fitted()
        rows: Comparison = []
        for length, nesting in self.settings.data.lessons().stages:
            found = self._exercises(count, "test", (length, nesting))
            figures = judged(self.network_, self.reader_.both(found))
            del figures[LOSS]
            rows.append({"length": length, "nesting": nesting, **figures})
        return rows

    def score(self, X: Sequence[Any] | None = None, y: object = None) -> float:
        """The share of programs whose answer is written right."""
        return self.evaluate(X)["exact_match"]

    @torch.no_grad()
    def predict(self, X: Sequence[Any]) -> list[str]:
        """What the network writes that programs print.

        An answer ends at twice the length of the longest answer counted in training, if
        the network does not end it; then there is a warning.

        Raises:
            DataError: If a text is no program; it is named by its number.
            ConfigError: If ``beam_size`` is below 1.
        """
        network = self._fitted()
        _ran(X)
        programs = self.reader_(X)
        device = next(network.parameters()).device
        limit = 2 * int(network.head.longest)
        written, cut = [""] * len(X), 0
        nothing = np.zeros(len(X), np.int64)
        for rows in line_groups(programs.lengths, ROWS):
            batch = programs.batch(rows, nothing).to(device)
            stepper = network.head.stepper(network.encoder(batch))
            start = torch.zeros(1, len(rows), dtype=torch.long, device=device)
            for row, ids in zip(rows, self._sought(stepper, start, limit), strict=True):
                written[row] = "".join(WRITTEN[number] for number in ids)
                cut += len(ids) == limit
        if cut:
            warnings.warn(
                f"ProgramExecutor: {cut} of {len(X)} answers had not ended after "
                f"{limit} symbols and are cut there.",
                stacklevel=2,
            )
        return written

    def _sought(
        self, stepper: Stepper, start: torch.Tensor, limit: int
    ) -> list[Sequence[int]]:
        """The symbols of each answer, without the end."""
        size = self.settings.model.beam_size
        if size == 1:
            return [*sample_batch(stepper, start, limit, temperature=0, stop=0)]
        found = beam_search(stepper, start, limit, beam_size=size, stop=0)
        return [best.ids for best, *_ in found]


def _ran(texts: Any) -> list[str]:  # noqa: ANN401 (whatever came)
    """What programs print."""
    if isinstance(texts, str) or not len(texts):
        raise DataError(
            f"ProgramExecutor: must be given a list of programs, got {texts!r}."
        )
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"ProgramExecutor: program {number} must be a text, got {text!r}."
            )
    return [str(run_program(text, f"program {n}")) for n, text in enumerate(texts)]
