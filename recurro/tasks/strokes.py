"""Drawings and handwriting: what the pen does, point by point."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from recurro.baselines.strokes import GaussianAutoregression
from recurro.cells import LSTM, Cell
from recurro.data import Sequences, as_drawing
from recurro.errors import ArgumentError, DataError, RunError
from recurro.nn import EachStep, MixtureHead, PenEncoder, StepNetwork
from recurro.nn.mixture import DOWN, ENDED, LIFTED
from recurro.tasks.comparison import Comparison
from recurro.tasks.next_step import NextStepModel
from recurro.tasks.sequence_config import Backend, RecurrentNetwork, TaskSettings
from recurro.tasks.strokes_config import StrokeNetwork, StrokeSettings
from recurro.train import RunFolder

__all__ = ["StrokeModel"]

PEN = "pen.json"
STATES = {"down": DOWN, "lifted": LIFTED, "ended": ENDED}

ORDER = 16
"""Points that the baseline reads."""


class _Pen:
    """Drawings as the network reads them: at each point, the one just before."""

    def __call__(self, items: Any) -> Sequences:  # noqa: ANN401 (drawings)
        """Nothing, then all points but the last, of each drawing."""
        return Sequences.of([_before(drawing) for drawing in items])

    def encoder(self, model: RecurrentNetwork) -> tuple[nn.Module, int]:
        """What scales the points, and a linear layer of the embedding's size if any."""
        encoder = PenEncoder(model.embedding_size)
        return encoder, encoder.width

    def file(self) -> tuple[str, str]:
        """What the states of the pen are."""
        return PEN, json.dumps({"states": STATES})

    @staticmethod
    def load(run: RunFolder) -> _Pen:
        """The pen of a run.

        Raises:
            RunError: If its states are others than those known here.
        """
        if run.read_json(PEN) != {"states": STATES}:
            raise RunError(
                f"{run.path / PEN}: must have the states {', '.join(STATES)} of a pen, "
                "got others. Put it back from a copy."
            )
        return _Pen()


def _before(drawing: np.ndarray) -> np.ndarray:
    """What is read at each point ``(points, 4)``: dx, dy, down, lifted."""
    lifted = drawing[:-1, 2:] > 0
    rows = np.concatenate([drawing[:-1, :2], ~lifted, lifted], 1)
    return np.pad(rows, ((1, 0), (0, 0))).astype(np.float32)


class StrokeModel(NextStepModel):
    """A recurrent model of drawings, point by point.

    p(drawing) = prod_t p(dx_t, dy_t, pen_t | points before): a mixture of bivariate
    Gaussians for where the pen goes next, and chances of whether it is down there,
    lifted, or lifted for good. With ``mixtures=0`` there is one Gaussian of fixed
    deviation: the squared error.

    The arguments are those of ``recurro.tasks.strokes_config`` (``StrokeNetwork``,
    ``StrokeTraining``). ``cell`` is an object, also one of your own; ``out`` names a
    run folder, without which all stays in memory; ``overwrite`` lets it replace a run
    that is there.

    Drawings are a list of arrays ``(points, 3)`` of dx, dy and the pen (0 down, 1
    lifted), or ``Drawings`` as ``read_drawings`` gives them.

    Attributes:
        network_: The trained ``StepNetwork``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> square = [[9, 0, 0], [0, 9, 0], [-9, 0, 0], [0, -9, 1]]
        >>> model = StrokeModel(hidden_size=24, mixtures=2, epochs=3, batch_size=4)
        >>> len(model.fit([square] * 30).generate(3, seed=1))
        3

    References:
        Graves (2013), arXiv 1308.0850, section 4; Ha and Eck (2017), arXiv 1704.03477,
        section 3.2 (states of the pen, temperature).
    """

    task: ClassVar[str] = "strokes"
    kind: ClassVar[type[TaskSettings]] = StrokeSettings

    def __init__(
        self,
        *,
        held_out: float = 0.1,
        cell: Cell = LSTM(),  # noqa: B008 (a frozen value)
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int | None = None,
        dropout: float = 0.1,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        mixtures: int = 20,
        backend: Backend = "auto",
        batch_size: int = 50,
        epochs: int = 20,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.005,
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        nonmonotone: int = 5,
        schedule: Literal["constant", "cosine", "plateau"] = "cosine",
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

    # What is read and told.

    def _items(self, X: Any) -> list[np.ndarray]:  # noqa: ANN401
        points = list(X)
        if not points:
            raise DataError(
                "StrokeModel: must be given at least one drawing, got none. Give some."
            )
        drawings = [
            as_drawing(drawing, f"StrokeModel: drawing {number}").copy()
            for number, drawing in enumerate(points)
        ]
        for drawing in drawings:
            drawing[-1, 2] = ENDED
        return drawings

    def _learn_reader(
        self,
        items: Any,  # noqa: ANN401
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> _Pen:
        return _Pen()

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> _Pen:
        return _Pen.load(run)

    def _head(self, features: int, settings: StrokeNetwork) -> EachStep:
        return EachStep(MixtureHead(features, settings.mixtures))

    def _start(self, network: Any, reader: Any, material: Any) -> None:  # noqa: ANN401
        super()._start(network, reader, material)
        network.encoder.scale.copy_(network.head.head.scale)

    # Figures.

    def _figures(self, losses: np.ndarray, starts: np.ndarray) -> dict[str, float]:
        return {"nll_per_point": float(losses.mean())}

    def _baselines(self, train: tuple[Any, Any], valid: tuple[Any, Any]) -> Comparison:
        model = GaussianAutoregression(ORDER).fit(list(train[1]))
        losses = -np.concatenate([model.log_probs(drawing) for drawing in valid[1]])
        name = f"Gaussian autoregression of order {ORDER}"
        return [{"name": name, **self._figures(losses, valid[1].starts)}]

    # Samples.

    def generate(
        self,
        number: int = 1,
        *,
        prompt: Any = None,  # noqa: ANN401 (a drawing)
        temperature: float = 1.0,
        length: int = 500,
        seed: int | None = None,
    ) -> list[np.ndarray]:
        """Draw: one point after the other, until the pen is lifted for good.

        Args:
            number: How many drawings, at least 1.
            prompt: A drawing that all go on from; it stands before them in the result.
            temperature: What all log odds are divided by and variances multiplied with;
                0 goes to the mean of the likeliest component.
            length: The most points of a drawing; one that has not ended by then is cut
                there, and counted in a warning.
            seed: The same seed, the same drawings; ``None`` for others each time.

        Returns:
            The drawings, each ``(points, 3)``, the pen lifted at the end.

        Raises:
            ArgumentError: If a number is out of its range.
            DataError: If the prompt cannot be used.
        """
        if min(number, length) < 1 or not 0 <= temperature < float("inf"):
            raise ArgumentError(
                "generate: number and length must be at least 1 and temperature a "
                f"finite number of at least 0, got {number}, {length} and "
                f"{temperature}."
            )
        network = self._fitted()
        assert isinstance(network, StepNetwork)
        before = np.zeros((0, 3), np.float32) if prompt is None else self._begun(prompt)
        with torch.no_grad():
            drawn = _draw(network, before, number, temperature, length, seed)
        ended = [np.flatnonzero(drawing[:, 2] == ENDED) for drawing in drawn]
        if cut := sum(not len(places) for places in ended):
            warnings.warn(
                f"{cut} of {number} drawings had not ended after {length} points and "
                "were cut there. Allow more by length, or lower the temperature.",
                stacklevel=2,
            )
        drawings = [
            drawing[: places[0] + 1] if len(places) else drawing
            for drawing, places in zip(drawn, ended, strict=True)
        ]
        for drawing in drawings:
            drawing[-1, 2] = 1
        return drawings

    def _begun(self, prompt: Any) -> np.ndarray:  # noqa: ANN401
        """A drawing that has not ended."""
        [drawing] = self._items([prompt])
        drawing[-1, 2] = LIFTED
        return drawing


def _draw(
    network: StepNetwork,
    before: np.ndarray,
    number: int,
    temperature: float,
    length: int,
    seed: int | None,
) -> np.ndarray:
    """Go on from some points; all of them and those drawn ``(number, points, 3)``."""
    head, stream = network.head, network.recurrent.stream(number)
    assert isinstance(head, EachStep)
    device = next(network.parameters()).device
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    x = torch.zeros(number, 4, device=device)
    points: list[Tensor] = []
    ended = torch.zeros(number, dtype=torch.bool, device=device)
    while len(points) < len(before) + length and not ended.all():
        y = stream.step(network.encoder(x[None])[0])
        if len(points) < len(before):
            row = torch.from_numpy(before[len(points)]).to(device)
            points.append(row.expand(number, 3))
        else:
            points.append(head.head(y).draw(temperature, generator))
            ended |= points[-1][:, 2] == ENDED
        lifted = points[-1][:, 2:] > 0
        x = torch.cat([points[-1][:, :2], ~lifted, lifted], 1)
    return torch.stack(points, 1).cpu().numpy()
