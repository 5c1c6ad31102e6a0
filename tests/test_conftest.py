"""The checks that the tests rely on do check."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from recurro.types import Batch, Shard


def test_a_wrong_type_is_caught() -> None:
    with pytest.raises(TypeCheckError, match="rank"):
        Shard(rank="first")


def test_an_int_passes_for_a_float_and_none_for_an_optional() -> None:
    batch = Batch(torch.zeros(2, 3), torch.zeros(2, 3), lengths=None)
    assert batch.to("cpu").lengths is None


@pytest.mark.usefixtures("unchecked")
def test_unchecked_lets_a_wrong_type_through() -> None:
    assert Shard(rank="first").rank == "first"
