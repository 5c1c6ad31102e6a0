"""Drawings and handwriting: what the pen does, point by point."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from recurro.baselines.strokes import GaussianAutoregression
from recurro.data import Drawings, Sequences, Tokenizer, as_drawing
from recurro.data.sequences import clean_texts
from recurro.errors import ArgumentError, DataError
from recurro.nn import EachStep, MixtureHead, StepNetwork, TextWindow, WindowNetwork
from recurro.nn.mixture import ENDED, LIFTED
from recurro.nn.sequence import TaughtNetwork
from recurro.tasks.comparison import Comparison
from recurro.tasks.next_step import NextStepModel
from recurro.tasks.pen import Hand, Pen
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.strokes_config import StrokeNetwork, StrokeSettings
from recurro.tasks.vector_task import Answered
from recurro.train import RunFolder

__all__ = ["StrokeModel"]

ORDER = 16
"""Points that the baseline reads."""


class StrokeModel(NextStepModel, without=("bidirectional",)):
    """A recurrent model of drawings, point by point.

    p(drawing) = prod_t p(dx_t, dy_t, pen_t | points before): a mixture of bivariate
    Gaussians for where the pen goes next, and chances of whether it is down there,
    lifted, or lifted for good. With ``mixtures=0`` there is one Gaussian of fixed
    deviation: the squared error. With a ``window``, p is also given the text that is
    written: a soft window moves over it.

    The arguments are those of ``recurro.tasks.strokes_config`` (``StrokeNetwork``,
    ``StrokeTraining``). ``cell`` is an object, also one of your own; ``out`` names a
    run folder, without which all stays in memory; ``overwrite`` lets it replace a run
    that is there.

    Drawings are a list of arrays ``(points, 3)`` of dx, dy and the pen (0 down, 1
    lifted), or ``Drawings`` as ``read_drawings`` gives them, which may have texts.

    Attributes:
        network_: The trained ``StepNetwork``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> squares = [
        ...     [[n, 0, 0], [0, n, 0], [-n, 0, 0], [0, -n, 1]] for n in range(5, 35)
        ... ]
        >>> model = StrokeModel(hidden_size=24, mixtures=2, epochs=3, batch_size=4)
        >>> len(model.fit(squares).generate(3, seed=1))
        3

    References:
        Graves (2013), arXiv 1308.0850, section 4; Ha and Eck (2017), arXiv 1704.03477,
        section 3.2 (states of the pen, temperature).
    """

    task: ClassVar[str] = "strokes"
    kind: ClassVar[type[TaskSettings]] = StrokeSettings

    # What is read and told.

    def _items(self, X: Any) -> Any:  # noqa: ANN401
        """What is read: texts where they are written, else the drawings."""
        return self._texts(X) if self.settings.model.window else self._drawings(X)

    def _drawings(self, X: Any) -> list[np.ndarray]:  # noqa: ANN401
        """Drawings whose last point has the state of the end."""
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

    def _texts(self, X: Any) -> list[str]:  # noqa: ANN401
        texts = X.texts if isinstance(X, Drawings) else None
        if texts is None:
            raise DataError(
                "StrokeModel: drawings must have texts with a window, got none. Give "
                "Drawings with texts, or set window=0."
            )
        for number, text in enumerate(texts):
            if not text.strip():
                raise DataError(
                    f"StrokeModel: drawing {number} must have a text with a window, got"
                    f" {text!r}. Say what is written, or leave the drawing out."
                )
        return clean_texts(texts)

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        return Sequences.of(self._drawings(y))

    def _check_steps(self, X: Any, items: Any, targets: Sequences) -> None:  # noqa: ANN401
        """Nothing: a text is of any length."""

    def _learn_reader(
        self,
        items: Any,  # noqa: ANN401
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> Pen:
        if not isinstance(items[0], str):
            return Pen()
        return Pen(Tokenizer.fit(items, "char", lines=True, unknown="replace"))

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> Pen:
        return Pen.load(run)

    def _answers(self, reader: Pen, items: Any, targets: Any) -> Answered:  # noqa: ANN401
        if unknown := reader.unknown(items):
            warnings.warn(
                f"{len(unknown)} symbols of the texts were not in training and are "
                f"read as one: {', '.join(map(repr, unknown[:5]))}.",
                stacklevel=2,
            )
        return Answered(reader.writing(targets, items), targets)

    # The network.

    def _assemble(self, settings: Any, reader: Any) -> TaughtNetwork:  # noqa: ANN401
        model = settings.model
        if reader.tokenizer is None:
            return super()._assemble(settings, reader)
        encoder, width = reader.encoder(model)
        window = TextWindow(
            *(self.cell, width, model.hidden_size),
            symbols=reader.tokenizer.size,
            gaussians=model.window,
            backend=model.backend,
        )
        recurrent = self._recurrent(width + window.output_size, settings)
        head = self._head(recurrent.output_size, model)
        return WindowNetwork(encoder, window, recurrent, head, dropout=model.dropout)

    def _head(self, features: int, settings: StrokeNetwork) -> EachStep:
        return EachStep(MixtureHead(features, settings.mixtures))

    def _start(self, network: Any, reader: Any, material: Any) -> None:  # noqa: ANN401
        super()._start(network, reader, material)
        network.encoder.scale.copy_(network.head.head.scale)
        if reader.tokenizer is not None:
            (texts, drawings), _ = material.parts()
            symbols = sum(map(len, texts))
            network.window.start(symbols / len(drawings.values))

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
        number: int | None = None,
        *,
        text: str | Sequence[str] | None = None,
        prompt: Any = None,  # noqa: ANN401 (a drawing)
        temperature: float = 1.0,
        length: int = 500,
        seed: int | None = None,
    ) -> list[np.ndarray]:
        """Draw: one point after the other, until the pen is lifted for good.

        Args:
            number: How many drawings, at least 1; ``None`` for one, or one of each
                text.
            text: What is written, where there is a window: a text for all, or one for
                each.
            prompt: A drawing that all go on from; it stands before them in the result.
            temperature: What all log odds are divided by and variances multiplied with;
                0 goes to the mean of the likeliest component.
            length: The most points of a drawing; one that has not ended by then is cut
                there, and counted in a warning.
            seed: The same seed, the same drawings; ``None`` for others each time.

        Returns:
            The drawings, each ``(points, 3)``, the pen lifted at the end.

        Raises:
            ArgumentError: If a number is out of its range, or a text is missing or has
                no window.
            DataError: If the prompt cannot be used, or a text has a symbol that was not
                in training.
        """
        network = self._fitted()
        assert isinstance(network, StepNetwork)
        if number is None:
            number = 1 if text is None or isinstance(text, str) else len(text)
        if min(number, length) < 1 or not 0 <= temperature < float("inf"):
            raise ArgumentError(
                "generate: number and length must be at least 1 and temperature a "
                f"finite number of at least 0, got {number}, {length} and "
                f"{temperature}."
            )
        texts = self._to_write(text, number)
        before = np.zeros((0, 3), np.float32) if prompt is None else self._begun(prompt)
        with torch.no_grad():
            hand = Hand(network, texts, number)
            drawn = hand.draw(before, temperature, length, seed)
        ends = [np.flatnonzero(drawing[:, 2] == ENDED) for drawing in drawn]
        if cut := sum(not len(places) for places in ends):
            warnings.warn(
                f"{cut} of {number} drawings had not ended after {length} points and "
                "were cut there. Allow more by length, or lower the temperature.",
                stacklevel=2,
            )
        drawings = [
            drawing[: places[0] + 1].copy() if len(places) else drawing.copy()
            for drawing, places in zip(drawn, ends, strict=True)
        ]
        for drawing in drawings:
            drawing[-1, 2] = 1
        return drawings

    def _to_write(self, text: str | Sequence[str] | None, number: int) -> Tensor | None:
        """The ids of what is written ``(number, length)``, if anything is."""
        known = self.reader_.tokenizer
        if (text is None) != (known is None):
            raise ArgumentError(
                "generate: text must be given to a model with a window, and to no "
                f"other, got {text!r}. {'Say' if text is None else 'Do not say'} what "
                "to write."
            )
        if text is None or known is None:
            return None
        texts = [text] * number if isinstance(text, str) else list(text)
        if len(texts) != number:
            raise ArgumentError(
                f"generate: text must be one for all, or one for each of {number} "
                f"drawings, got {len(texts)}."
            )
        if "" in texts:
            raise ArgumentError(
                "generate: text must hold at least one symbol, got ''. Say what to "
                "write."
            )
        if unknown := self.reader_.unknown(texts):
            raise DataError(
                "generate: text must be of symbols seen in training, got "
                f"{', '.join(map(repr, unknown[:5]))}. Write it in others."
            )
        return self.reader_.encode(texts).filled(np.arange(number))

    def _begun(self, prompt: Any) -> np.ndarray:  # noqa: ANN401
        """A drawing that has not ended."""
        [drawing] = self._drawings([prompt])
        drawing[-1, 2] = LIFTED
        return drawing
