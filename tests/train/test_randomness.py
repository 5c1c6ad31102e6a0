from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from recurro.train.checkpoint import pack, unpack
from recurro.train.randomness import (
    random_state,
    seed_everything,
    set_random_state,
    unchanged_randomness,
)

CPU = torch.device("cpu")


def draw():
    numbers = [torch.rand(2).tolist(), torch.randn(1).item(), random.gauss(0, 1)]
    return [*numbers, np.random.rand(2).tolist(), np.random.randn()]  # noqa: NPY002


@pytest.fixture(autouse=True)
def _tidy():
    with unchanged_randomness(CPU):
        yield


def test_every_source_goes_on_from_a_packed_state():
    draw()
    state = unpack(pack(random_state(CPU)), "here")
    first = draw()
    set_random_state(state, CPU)
    assert draw() == first


def test_the_seed_decides_them_all():
    seed_everything(2**40 + 3)
    first = draw()
    seed_everything(2**40 + 3)
    assert draw() == first
    seed_everything(4)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_what_is_drawn_inside_does_not_show_outside_even_after_an_error():
    state = random_state(CPU)
    first = draw()
    set_random_state(state, CPU)
    with pytest.raises(ValueError, match="out"), unchanged_randomness(CPU):
        draw()
        raise ValueError("out")
    assert draw() == first
