"""Text, or any sequence of ids, out of a model: sampling and beam search."""

from __future__ import annotations

from recurro.generate.beam import Found, beam_search
from recurro.generate.sample import probabilities, sample, sample_batch

__all__ = ["Found", "beam_search", "probabilities", "sample", "sample_batch"]
