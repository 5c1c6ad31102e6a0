"""How texts are found in what a network names, with a language model on request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recurro.data import Tokenizer
from recurro.errors import ArgumentError, VocabularyError
from recurro.generate import LanguageFusion, ctc_beam_search, ctc_greedy
from recurro.tasks.language_model import LanguageModel
from recurro.tasks.ngram import NGramLanguageModel
from recurro.tasks.runs import task_of
from recurro.tasks.speak import Speaker

__all__ = ["Decoding", "language_of"]

BEAM = 16
"""Prefixes kept where a language model is given and no number."""


@dataclass(frozen=True)
class Decoding:
    """A way to find a text.

    Attributes:
        beam_size: Prefixes that a beam search keeps; ``None`` takes the likeliest path,
            or keeps 16 where there is a language model.
        language: A language model that has a say, or ``None``.
        length_bonus: Added to the score of a text for each token.

    Example:
        >>> Decoding()(np.log([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]]), blank=0)
        (1, 1)
    """

    beam_size: int | None = None
    language: LanguageFusion | None = None
    length_bonus: float = 0.0

    def __post_init__(self) -> None:
        if self.length_bonus and self.beam_size is None and self.language is None:
            raise ArgumentError(
                "SpeechRecognizer: length_bonus is for a beam search, got "
                f"{self.length_bonus} without one. Set beam_size too."
            )

    def __call__(self, log_probs: np.ndarray, blank: int) -> tuple[int, ...]:
        """The tokens of a recording, by log P at each step ``(steps, tokens)``."""
        row = torch.from_numpy(log_probs)[:, None]
        if self.beam_size is None and self.language is None:
            return ctc_greedy(row, blank=blank)[0].ids
        found = ctc_beam_search(
            row,
            beam_size=self.beam_size or BEAM,
            blank=blank,
            language_model=self.language,
            length_bonus=self.length_bonus,
        )
        return found[0][0].ids


def language_of(
    model: Speaker | Path | str, tokenizer: Tokenizer, weight: float
) -> LanguageFusion:
    """A language model in the tokens of a recogniser.

    Args:
        model: A fitted model of lines, or the run folder of one.
        tokenizer: The vocabulary of the recogniser.
        weight: How much the model counts.

    Raises:
        ArgumentError: If it is no model of lines of the same kind of tokens.
        VocabularyError: If it lacks a token.
        RunError: If the folder is no run of one.
    """
    if isinstance(model, str | Path):
        kinds = {"lm": LanguageModel, "ngram": NGramLanguageModel}
        task = task_of(model)
        if task not in kinds:
            raise ArgumentError(
                f"SpeechRecognizer: language_model must be a run of lm or ngram, got "
                f"one of {task!r}: '{model}'. Train one with: recurro train lm --lines"
            )
        speaker: Speaker = kinds[task].load(model)
    else:
        speaker = model
    voice = speaker._voice(None)
    theirs = voice.tokenizer
    if not theirs.lines or theirs.kind != tokenizer.kind:
        raise ArgumentError(
            f"SpeechRecognizer: language_model must be one of lines of tokens "
            f"{tokenizer.kind!r}, got one of {theirs.kind!r}"
            f"{'' if theirs.lines else ' of running text'}. Train one with: recurro "
            f"train lm --lines --tokens {tokenizer.kind}"
        )
    end = theirs.eos_id
    assert end is not None
    heard = [s for i, s in enumerate(tokenizer.symbols) if i != tokenizer.unk_id]
    missing = [symbol for symbol in heard if symbol not in theirs.ids]
    if missing:
        raise VocabularyError(
            f"SpeechRecognizer: language_model must know each token of the recogniser, "
            f"got one without {', '.join(map(repr, missing[:5]))}. Train it on texts "
            "that have them."
        )
    ids = tuple(theirs.ids.get(symbol, end) for symbol in tokenizer.symbols)
    return LanguageFusion(voice.stepper, end, weight, end, ids)
