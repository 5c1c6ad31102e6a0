"""A linear-chain conditional random field: whole tag sequences instead of single tags.

The forward recursion is a recurrence like any other. As a cell it would be a product
with exp(transitions), which underflows where scores are far apart; here every sum goes
over the scores themselves, in log space, step by step for the whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurro.errors import ArgumentError, DataError, ShapeError
from recurro.types import Bool, Float, Int

__all__ = ["CRF"]

FORBIDDEN = -1e4
"""The score of a transition that is not allowed: its weight is exp of it, 0. Finite, so
that no gradient is NaN where a step has forbidden transitions alone."""


class CRF(nn.Module):
    """Linear-chain conditional random field over emissions of a network.

    p(y | x) = exp(s(y)) / Z,
    s(y) = start[y_1] + sum_t emission_t[y_t] + sum_t transitions[y_{t-1}, y_t]
    + end[y_T], and Z the sum of exp(s(y')) over all tag sequences y'.

    Calling it gives the negative log-likelihood of each row, ready to be summed or
    averaged. Scores are computed in the type of the parameters at least, also under
    autocast.

    Args:
        tags: How many tags there are, at least 1.
        allowed: Which tag may follow which, row to column; the last row is the start
            of a sequence and the last column its end (see
            `recurro.data.allowed_transitions`). ``None`` allows all. What is not
            allowed has probability 0, in training and in decoding.

    Attributes:
        start, transitions, end: The learnt scores; zero at first.

    Raises:
        ArgumentError: If ``tags`` is below 1, or some tag can neither start nor follow.
        ShapeError: If ``allowed`` is not ``(tags + 1, tags + 1)``.

    Example:
        >>> crf = CRF(2)
        >>> emissions = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]]])  # 2 steps, 1 row
        >>> crf(emissions, torch.tensor([[0], [1]]))  # log(1 + e^-2) + log(1 + e^-1)
        tensor([0.4402], grad_fn=<SubBackward0>)
        >>> crf.decode(emissions).T
        tensor([[0, 1]])

    References:
        Lafferty, McCallum and Pereira (2001), Conditional random fields, section 3.
        Sutton and McCallum (2012), doi:10.1561/2200000013, equation 2.18.
    """

    allowed: Tensor | None

    def __init__(
        self, tags: int, allowed: Bool[Tensor, "from to"] | None = None
    ) -> None:
        super().__init__()
        if tags < 1:
            raise ArgumentError(
                f"CRF: tags must be an int >= 1, got {tags}. Pass the size of the set "
                "of tags."
            )
        self.start = nn.Parameter(torch.zeros(tags))
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))
        if allowed is not None:
            _check_allowed(allowed, tags)
        self.register_buffer("allowed", allowed, persistent=False)

    def extra_repr(self) -> str:
        """The number of tags, and whether some transitions are forbidden."""
        return f"{len(self.start)}" + ("" if self.allowed is None else ", allowed=...")

    def forward(
        self,
        emissions: Float[Tensor, "time batch tags"],
        tags: Int[Tensor, "time batch"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Negative log-likelihood of each row, -log p(y | x) in nats.

        Args:
            emissions: A score for each tag at each step, of any size.
            tags: The true tags; what stands after a row's length is not read.
            lengths: Steps that count in each row, each in [0, time]; all if ``None``.

        Raises:
            ShapeError: If the shapes do not fit each other.
            ArgumentError: If a tag or a length is out of its range.
            DataError: If the true tags hold a transition that is not allowed.
        """
        score = self.log_score(emissions, tags, lengths)
        return self.log_partition(emissions, lengths) - score

    def log_score(
        self,
        emissions: Float[Tensor, "time batch tags"],
        tags: Int[Tensor, "time batch"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The score s(y) of a tag sequence in each row; see `forward`."""
        emissions, active = self._read(emissions, lengths)
        if tags.shape != active.shape:
            raise ShapeError(
                f"CRF: tags must be {tuple(active.shape)} as the emissions, got "
                f"{tuple(tags.shape)}."
            )
        tags = tags.long().masked_fill(~active, 0)
        size = len(self.start)
        if tags.numel() and not 0 <= int(tags.min()) <= int(tags.max()) < size:
            raise ArgumentError(
                f"CRF: tags must be from 0 to {size - 1}, got {int(tags.min())} to "
                f"{int(tags.max())}. Leave steps out by lengths."
            )
        self._check_path(tags, active)
        some = active.any(0)
        last = tags.gather(0, active.sum(0, keepdim=True).clamp(min=1) - 1)[0]
        steps = emissions.gather(2, tags[:, :, None])[:, :, 0]
        moves = self.transitions[tags[:-1], tags[1:]]
        score = steps.where(active, 0).sum(0) + moves.where(active[1:], 0).sum(0)
        return score + (self.start[tags[0]] + self.end[last]).where(some, 0)

    def log_partition(
        self,
        emissions: Float[Tensor, "time batch tags"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Natural log of Z by the forward recursion; 0 for a row of no steps.

        alpha_t[j] = emission_t[j] + log sum_i exp(alpha_{t-1}[i] + transitions[i, j])

        References:
            Rabiner (1989), doi:10.1109/5.18626, equations 19 to 21, in log space;
            Sutton and McCallum (2012), section 4.1.
        """
        emissions, active = self._read(emissions, lengths)
        end = self._scores()[2]
        alpha = self._forward(emissions, active)[-1]
        return (alpha + end).logsumexp(-1).where(active.any(0), 0)

    def marginals(
        self,
        emissions: Float[Tensor, "time batch tags"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "time batch tags"]:
        """p(y_t | x) of each tag at each step; zero after a row's length.

        References:
            Rabiner (1989), equations 24, 25 and 27, in log space; Sutton and McCallum
            (2012), section 4.1.
        """
        emissions, active = self._read(emissions, lengths)
        _, transitions, end = self._scores()
        alpha = torch.stack(self._forward(emissions, active))
        betas = [end.expand_as(emissions[0])]
        for emission, counts in zip(
            reversed(emissions[1:]), reversed(active[1:]), strict=True
        ):
            ahead = (emission + betas[-1])[:, None, :] + transitions
            betas.append(ahead.logsumexp(2).where(counts[:, None], end))
        log_p = alpha + torch.stack(betas[::-1])
        return log_p.softmax(-1).where(active[:, :, None], 0)

    def decode(
        self,
        emissions: Float[Tensor, "time batch tags"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Int[Tensor, "time batch"]:
        """The most probable tag sequence of each row; -1 after a row's length."""
        return self.decode_best(emissions, 1, lengths)[0][0]

    @torch.no_grad()
    def decode_best(
        self,
        emissions: Float[Tensor, "time batch tags"],
        count: int,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Int[Tensor, "count time batch"], Float[Tensor, "count batch"]]:
        """The most probable tag sequences of each row, best first, by Viterbi.

        delta_t[j] = emission_t[j] + max_i (delta_{t-1}[i] + transitions[i, j]), with
        the ``count`` best i instead of one.

        Args:
            emissions: A score for each tag at each step.
            count: How many sequences, at least 1.
            lengths: Steps that count in each row, each in [0, time]; all if ``None``.

        Returns:
            The sequences, -1 after a row's length, and their log p(y | x). A row that
            has fewer sequences is filled up with -1 and a log-probability of -inf.

        Raises:
            ShapeError: If the shapes do not fit each other.
            ArgumentError: If ``count`` is below 1, a length is out of its range, or a
                row has no sequence whose transitions are all allowed.
            DataError: If an emission is NaN.

        References:
            Rabiner (1989), equations 32 to 35; Sutton and McCallum (2012), section 4.1.
        """
        if count < 1:
            raise ArgumentError(f"CRF: count must be an int >= 1, got {count}. Use 1.")
        emissions, active = self._read(emissions, lengths)
        if emissions.isnan().any():
            raise DataError(
                "CRF: emissions must be numbers, got NaN. Check the weights of the "
                "network that made them."
            )
        delta, pointers = self._best(emissions, active, count)
        scores, place = (delta + self._scores()[2]).flatten(1).topk(count, 1)
        some = active.any(0)
        scores[~some] = -torch.inf
        scores[~some, 0] = 0.0  # the one sequence of no tags
        paths = _trace_back(place, pointers, len(self.start)).permute(2, 0, 1)
        lost = scores.T.isneginf() | self._forbidden(paths, active).any(1)
        if lost[0].any():
            raise ArgumentError(
                f"CRF: each row must have a possible sequence, got none for row "
                f"{int(lost[0].nonzero()[0])}. Allow more transitions, or let more "
                "emissions be above -inf."
            )
        log_p = scores.T - self.log_partition(emissions, lengths)
        paths = paths.masked_fill(lost[:, None] | ~active, -1)
        return paths, log_p.masked_fill(lost, -torch.inf)

    def _forward(self, emissions: Tensor, active: Tensor) -> list[Tensor]:
        """alpha_t of each step, ``(batch, tags)`` each; kept after a row's length."""
        start, transitions, _ = self._scores()
        alphas = [start + emissions[0]]
        for emission, counts in zip(emissions[1:], active[1:], strict=True):
            alpha = (alphas[-1][:, :, None] + transitions).logsumexp(1) + emission
            alphas.append(alpha.where(counts[:, None], alphas[-1]))
        return alphas

    def _best(
        self, emissions: Tensor, active: Tensor, count: int
    ) -> tuple[Tensor, list[Tensor]]:
        """The last delta ``(batch, count, tags)``, and where each step came from."""
        start, transitions, _ = self._scores()
        delta = emissions.new_full((emissions.shape[1], count, len(start)), -torch.inf)
        delta[:, 0] = start + emissions[0]
        stay = torch.arange(count * len(start), device=delta.device)
        pointers = []
        for emission, counts in zip(emissions[1:], active[1:], strict=True):
            moves = (delta[..., None] + transitions).flatten(1, 2)
            best, origin = moves.topk(count, 1)  # of count * tags places
            counts = counts[:, None, None]
            delta = (best + emission[:, None]).where(counts, delta)
            pointers.append(origin.flatten(1).where(counts[:, 0], stay))
        return delta, pointers

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """start, transitions and end, with what is not allowed."""
        if self.allowed is None:
            return self.start, self.transitions, self.end
        no = ~self.allowed
        return (
            self.start.masked_fill(no[-1, :-1], FORBIDDEN),
            self.transitions.masked_fill(no[:-1, :-1], FORBIDDEN),
            self.end.masked_fill(no[:-1, -1], FORBIDDEN),
        )

    def _check_path(self, tags: Tensor, active: Tensor) -> None:
        """Refuse tags ``(time, batch)`` with a transition that is not allowed."""
        wrong = self._forbidden(tags, active)
        if wrong.any():
            step, row = wrong.nonzero()[0].tolist()
            around = ["the start", *tags[active[:, row], row].tolist(), "the end"]
            raise DataError(
                f"CRF: tags must follow each other as allowed, got {around[step]} "
                f"before {around[step + 1]} at step {step} of row {row}. Mend the "
                "tags, or allow this transition."
            )

    def _forbidden(self, tags: Tensor, active: Tensor) -> Tensor:
        """Which of the transitions ``(..., time + 1, batch)`` are not allowed."""
        edge = len(self.start)
        around = functional.pad(
            tags.masked_fill(~active, edge), (0, 0, 1, 1), value=edge
        )
        before, after = around[..., :-1, :], around[..., 1:, :]
        if self.allowed is None:
            return torch.zeros_like(before, dtype=torch.bool)
        beyond = (before == edge) & (after == edge)  # after the end
        return ~(self.allowed[before, after] | beyond)

    def _read(self, emissions: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """The emissions, in enough precision, and which steps count, as a mask."""
        size = len(self.start)
        if emissions.ndim != 3 or emissions.shape[2] != size or not len(emissions):
            raise ShapeError(
                f"CRF: emissions must be (time, batch, tags={size}) of at least one "
                f"step, got {tuple(emissions.shape)}."
            )
        time, batch, _ = emissions.shape
        emissions = emissions.to(torch.promote_types(emissions.dtype, self.start.dtype))
        if lengths is None:
            return emissions, emissions.new_ones((time, batch), dtype=torch.bool)
        if lengths.shape != (batch,) or lengths.is_floating_point():
            raise ShapeError(
                f"CRF: lengths must be whole numbers ({batch},), got "
                f"{tuple(lengths.shape)} of {lengths.dtype}."
            )
        if batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= time:
            raise ArgumentError(
                f"CRF: lengths must be in [0, {time}], got {int(lengths.min())} to "
                f"{int(lengths.max())}."
            )
        steps = torch.arange(time, device=emissions.device)
        return emissions, steps[:, None] < lengths.to(emissions.device)


def _check_allowed(allowed: Tensor, tags: int) -> None:
    if allowed.shape != (tags + 1, tags + 1):
        raise ShapeError(
            f"CRF: allowed must be ({tags + 1}, {tags + 1}) for {tags} tags and the "
            f"edge of a sequence, got {tuple(allowed.shape)}."
        )
    reached = allowed[:, :-1].any(0)
    if not reached.all():
        tag = int((~reached).nonzero()[0])
        raise ArgumentError(
            f"CRF: each tag must be allowed to start or to follow some tag, got none "
            f"for tag {tag}. Allow a transition to it, or leave the tag out."
        )


def _trace_back(place: Tensor, pointers: list[Tensor], tags: int) -> Tensor:
    """Tags ``(time, batch, count)`` of the paths that end in these places."""
    places = [place]
    for pointer in reversed(pointers):
        places.append(pointer.gather(1, places[-1]))
    return torch.stack(places[::-1]) % tags
