"""Numbers on pictures: where to look, and what is read there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from recurro.baselines.pictures import NearestPicture
from recurro.data import Sequences, line_groups
from recurro.data.numbered_pictures import as_numbers, as_pictures
from recurro.errors import DataError, RunError
from recurro.nn import CategoricalHead, Retina, SoftWindow
from recurro.nn.glimpse import Glimpse, GlimpseNetwork
from recurro.tasks.comparison import Comparison
from recurro.tasks.picture_config import ReadNetwork, ReadSettings
from recurro.tasks.picture_reader import PictureReader, VariedPictures
from recurro.tasks.sequence import SequenceEstimator
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.vector_task import Answered, Passes, answers, mean_loss
from recurro.train import RunFolder
from recurro.types import Batch, Shard

__all__ = ["Glances", "GlimpseReader", "number_of"]

NUMBERS = "numbers.json"
DIGITS = 10
"""The digits are the first classes; this one ends a number."""


@dataclass(frozen=True, eq=False)
class Glances:
    """What a reader looked at in pictures.

    Attributes:
        pictures: The pictures ``(items, height, width)``, from 0 to 1.
        numbers: What was read.
        windows: Left, top, right and bottom of what was seen in each glimpse ``(items,
            glimpses, scales, 4)``, in pixels.
        patches: What was seen ``(items, glimpses, scales, size, size)``, where 0 is
            paper.
        each: Glimpses for each digit, after one before the first.
    """

    pictures: np.ndarray
    numbers: list[str]
    windows: np.ndarray
    patches: np.ndarray
    each: int


class GlimpseReader(
    SequenceEstimator,
    without=(
        "bidirectional",
        "recurrent_dropout",
        "zoneout",
        "weight_drop",
    ),
):
    """A recurrent reader that moves its glance over a picture and names digits in turn.

    It sees a small part of the picture at a time, sharp only where it looks. After some
    glimpses it names a digit, and then moves on, until the number ends.

    With ``attention="soft"`` it looks through a grid of Gaussian filters, and where to
    look is learnt by gradients; with ``"reinforce"`` at patches around a place, which
    is tried at random in training and learnt from what was named right (REINFORCE,
    with a learnt baseline).

    The arguments are those of ``recurro.tasks.picture_config`` (``ReadData``,
    ``ReadNetwork``, ``ReadTraining``). ``cell`` is an object, also one of your own;
    ``out`` names a run folder, without which all stays in memory; ``overwrite`` lets it
    replace a run that is there.

    Pictures are a list of arrays ``(height, width)`` of one size, of uint8 or from 0 to
    1, or of paths; numbers a list of texts of digits, of any lengths.

    Attributes:
        longest_: Digits of the longest number in training; none is read that is longer.
        network_: The trained ``GlimpseNetwork``.
        reader_: What scales pictures.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> signs = [np.eye(8), np.ones((8, 8))]
        >>> model = GlimpseReader(hidden_size=16, batch_size=4, learning_rate=0.01)
        >>> model = model.set_params(epochs=10, held_out=0)
        >>> model = model.fit(signs * 20, ["1", "8"] * 20)
        >>> model.predict(signs)
        ['1', '8']

    References:
        Mnih et al. (2014), arXiv 1406.6247; Ba, Mnih and Kavukcuoglu (2015), arXiv
        1412.7755; Gregor et al. (2015), arXiv 1502.04623, section 3.2 (filters).
    """

    task: ClassVar[str] = "read"
    kind: ClassVar[type[TaskSettings]] = ReadSettings

    longest_: int
    seed: int

    # Pictures and numbers.

    def _items(self, X: Any) -> list[np.ndarray]:  # noqa: ANN401
        return as_pictures(X)

    def _learn_targets(self, y: Any) -> Sequences:  # noqa: ANN401
        numbers = as_numbers(y, "GlimpseReader")
        if len(numbers) > 1 and len({*numbers}) == 1:
            raise DataError(
                f"GlimpseReader: numbers must differ to be learnt, all {len(numbers)} "
                f"are {numbers[0]!r}. Check where they are read from."
            )
        self.longest_ = max(map(len, numbers), default=0)
        return self._targets(numbers)

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        """The digits of each number, with an end where it is shorter than can be."""
        numbers = as_numbers(y, "GlimpseReader")
        if not numbers:
            raise DataError("GlimpseReader: there must be a picture, got none.")
        for place, number in enumerate(numbers):
            if len(number) > self.longest_:
                raise DataError(
                    f"GlimpseReader: number {place} must have at most {self.longest_} "
                    f"digits, as the longest in training, got {number!r}. Train on "
                    "longer ones too, or leave it out."
                )
        return Sequences.of(
            [
                np.array([*map(int, number), DIGITS][: self.longest_], np.int64)
                for number in numbers
            ]
        )

    def _check_steps(self, X: Any, items: Any, targets: Sequences) -> None:  # noqa: ANN401
        """Digits are told of a whole picture."""

    def _learn_reader(
        self,
        items: Any,  # noqa: ANN401
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> PictureReader:
        return PictureReader.learn(items)

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> PictureReader:
        return PictureReader.load(run)

    def _passes(self, reader: Any, items: Any, targets: Any) -> Passes:  # noqa: ANN401
        told = Answered(reader(items), targets)
        return VariedPictures(told, self.settings.data, self.seed)

    def _batches(
        self,
        sequences: Sequences,
        targets: Sequences,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        shard: Shard | None = None,
    ) -> Iterator[Batch]:
        """Pictures whose numbers are of similar length; see ``sequence_batches``."""
        shard = shard or Shard()
        for rows in line_groups(targets.lengths, batch_size, generator=generator):
            yield sequences.batch(rows[shard.rank :: shard.world], targets)

    def _learnt(self) -> dict[str, str]:
        return {NUMBERS: json.dumps({"longest": self.longest_})}

    def _read_learnt(self, run: RunFolder) -> None:
        tree: Any = run.read_json(NUMBERS)
        try:
            self.longest_ = int(tree["longest"])
        except (KeyError, TypeError, ValueError):
            raise RunError(
                f"{run.path / NUMBERS}: must tell how many digits the longest number "
                "has, got something else. Put it back from a copy."
            ) from None

    # The network.

    def _assemble(self, settings: TaskSettings, reader: Any) -> GlimpseNetwork:  # noqa: ANN401
        model = settings.model
        assert isinstance(model, ReadNetwork)
        drawn = model.attention == "reinforce"
        window = (
            Retina(reader.shape, model.patch, model.scales)
            if drawn
            else SoftWindow(reader.shape, model.patch)
        )
        width = model.embedding_size or model.hidden_size
        recurrent = self._recurrent(width, settings)
        return GlimpseNetwork(
            Glimpse(window, width),
            recurrent,
            self._head(recurrent.output_size, model),
            glimpses=model.glimpses,
            longest=self.longest_,
            spread=model.spread if drawn else None,
            dropout=model.dropout,
        )

    def _head(self, features: int, settings: object) -> CategoricalHead:
        return CategoricalHead(features, DIGITS + 1)

    # Figures.

    def _chosen_by(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        nats = mean_loss(network, data, self._batches)
        return {"nats_per_digit": nats, **self._judge(network, data)}

    def _judge(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        assert isinstance(data.targets, Sequences)
        found = self._numbers(answers(network, data.sequences, _logits))
        return _figures(found, [number_of(ids) for ids in data.targets])

    def _numbers(self, logits: np.ndarray) -> list[str]:
        """What is read, from the scores ``(items, digits, classes)``."""
        logits = logits.copy()
        logits[:, 0, DIGITS] = -np.inf  # a number has a digit
        return [number_of(ids) for ids in logits.argmax(2)]

    def _baselines(self, train: tuple[Any, Any], valid: tuple[Any, Any]) -> Comparison:
        """The most frequent number, and that of the nearest pictures."""
        known, true = ([number_of(ids) for ids in part[1]] for part in (train, valid))
        names, counts = np.unique(known, return_counts=True)
        usual = [str(names[counts.argmax()])] * len(true)
        rows = [{"name": "most frequent number", **_figures(usual, true)}]
        for k in (1, 5):
            model = NearestPicture(k).fit(train[0], known)
            name = "nearest picture" if k == 1 else f"{k} nearest pictures"
            rows.append({"name": name, **_figures(model.predict(valid[0]), true)})
        return rows

    # Verbs.

    def predict(self, X: Any) -> list[str]:  # noqa: ANN401 (pictures)
        """The number on each picture.

        Raises:
            DataError: If a picture cannot be read.
        """
        return self._numbers(self._scores(X))

    def confidence(self, X: Any) -> np.ndarray:  # noqa: ANN401 (pictures)
        """P(the number that is read) for each picture ``(items,)``.

        Raises:
            DataError: If a picture cannot be read.
        """
        logits = self._scores(X)
        told = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
        told[:, 0, DIGITS] = -np.inf
        best, ended = told.max(2), told.argmax(2) == DIGITS
        counts = np.cumsum(np.pad(ended, ((0, 0), (1, 0)))[:, :-1], axis=1) == 0
        return np.exp((best * counts).sum(1))

    def _scores(self, X: Any) -> np.ndarray:  # noqa: ANN401 (pictures)
        """The scores of the classes of each digit ``(items, digits, classes)``."""
        network = self._fitted()
        sized = as_pictures(X, self.reader_.shape)
        return answers(network, self.reader_(sized), _logits)

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:  # noqa: ANN401
        """The share of numbers, and of their digits, that are read right.

        Raises:
            DataError: If pictures or numbers cannot be used.
        """
        self._fitted()
        return super().evaluate(as_pictures(X, self.reader_.shape), y)

    def score(self, X: Any, y: Any) -> float:  # noqa: ANN401
        """The share of pictures whose number is read right.

        Raises:
            DataError: If pictures or numbers cannot be used.
        """
        return self.evaluate(X, y)["sequence_accuracy"]

    @torch.no_grad()
    def look(self, X: Any) -> Glances:  # noqa: ANN401 (pictures)
        """Read pictures, and tell where was looked and what was seen there.

        Raises:
            DataError: If a picture cannot be read.
        """
        network: GlimpseNetwork = self._fitted()
        greys = np.stack(as_pictures(X, self.reader_.shape))
        device = next(network.parameters()).device
        given = torch.from_numpy(self.reader_(greys).values).to(device)
        seen, window = network.look(given, self.longest_), network.glimpse.window
        patches = torch.stack([window.read(given, aim) for aim in seen.aims], 1)
        windows = torch.stack([window.corners(aim) for aim in seen.aims], 1)
        numbers = self._numbers(seen.logits.transpose(0, 1).double().cpu().numpy())
        return Glances(
            *(greys, numbers, windows.cpu().numpy(), patches.cpu().numpy()),
            each=network.glimpses,
        )


def _logits(found: Any) -> Tensor:  # noqa: ANN401 (what a head gives)
    assert isinstance(found, Categorical)
    return found.logits


def number_of(ids: np.ndarray) -> str:
    """The digits before the end, if there is one.

    Args:
        ids: Digits, and 10 for the end.

    Example:
        >>> number_of(np.array([0, 7, 10, 3]))
        '07'
    """
    digits = "".join("0123456789."[digit] for digit in ids)
    return digits.split(".")[0]


def _figures(found: Sequence[str], true: Sequence[str]) -> dict[str, float]:
    """The share of numbers, and of their digits, that are read right."""
    pairs = list(zip(found, true, strict=True))
    hits = sum(a == b for f, t in pairs for a, b in zip(f, t, strict=False))
    return {
        "sequence_accuracy": float(np.mean([f == t for f, t in pairs])),
        "digit_accuracy": hits / sum(map(len, true)),
    }
