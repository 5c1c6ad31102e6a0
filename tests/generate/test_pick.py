"""The likeliest ids of many rows, by blocks and by parts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.generate.pick import pick, top


@given(st.integers(1, 4), st.integers(1, 3000), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_top_of_blocks_is_that_of_the_row(
    rows: int, n: int, k: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Numbers that come twice are as likely as any.
    values = torch.randint(0, 2 * n, (rows, n), generator=generator).float()
    k = min(k, n)
    best, places = top(values, k)
    assert torch.equal(best, values.topk(k).values)
    assert torch.equal(values.gather(1, places), best)
    assert all(len(set(row)) == k for row in places.tolist())


def test_what_is_infinite_or_no_number_comes_as_by_topk() -> None:
    values = torch.full((1, 2050), -torch.inf)
    values[0, [7, 2049]] = torch.tensor([1.0, 2.0])
    assert top(values, 2)[1].tolist() == [[2049, 7]]
    values[0, 1234] = torch.nan
    assert top(values, 1)[0].isnan().all()


@pytest.mark.parametrize("ruled", [False, True])
def test_parts_are_as_the_whole(ruled: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(300, 50, generator=generator).log_softmax(-1)
    asked = []

    def tell(rows: slice) -> torch.Tensor:
        asked.append(len(table[rows]))
        return table[rows]

    def rule(log_probs: torch.Tensor, rows: slice) -> torch.Tensor:
        halved = log_probs.clone()
        halved[:, 3] = -torch.inf
        return halved

    one = rule if ruled else None
    whole, parts = (
        pick(tell, 300, 6, rule=one, stop=3, apart=apart) for apart in (False, True)
    )
    assert asked[0] == 300
    assert max(asked[1:]) < 300
    for left, right in zip(whole, parts, strict=True):
        assert torch.equal(left, right)
    assert torch.equal(whole.stop[:, 1], table[:, 3])
    assert torch.equal(whole.likeliest, table.amax(-1))
    if ruled:
        assert whole.stop[:, 0].eq(-torch.inf).all()
        assert not whole.ids.eq(3).any()
