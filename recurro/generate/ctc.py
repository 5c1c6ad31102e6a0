"""Transcripts out of frame-wise probabilities: decoding under CTC.

Connectionist temporal classification lets a network name a token or the blank in each
frame. A path of names means the tokens that are left when repeats are merged and then
blanks are taken out, and P(tokens) is the sum over all paths that mean them. The loss
is PyTorch's ``ctc_loss``; here are the ways back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recurro.errors import ArgumentError, DivergenceError, ShapeError
from recurro.types import Float, Int, State, Stepper

__all__ = ["LanguageFusion", "Transcript", "collapse", "ctc_beam_search", "ctc_greedy"]


@dataclass(frozen=True)
class Transcript:
    """What a decoder read out of the frames.

    Attributes:
        ids: The tokens, without blanks.
        log_prob: Natural log P(ids | frames) under CTC; of a greedy transcript that of
            its one path, which is a lower bound.
        score: What the search sorts by; see `ctc_beam_search`.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float


@dataclass(frozen=True)
class LanguageFusion:
    """A language model that has a say in a transcript.

    Attributes:
        stepper: The model.
        start: The id it reads before the first token.
        weight: How much its log-probabilities count, at least 0.
        stop: The id whose log-probability is added at the end, or ``None``.
        ids: The model's id of each CTC token ``(vocab,)`` (that of the blank is not
            read); ``None`` where they are the same.
    """

    stepper: Stepper
    start: int
    weight: float = 0.5
    stop: int | None = None
    ids: tuple[int, ...] | None = None


def collapse(path: Sequence[int], blank: int = 0) -> tuple[int, ...]:
    """The tokens that a path means: repeats merged, then blanks taken out.

    Args:
        path: The id of each frame.
        blank: The id of the blank.

    Example:
        >>> collapse([0, 7, 7, 0, 7, 3])
        (7, 7, 3)

    References:
        Graves et al. (2006), doi:10.1145/1143844.1143891, section 3.1 (B).
    """
    before = (None, *path)
    return tuple(a for a, b in zip(path, before, strict=False) if a not in (blank, b))


def ctc_greedy(
    log_probs: Float[Tensor, "time batch vocab"],
    lengths: Int[Tensor, " batch"] | None = None,
    *,
    blank: int = 0,
) -> list[Transcript]:
    """What the likeliest path of each row means.

    Args:
        log_probs: Natural log P of each token in each frame.
        lengths: Frames that count in each row; ``None`` is all.
        blank: The id of the blank.

    Raises:
        ShapeError: If the log-probabilities are not ``(time, batch, vocab)``, or the
            lengths do not fit.
        ArgumentError: If the blank is not in the vocabulary.
        DivergenceError: If a frame has NaN or no possible token.

    Example:
        >>> frames = torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]]).log()
        >>> ctc_greedy(frames.unsqueeze(1))[0].ids
        (1, 1)

    References:
        Graves et al. (2006), doi:10.1145/1143844.1143891, equation 4.
    """
    rows = _rows("ctc_greedy", log_probs, lengths, blank)
    found = []
    for row in rows:
        log_prob = float(row.max(1).sum()) if len(row) else 0.0
        path = row.argmax(1).tolist() if len(row) else []
        found.append(Transcript(collapse(path, blank), log_prob, log_prob))
    return found


def ctc_beam_search(
    log_probs: Float[Tensor, "time batch vocab"],
    lengths: Int[Tensor, " batch"] | None = None,
    *,
    beam_size: int = 16,
    blank: int = 0,
    language_model: LanguageFusion | None = None,
    length_bonus: float = 0.0,
) -> list[list[Transcript]]:
    """The likeliest tokens of each row, all their paths summed.

    score(y) = log P_ctc(y) + weight log P_lm(y) + length_bonus |y|

    After each frame the ``beam_size`` prefixes of the best score are kept, with the
    probabilities that their paths end in a blank or in their last token. Where
    ``beam_size`` is at least the number of prefixes there are, the sums are exact.

    Args:
        log_probs: Natural log P of each token in each frame.
        lengths: Frames that count in each row; ``None`` is all.
        beam_size: Prefixes kept, at least 1.
        blank: The id of the blank.
        language_model: A model of the tokens, or ``None``.
        length_bonus: Added for each token, as a language model favours few.

    Returns:
        For each row at most ``beam_size`` transcripts, the best score first.

    Raises:
        ShapeError: If the log-probabilities are not ``(time, batch, vocab)``, or the
            lengths do not fit.
        ArgumentError: If an argument is out of its range.
        DivergenceError: If a frame has NaN or no possible token.

    Example:
        >>> frames = torch.tensor([[0.6, 0.4], [0.6, 0.4]]).log().unsqueeze(1)
        >>> ctc_greedy(frames)[0].ids, ctc_beam_search(frames)[0][0].ids
        ((), (1,))

    References:
        Hannun et al. (2014), arXiv:1408.2873, algorithm 1, whose weights alpha and
        beta are ``weight`` and ``length_bonus``.
    """
    rows = _rows("ctc_beam_search", log_probs, lengths, blank)
    if beam_size < 1:
        raise ArgumentError(
            f"ctc_beam_search: beam_size must be an int >= 1, got {beam_size}. Use 16, "
            "or more for a wider search."
        )
    if not math.isfinite(length_bonus):
        raise ArgumentError(
            f"ctc_beam_search: length_bonus must be a finite number, got "
            f"{length_bonus}. Use 0 to let the probabilities alone decide."
        )
    size = log_probs.shape[-1]
    language = _Language(language_model, size, blank, log_probs.device)
    return [_search(row, language, beam_size, blank, length_bonus) for row in rows]


@dataclass(frozen=True)
class _Memory:
    """What the language model knows behind a prefix.

    Attributes:
        state: Its state, for several prefixes.
        row: The row of this prefix in it.
        log_probs: Weighted log P of each CTC token to come ``(vocab,)``.
        end: Weighted log P of the stop.
    """

    state: State
    row: int
    log_probs: np.ndarray
    end: float


class _Language:
    """The language model in the ids of the frames, or one that says nothing."""

    def __init__(
        self,
        fusion: LanguageFusion | None,
        size: int,
        blank: int,
        device: torch.device,
    ) -> None:
        self.fusion, self.device = fusion, device
        self.ids = tuple(range(size))
        self.silent = _Memory((), 0, np.zeros(size), 0.0)
        if fusion is None:
            return
        if not (fusion.weight >= 0 and math.isfinite(fusion.weight)):
            raise ArgumentError(
                f"LanguageFusion: weight must be a finite number >= 0, got "
                f"{fusion.weight}. Use 0.5, or choose it on held-out recordings."
            )
        if fusion.ids is not None:
            if len(fusion.ids) != size:
                raise ArgumentError(
                    f"LanguageFusion: ids must name one id for each of {size} CTC "
                    f"tokens, got {len(fusion.ids)}. Give any id for the blank."
                )
            self.ids = fusion.ids
        self.columns = np.array(self.ids)
        self.columns[blank] = 0  # never read

    def first(self) -> _Memory:
        """Behind the empty prefix."""
        if self.fusion is None:
            return self.silent
        return self._read(self.fusion.stepper.init(1), [self.fusion.start])[0]

    def after(self, parents: list[_Memory], tokens: list[int]) -> list[_Memory]:
        """Behind each prefix that goes on from a parent with a token.

        Prefixes whose parents were read together are read together again.
        """
        if self.fusion is None:
            return parents
        groups: dict[int, list[int]] = {}
        for place, parent in enumerate(parents):
            groups.setdefault(id(parent.state), []).append(place)
        found = list(parents)
        for places in groups.values():
            rows = [parents[place].row for place in places]
            rows = torch.tensor(rows, device=self.device)
            state = self.fusion.stepper.select(parents[places[0]].state, rows)
            read = self._read(state, [self.ids[tokens[place]] for place in places])
            for place, memory in zip(places, read, strict=True):
                found[place] = memory
        return found

    def _read(self, state: State, ids: list[int]) -> list[_Memory]:
        assert self.fusion is not None
        tokens = torch.tensor(ids, device=self.device)
        state, log_probs = self.fusion.stepper.step(state, tokens)
        table = log_probs.double().cpu().numpy()
        highest = max(self.columns.max(), self.fusion.stop or 0)
        if highest >= table.shape[1]:
            raise ArgumentError(
                f"LanguageFusion: the model must know id {highest}, got one of "
                f"{table.shape[1]} ids. Give its id of each token in ids."
            )
        if np.isnan(table).any():
            raise DivergenceError(
                "ctc_beam_search: the language model must give log-probabilities, got "
                "NaN. It has diverged: use an earlier checkpoint."
            )
        weight, stop = self.fusion.weight, self.fusion.stop
        if weight == 0:  # and not 0 times -inf
            table = np.zeros_like(table)
        ends = np.zeros(len(table)) if stop is None else weight * table[:, stop]
        table = weight * table[:, self.columns]
        return [_Memory(state, i, table[i], ends[i]) for i in range(len(table))]


@dataclass(frozen=True)
class _Beam:
    """The prefixes kept after a frame, with arrays ``(beam,)``.

    Attributes:
        prefixes: Their tokens.
        blank: Log P of the paths that end in a blank.
        token: Log P of the paths that end in the last token.
        prior: What language model and bonus add to the score.
        memories: What the language model knows.
    """

    prefixes: list[tuple[int, ...]]
    blank: np.ndarray
    token: np.ndarray
    prior: np.ndarray
    memories: list[_Memory]


def _search(
    row: np.ndarray, language: _Language, beam_size: int, blank: int, bonus: float
) -> list[Transcript]:
    """Decode one row of log-probabilities ``(time, vocab)``."""
    never = np.array([-math.inf])
    beam = _Beam([()], np.zeros(1), never, np.zeros(1), [language.first()])
    for frame in row:
        beam = _grow(beam, frame, language, beam_size, blank, bonus)
    totals = np.logaddexp(beam.blank, beam.token)
    ends = np.array([memory.end for memory in beam.memories])
    scores = totals + beam.prior + ends
    return [
        Transcript(beam.prefixes[k], float(totals[k]), float(scores[k]))
        for k in np.argsort(-scores, kind="stable")
        if scores[k] > -math.inf
    ]


def _grow(
    beam: _Beam,
    frame: np.ndarray,
    language: _Language,
    beam_size: int,
    blank: int,
    bonus: float,
) -> _Beam:
    """Read one frame ``(vocab,)``."""
    count, size = len(beam.prefixes), len(frame)
    last = np.array([prefix[-1] if prefix else blank for prefix in beam.prefixes])
    some = last != blank
    total = np.logaddexp(beam.blank, beam.token)
    # Each prefix stays: by a blank, or by its last token again.
    blanks = total + frame[blank]
    tokens = np.where(some, beam.token + frame[last], -math.inf)
    # Or it grows by a token; by the same as its last one only behind a blank.
    grown = total[:, None] + frame
    grown[some, last[some]] = beam.blank[some] + frame[last[some]]
    grown[:, blank] = -math.inf
    places = {prefix: k for k, prefix in enumerate(beam.prefixes)}
    for k, prefix in enumerate(beam.prefixes):  # grown into one that is kept already
        parent = places.get(prefix[:-1]) if prefix else None
        if parent is not None:
            tokens[k] = np.logaddexp(tokens[k], grown[parent, last[k]])
            grown[parent, last[k]] = -math.inf
    says = np.stack([memory.log_probs for memory in beam.memories])
    prior = beam.prior[:, None] + says + bonus
    scores = np.concatenate(
        [np.logaddexp(blanks, tokens) + beam.prior, (grown + prior).ravel()]
    )
    best = np.argsort(-scores, kind="stable")[:beam_size]
    best = best[scores[best] > -math.inf]
    stay, new = best[best < count], best[best >= count] - count
    parents, ids = new // size, new % size
    return _Beam(
        [beam.prefixes[k] for k in stay]
        + [(*beam.prefixes[k], int(c)) for k, c in zip(parents, ids, strict=True)],
        np.concatenate([blanks[stay], np.full(len(new), -math.inf)]),
        np.concatenate([tokens[stay], grown[parents, ids]]),
        np.concatenate([beam.prior[stay], prior[parents, ids]]),
        [beam.memories[k] for k in stay]
        + language.after([beam.memories[k] for k in parents], ids.tolist()),
    )


def _rows(
    where: str, log_probs: Tensor, lengths: Tensor | None, blank: int
) -> list[np.ndarray]:
    """The frames that count in each row ``(time, vocab)``, float64, checked."""
    if log_probs.ndim != 3:
        raise ShapeError(
            f"{where}: log_probs must be (time, batch, vocab), got "
            f"{tuple(log_probs.shape)}. Lay one recording in each column."
        )
    time, batch, size = log_probs.shape
    if not 0 <= blank < size:
        raise ArgumentError(
            f"{where}: blank must be an id in 0 to {size - 1}, got {blank}. Name the "
            "id that ctc_loss was given."
        )
    counts = [time] * batch if lengths is None else lengths.tolist()
    if len(counts) != batch or not all(0 <= count <= time for count in counts):
        raise ShapeError(
            f"{where}: lengths must hold a number of frames in 0 to {time} for each of "
            f"{batch} rows, got {counts[:8]}. Count frames behind all subsampling."
        )
    table = log_probs.detach().double().cpu().numpy()
    rows = [table[:count, row] for row, count in enumerate(counts)]
    for number, row in enumerate(rows):
        fine = np.isfinite(row.max(1)) & ~np.isnan(row).any(1)
        if not fine.all():
            raise DivergenceError(
                f"{where}: each frame must have a possible token and no NaN, got "
                f"another in frame {int(fine.argmin())} of row {number}. The network "
                "has diverged: use an earlier checkpoint."
            )
    return rows
