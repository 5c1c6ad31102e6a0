"""Text, or any sequence of ids, out of a model: sampling, beam search, transcripts."""

from __future__ import annotations

from recurro.generate.beam import Found, beam_search
from recurro.generate.ctc import (
    LanguageFusion,
    Transcript,
    collapse,
    ctc_beam_search,
    ctc_greedy,
)
from recurro.generate.edits import edit_distance, token_error_rate, word_error_rate
from recurro.generate.rules import (
    Forbidden,
    Forced,
    MinLength,
    RepetitionPenalty,
    Rule,
    Written,
)
from recurro.generate.sample import probabilities, sample, sample_batch

__all__ = [
    "Forbidden",
    "Forced",
    "Found",
    "LanguageFusion",
    "MinLength",
    "RepetitionPenalty",
    "Rule",
    "Transcript",
    "Written",
    "beam_search",
    "collapse",
    "ctc_beam_search",
    "ctc_greedy",
    "edit_distance",
    "probabilities",
    "sample",
    "sample_batch",
    "token_error_rate",
    "word_error_rate",
]
