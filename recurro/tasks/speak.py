"""Text out of a model: a prompt in symbols, and the symbols that follow in letters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import torch

from recurro.data import Tokenizer
from recurro.errors import ArgumentError, VocabularyError
from recurro.generate import (
    Forbidden,
    MinLength,
    RepetitionPenalty,
    Rule,
    beam_search,
    sample,
    sample_batch,
)
from recurro.types import Stepper

__all__ = ["Manner", "Said", "Speaker", "Voice", "speak", "speak_batch"]

ROWS = 512
"""Texts at most that are written side by side."""


@dataclass(frozen=True)
class Manner:
    """How the next symbol is chosen; ``Speaker.stream`` says what each means."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beam_size: int | None = None
    min_length: int = 0
    repetition_penalty: float = 1.0
    forbid: tuple[str, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        drawing = (self.temperature, self.top_k, self.top_p) != (1.0, None, None)
        if self.beam_size is not None and drawing:
            raise ArgumentError(
                "generate: a beam search draws nothing, got beam_size with temperature,"
                " top_k or top_p. Leave them out."
            )

    def rules(self, tokenizer: Tokenizer) -> list[Rule]:
        """What may be written; never the unknown symbol.

        Raises:
            ArgumentError: If a bound has no meaning for the tokens.
            VocabularyError: If a forbidden text has symbols outside the vocabulary.
        """
        barred = [] if tokenizer.unk_id is None else [[tokenizer.unk_id]]
        barred += [_barred(tokenizer, text) for text in self.forbid]
        rules: list[Rule] = [Forbidden(barred)] if barred else []
        if self.min_length:
            if not tokenizer.lines:
                raise ArgumentError(
                    f"min_length: is for models of lines, whose texts end by "
                    f"themselves, got {self.min_length} for one of running text. Ask "
                    "for a length."
                )
            rules.append(MinLength(self.min_length))
        if self.repetition_penalty != 1:
            rules.append(RepetitionPenalty(self.repetition_penalty))
        return rules

    def generator(self, index: int = 0) -> torch.Generator:
        """The source of random numbers of a text, by its place among several."""
        generator = torch.Generator()
        if self.seed is None:
            generator.seed()
            return generator
        return generator.manual_seed(self.seed + index)


@dataclass(frozen=True)
class Said:
    """A text that a model wrote.

    Attributes:
        text: It, the prompt first.
        ended: Whether it came to its end by itself; if not, at the length.
        log_prob: Of a beam search, natural log P(text | prompt), the end included.
    """

    text: str
    ended: bool
    log_prob: float | None = None


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes:
        stepper: The model.
        tokenizer: Its vocabulary.
        device: Where it is.
    """

    stepper: Stepper
    tokenizer: Tokenizer
    device: torch.device

    @property
    def stop(self) -> int | None:
        """The id that ends a text; ``None`` of running text."""
        return self.tokenizer.eos_id if self.tokenizer.lines else None

    def opening(
        self, prompt: str, generator: torch.Generator
    ) -> tuple[list[int], list[int]]:
        """The ids that stand before a text, and those that it begins with.

        What stands before is the end of a line; a model that knows none begins with a
        symbol drawn at random.
        """
        if self.tokenizer.lines and "\n" in prompt:
            raise ArgumentError(
                f"prompt: must be the beginning of one line, got {prompt!r}. Give each "
                "line as a prompt of its own."
            )
        said, before = _read(self.tokenizer, prompt), _before(self.tokenizer)
        if not (before or said):
            size = self.tokenizer.size
            said = [int(torch.randint(size, (), generator=generator))]
        return before, said


class Speaker(ABC):
    """A model that writes text."""

    @abstractmethod
    def _voice(self, label: str | None) -> Voice:
        """The model as a decoder sees it, of a class where there are classes."""

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        label: str | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_size: int | None = None,
        min_length: int = 0,
        repetition_penalty: float = 1.0,
        forbid: Sequence[str] = (),
        seed: int | None = None,
    ) -> str:
        """Write a text that begins with a prompt; ``stream`` says how."""
        choice = (temperature, top_k, top_p, beam_size)
        manner = Manner(*choice, min_length, repetition_penalty, tuple(forbid), seed)
        return "".join(speak(self._voice(label), prompt, length, manner))

    def generate_batch(
        self,
        prompts: Sequence[str],
        length: int = 500,
        *,
        number: int = 1,
        label: str | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_size: int | None = None,
        min_length: int = 0,
        repetition_penalty: float = 1.0,
        forbid: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[list[Said]]:
        """Write several texts side by side, which is much faster than in turn.

        Args:
            prompts: What the texts begin with, of any lengths.
            length: As in ``stream``.
            number: Texts for each prompt: so many draws, or the best of a beam search,
                of which there may be fewer.
            label: As in ``stream``, and so are the others.
            temperature: See there.
            top_k: See there.
            top_p: See there.
            beam_size: See there; at least ``number``.
            min_length: See there.
            repetition_penalty: See there.
            forbid: See there.
            seed: Text i of them all, from 0, is that of ``seed + i`` alone.

        Returns:
            For each prompt its texts.

        Raises:
            ArgumentError: As ``stream``.
            VocabularyError: As ``stream``.
        """
        choice = (temperature, top_k, top_p, beam_size)
        manner = Manner(*choice, min_length, repetition_penalty, tuple(forbid), seed)
        return speak_batch(self._voice(label), prompts, length, number, manner)

    def stream(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        label: str | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_size: int | None = None,
        min_length: int = 0,
        repetition_penalty: float = 1.0,
        forbid: Sequence[str] = (),
        seed: int | None = None,
    ) -> Iterator[str]:
        """Write a text piece by piece, the prompt first.

        Args:
            prompt: What the text begins with.
            length: Symbols to add; of a model of lines at most, up to the line's end.
            label: Of a model by class, which class; ``None`` for others.
            temperature: Below 1 more likely, above 1 more surprising symbols are drawn;
                0 takes the likeliest.
            top_k: Draw among the k likeliest symbols only.
            top_p: Draw among the fewest symbols that hold this much probability.
            beam_size: Search for a likely text with this many beams; nothing is drawn.
            min_length: Of a model of lines, symbols at least after the prompt.
            repetition_penalty: Above 1, symbols that were written come less often: log
                P of each is multiplied by it (Keskar's, ``RepetitionPenalty``).
            forbid: Texts that must not be written, of any number of symbols; not for
                byte pairs, which can write one text in many ways.
            seed: The same seed gives the same text; ``None`` a new one each time.

        Raises:
            ArgumentError: If an argument is out of its range, or what is forbidden
                leaves nothing to write.
            VocabularyError: If the prompt, or what is forbidden, holds symbols outside
                the vocabulary.
        """
        choice = (temperature, top_k, top_p, beam_size)
        manner = Manner(*choice, min_length, repetition_penalty, tuple(forbid), seed)
        return speak(self._voice(label), prompt, length, manner)


def speak(voice: Voice, prompt: str, length: int, manner: Manner) -> Iterator[str]:
    """Begin with a prompt and go on, piece by piece.

    Args:
        voice: Who speaks.
        prompt: What the text begins with; may be empty.
        length: Symbols to add at most.
        manner: How they are chosen.

    Raises:
        ArgumentError: If an argument is out of its range.
        VocabularyError: If the prompt holds symbols outside the vocabulary.
    """
    if manner.beam_size is not None:
        return iter([speak_batch(voice, [prompt], length, 1, manner)[0][0].text])
    generator = manner.generator()
    before, said = voice.opening(prompt, generator)
    following = sample(
        voice.stepper,
        torch.tensor([*before, *said], device=voice.device),
        length,
        temperature=manner.temperature,
        top_k=manner.top_k,
        top_p=manner.top_p,
        generator=generator,
        stop=voice.stop,
        rules=manner.rules(voice.tokenizer),
    )
    return voice.tokenizer.pieces(chain(said, following))


def speak_batch(
    voice: Voice, prompts: Sequence[str], length: int, number: int, manner: Manner
) -> list[list[Said]]:
    """Write texts side by side; those whose prompts are equally long go together.

    Args:
        voice: Who speaks.
        prompts: What the texts begin with.
        length: Symbols to add at most.
        number: Texts for each prompt, at least 1; at most as many as beams.
        manner: How they are chosen.

    Raises:
        ArgumentError: If an argument is out of its range.
        VocabularyError: If a prompt holds symbols outside the vocabulary.
    """
    draws = _draws(number, manner)
    given = [prompt for prompt in prompts for _ in range(draws)]
    generators = [manner.generator(index) for index in range(len(given))]
    opened = [voice.opening(*pair) for pair in zip(given, generators, strict=True)]
    texts: list[list[Said]] = [[] for _ in given]
    for rows in _groups([len(said) for _, said in opened]):
        before = torch.tensor([[*opened[row][0], *opened[row][1]] for row in rows])
        sources = [generators[row] for row in rows]
        found = _written(voice, before.t().to(voice.device), length, manner, sources)
        for row, several in zip(rows, found, strict=True):
            said = opened[row][1]
            texts[row] = [
                Said(voice.tokenizer.decode([*said, *ids]), ended, log_prob)
                for ids, ended, log_prob in several[:number]
            ]
    starts = range(0, len(texts), draws)
    return [list(chain.from_iterable(texts[i : i + draws])) for i in starts]


def _draws(number: int, manner: Manner) -> int:
    """How often each prompt is gone on from; a beam search gives several at once."""
    beams = manner.beam_size
    if not isinstance(number, int) or number < 1 or number > (beams or number):
        bound = ">= 1" if beams is None else f"in 1 to beam_size={beams}"
        raise ArgumentError(
            f"generate: number must be an int {bound}, got {number!r}. Ask for at "
            "least one text, and for no more than there are beams."
        )
    return number if beams is None else 1


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of one length, at most ``ROWS`` together."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row, length in enumerate(lengths):
        groups[length].append(row)
    for rows in groups.values():
        for first in range(0, len(rows), ROWS):
            yield rows[first : first + ROWS]


_Written: TypeAlias = tuple[Sequence[int], bool, float | None]
"""Ids after a prompt, whether they came to an end, and log P where it was found."""


def _written(
    voice: Voice,
    before: torch.Tensor,
    length: int,
    manner: Manner,
    generators: Sequence[torch.Generator],
) -> list[list[_Written]]:
    """What follows prompts of one length: a draw for each, or what beams found."""
    rules, stop = manner.rules(voice.tokenizer), voice.stop
    if manner.beam_size is not None:
        found = beam_search(
            voice.stepper,
            before,
            length,
            beam_size=manner.beam_size,
            stop=stop,
            rules=rules,
        )
        return [[(o.ids, o.stopped, o.log_prob) for o in several] for several in found]
    drawn = sample_batch(
        voice.stepper,
        before,
        length,
        temperature=manner.temperature,
        top_k=manner.top_k,
        top_p=manner.top_p,
        generator=generators,
        stop=stop,
        rules=rules,
    )
    return [[(ids, len(ids) < length, None)] for ids in drawn]


def _barred(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text that must not be written."""
    if tokenizer.kind == "bpe":
        raise ArgumentError(
            f"forbid: is for tokens char, byte and word, got {text!r} for byte pairs, "
            "which can write one text in many ways. Leave it out."
        )
    ids = _read(tokenizer, text, "forbid")
    if not ids:
        raise ArgumentError(
            f"forbid: a text must have at least one symbol, got {text!r}. Leave it out."
        )
    return ids


def _read(tokenizer: Tokenizer, text: str, where: str = "prompt") -> list[int]:
    """The ids of a text, all of whose symbols must be known."""
    missing = tokenizer.missing(text)
    if missing:
        names = ", ".join(map(repr, missing[:5])) + (", ..." if missing[5:] else "")
        raise VocabularyError(
            f"{where}: every symbol must be in the vocabulary, got {names}. Leave "
            f"{'it' if len(missing) == 1 else 'them'} out."
        )
    return tokenizer.encode(text).tolist()


def _before(tokenizer: Tokenizer) -> list[int]:
    """The end of the line before a text, where the vocabulary has it."""
    if tokenizer.eos_id is not None:
        return [tokenizer.eos_id]
    return [] if tokenizer.missing("\n") else tokenizer.encode("\n").tolist()
