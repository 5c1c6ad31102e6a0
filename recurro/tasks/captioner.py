"""Pictures in, descriptions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from recurro.baselines import MostFrequentText, NearestText
from recurro.data import Sequences, Tokenizer
from recurro.data.sequences import encode_texts
from recurro.errors import ArgumentError, DataError
from recurro.nn import Attention, Decoder, WordDropout
from recurro.nn.places import PlaceEncoder
from recurro.tasks.caption_config import CaptionNetwork, CaptionSettings
from recurro.tasks.caption_figures import caption_figures
from recurro.tasks.comparison import Comparison
from recurro.tasks.grades import grade_captions
from recurro.tasks.pictures import (
    FeatureReader,
    PictureReader,
    as_pictures,
    learn_pictures,
    load_pictures,
)
from recurro.tasks.readers import Items
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.sequence_runs import Examples
from recurro.tasks.vector_task import Answered, Passes
from recurro.tasks.writer import Told, Writer, texts_of
from recurro.tasks.writer_config import WriterData
from recurro.train import RunFolder

__all__ = ["Captioner", "Look"]


class Look(NamedTuple):
    """Where a captioner looked.

    Attributes:
        words: The tokens written, the end left out.
        weights: How much it looked at each place for each ``(tokens, places)``, or
            ``(tokens, rows, columns)`` where places lie in a grid.
    """

    words: tuple[str, ...]
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Pictures with one of their captions each, drawn anew in each pass.

    Attributes:
        told: The pictures.
        captions: The tokens of all captions, those of one picture after the other.
        starts: Where the captions of each picture begin ``(pictures + 1,)``.
        seed: Of what is drawn.
    """

    told: Told
    captions: Sequences
    starts: np.ndarray
    seed: int

    def __len__(self) -> int:
        """Pictures of a pass."""
        return len(self.told)

    def __call__(self, epoch: int) -> Answered:
        """The pictures with the captions of a pass."""
        draw = np.random.default_rng((self.seed, epoch))
        rows = draw.integers(self.starts[:-1], self.starts[1:])
        return replace(self.told, targets=self.captions[rows])


class Captioner(
    Writer,
    without=("images", "test", "test_images", "bidirectional", "encoder_size"),
):
    """A recurrent describer of pictures: pictures or features in, captions out.

    P(caption | picture) = prod_t softmax(V d_t + v), with d_t of a recurrence that
    reads the words before and the picture: the mean of its places in the first state,
    or at each step, or what it looks at as it writes each word (attention). A picture
    comes to places by convolutions of its own (``GridEncoder``); features, as another
    network found them, by a layer. Captions are found by a beam search.

    The arguments are those of ``recurro.tasks.caption_config``: ``CaptionData``,
    ``CaptionNetwork`` and ``CaptionTraining`` say what each means. ``cell`` is an
    object, also one of your own; ``out`` names a run folder, without which all stays in
    memory; ``overwrite`` lets it replace a run that is there.

    Pictures are a list of paths, of uint8 arrays ``(height, width)`` or ``(height,
    width, 3)``, all of one size, or of features, float arrays ``(features,)``,
    ``(places, features)`` or ``(rows, columns, features)``. ``y`` gives for each a
    caption, or a list of all that may be said; each pass of training draws one of them.
    Vocabulary and scaling are learnt from the training part alone.

    Attributes:
        tokenizer_: The vocabulary of the captions.
        network_: The trained ``WritingNetwork``.
        reader_: What reads pictures.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        shown_: The pictures and captions that were scored last in training: those to
            test on, or else those held out; ``None`` where there were neither.

    Example:
        >>> from recurro.data import draw_scenes
        >>> scenes = draw_scenes(60)
        >>> small = {"hidden_size": 16, "place_size": 8, "epochs": 6, "batch_size": 8}
        >>> model = Captioner(**small, learning_rate=0.01, warmup_steps=5)
        >>> model = model.fit(scenes.items, scenes.captions)
        >>> model.predict(scenes.items[:1])[0].split()[0]
        'a'

    References:
        Vinyals et al. (2015), arXiv:1411.4555 (first state); Xu et al. (2015),
        arXiv:1502.03044 (attention).
    """

    task: ClassVar[str] = "caption"
    kind: ClassVar[type[TaskSettings]] = CaptionSettings

    seed: int
    shown_: tuple[list[np.ndarray], list[list[str]]] | None = None

    # Pictures and captions.

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        return as_pictures(X, self.settings.data.side)

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        """All captions of each picture, a line each."""
        if y is None or isinstance(y, str):
            raise DataError(
                f"Captioner: y must give the captions of each picture, got {y!r}."
            )
        lower, parts = self.settings.data.lower, []
        for number, said in enumerate(y):
            texts = [said] if isinstance(said, str) else list(said)
            if not texts or not all(isinstance(t, str) and t.split() for t in texts):
                raise DataError(
                    f"Captioner: picture {number} must have a caption, got {said!r}. "
                    "Write it, or leave the picture out."
                )
            lines = "\n".join(" ".join(text.split()) for text in texts)
            told = lines.lower() if lower else lines
            parts.append(np.frombuffer(told.encode(), np.uint8))
        return Sequences.of(parts)

    def _learn_tokens(
        self, items: Items, texts: list[str], data: WriterData
    ) -> Tokenizer:
        return super()._learn_tokens(items, _lines(texts), data)

    def _learn_source(
        self,
        items: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> PictureReader | FeatureReader:
        return learn_pictures(items)

    def _load_reader(
        self, run: RunFolder, settings: TaskSettings
    ) -> PictureReader | FeatureReader:
        return load_pictures(run)

    def _answers(self, reader: Any, items: Items, targets: Any) -> Told:  # noqa: ANN401
        """Pictures, and of the captions of each one in turn to score the network by."""
        texts = texts_of(targets)
        several = [text.split("\n") for text in texts]
        turn = [said[row % len(said)] for row, said in enumerate(several)]
        ids = encode_texts(turn, self.tokenizer_)
        return Told(reader(items), ids, tuple(texts))

    def _passes(self, reader: Any, items: Items, targets: Any) -> Passes:  # noqa: ANN401
        told = self._answers(reader, items, targets)
        captions = encode_texts(_lines(told.texts), self.tokenizer_)
        counts = [text.count("\n") + 1 for text in told.texts]
        return _Drawn(told, captions, np.cumsum([0, *counts]), self.seed)

    def _start(self, network: Any, reader: Any, material: Examples) -> None:  # noqa: ANN401
        texts = texts_of(material.parts()[0][1])
        ids = encode_texts(_lines(texts), self.tokenizer_)
        network.head.start(torch.from_numpy(ids.values))

    # The network.

    def _encoder(  # pyright: ignore[reportIncompatibleMethodOverride] (of pictures)
        self, reader: PictureReader | FeatureReader, model: CaptionNetwork
    ) -> PlaceEncoder:
        return reader.encoder(model)[0]

    def _head(
        self,
        features: int,
        settings: Any,  # noqa: ANN401 (of the task)
        embedding: nn.Embedding | None = None,
    ) -> Decoder:
        size = settings.embedding_size or settings.hidden_size
        hidden = settings.word_dropout
        words = WordDropout(self.tokenizer_.size, size, probability=hidden)
        return super()._head(features, settings, words)

    def _attention(self, features: int, model: Any) -> Attention:  # noqa: ANN401
        units = model.attention_size if model.attention == "bahdanau" else None
        return Attention(model.attention, model.hidden_size, features, units)

    # Figures.

    def _figures(
        self, texts: Sequence[str], found: Sequence[str], items: Items
    ) -> dict[str, float]:
        return caption_figures([text.split("\n") for text in texts], found)

    def _baselines(
        self, train: tuple[Items, Any], valid: tuple[Items, Any]
    ) -> Comparison:
        """The most frequent caption, and what was said of the picture most alike."""
        said = texts_of(train[1])
        wanted = texts_of(valid[1])
        first = [text.partition("\n")[0] for text in said]
        seen, new = (self._described(part[0]) for part in (train, valid))
        usual = MostFrequentText().fit([], [(text,) for text in _lines(said)])
        told = {
            "most frequent caption": [text for (text,) in usual.predict(wanted)],
            "nearest picture": NearestText().fit(seen, first).predict(new),
        }
        return [
            {"name": name, **self._figures(wanted, texts, [])}
            for name, texts in told.items()
        ]

    def _compare(self, task: Any, material: Examples) -> Comparison:  # noqa: ANN401
        scored = material.test_parts()[1] if material.tested else material.parts()[1]
        if scored[0]:
            items: Any = scored[0]
            given = [item[0] if item.dtype == np.uint8 else item for item in items]
            self.shown_ = given, [text.split("\n") for text in texts_of(scored[1])]
        return super()._compare(task, material)

    def _described(self, items: Items) -> np.ndarray:
        """Numbers to compare items by: all pixels, or the mean of features."""
        read = self.reader_(items)
        return np.stack([part.mean(0, dtype=np.float32) for part in read])

    # Verbs.

    def grade(self, X: Any, y: Any) -> tuple[list[str], list[str]]:  # noqa: ANN401
        """The caption of each picture and its grade, by what may be said of it.

        Returns:
            Captions, and for each one of ``recurro.tasks.grades.GRADES``.

        Raises:
            DataError: If pictures or captions cannot be used.
        """
        data = self._answered(X, y)
        assert isinstance(data, Told)
        found = [
            self._text(best[0]) for best in self._found(self._fitted(), data.sequences)
        ]
        return found, grade_captions(found, [text.split("\n") for text in data.texts])

    @torch.no_grad()
    def look(self, X: Any) -> list[Look]:  # noqa: ANN401
        """Where the network looks in each picture as it writes its caption.

        Raises:
            ArgumentError: If it was trained without attention.
            DataError: If a picture cannot be read.
        """
        network = self._fitted()
        if self.settings.model.attention == "none":
            raise ArgumentError(
                "Captioner: attention must be had to see where it looks, got a network "
                "without. Train with attention=bahdanau."
            )
        sequences = self._read(X)
        device = next(network.parameters()).device
        looks = []
        for row, best in enumerate(self._found(network, sequences)):
            ids = np.append(best[0].ids, self._stop).astype(np.int64)
            batch = sequences.batch(np.array([row]), np.zeros(len(sequences)))
            memory = network.encoder(batch.to(device))
            told = torch.from_numpy(ids).to(device)
            (weights,) = network.head.weights(memory, told)
            words = tuple(
                self.tokenizer_.decode(ids[[i]]).strip() for i in range(len(ids) - 1)
            )
            seen = weights[:-1].cpu().numpy()
            grid = self._grid(network) or seen.shape[1:]
            looks.append(Look(words, seen.reshape(len(words), *grid)))
        return looks

    def _grid(self, network: Any) -> tuple[int, ...] | None:  # noqa: ANN401
        """Rows and columns of the places, if they lie in a grid."""
        if isinstance(self.reader_, PictureReader):
            return network.encoder.inputs[1].grid
        return self.reader_.grid

    def score(self, X: Any, y: Any) -> float:  # noqa: ANN401
        """The share of captions that are, word for word, among those that may be said.

        Raises:
            DataError: If pictures or captions cannot be used.
        """
        return self.evaluate(X, y)["exact_match"]


def _lines(texts: Sequence[str]) -> list[str]:
    """The captions of all pictures, one after the other."""
    return list(chain.from_iterable(text.split("\n") for text in texts))
