"""Text out of a model: a prompt in symbols, and the symbols that follow in letters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch

from recurro.data import Tokenizer
from recurro.errors import ArgumentError, VocabularyError
from recurro.generate import beam_search, sample
from recurro.types import Stepper

__all__ = ["Manner", "Speaker", "Voice", "speak"]


@dataclass(frozen=True)
class Manner:
    """How the next symbol is chosen; ``Speaker.stream`` says what each means."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beam_size: int | None = None
    seed: int | None = None


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
        seed: int | None = None,
    ) -> str:
        """Write a text that begins with a prompt; ``stream`` says how."""
        manner = Manner(temperature, top_k, top_p, beam_size, seed)
        return "".join(speak(self._voice(label), prompt, length, manner))

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
            seed: The same seed gives the same text; ``None`` a new one each time.

        Raises:
            ArgumentError: If an argument is out of its range.
            VocabularyError: If the prompt holds symbols outside the vocabulary.
        """
        manner = Manner(temperature, top_k, top_p, beam_size, seed)
        return speak(self._voice(label), prompt, length, manner)


def speak(voice: Voice, prompt: str, length: int, manner: Manner) -> Iterator[str]:
    """Begin with a prompt and go on, piece by piece.

    What stands before the text is the end of a line; a model that knows none begins
    with a symbol drawn at random.

    Args:
        voice: Who speaks.
        prompt: What the text begins with; may be empty.
        length: Symbols to add at most.
        manner: How they are chosen.

    Raises:
        ArgumentError: If an argument is out of its range.
        VocabularyError: If the prompt holds symbols outside the vocabulary.
    """
    drawing = Manner(beam_size=manner.beam_size, seed=manner.seed)
    if manner.beam_size is not None and manner != drawing:
        raise ArgumentError(
            "generate: a beam search draws nothing, got beam_size with temperature, "
            "top_k or top_p. Leave them out."
        )
    tokenizer, generator = voice.tokenizer, torch.Generator()
    if manner.seed is None:
        generator.seed()
    else:
        generator.manual_seed(manner.seed)
    said = _read(tokenizer, prompt)
    before = _before(tokenizer)
    if not (before or said):
        said = [int(torch.randint(tokenizer.size, (), generator=generator))]
    ids = torch.tensor([*before, *said], device=voice.device)
    stop = tokenizer.eos_id if tokenizer.lines else None
    following: Iterable[int]
    if manner.beam_size is None:
        following = sample(
            voice.stepper,
            ids,
            length,
            temperature=manner.temperature,
            top_k=manner.top_k,
            top_p=manner.top_p,
            generator=generator,
            stop=stop,
        )
    else:
        found = beam_search(
            voice.stepper, ids[:, None], length, beam_size=manner.beam_size, stop=stop
        )
        following = found[0][0].ids
    return tokenizer.pieces(chain(said, following))


def _read(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The ids of a prompt, all of whose symbols must be known."""
    missing = tokenizer.missing(prompt)
    if missing:
        names = ", ".join(map(repr, missing[:5])) + (", ..." if missing[5:] else "")
        raise VocabularyError(
            f"prompt: every symbol must be in the vocabulary, got {names}. Leave "
            f"{'it' if len(missing) == 1 else 'them'} out."
        )
    return tokenizer.encode(prompt).tolist()


def _before(tokenizer: Tokenizer) -> list[int]:
    """The end of the line before a text, where the vocabulary has it."""
    if tokenizer.eos_id is not None:
        return [tokenizer.eos_id]
    return [] if tokenizer.missing("\n") else tokenizer.encode("\n").tolist()
