"""What every test shares: checked shapes, few threads, fixed seeds, a small text."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import config, install_import_hook

from tests.checks import check

# Every annotation of the package is checked as tests run, shapes included. This must
# stand before the first import of recurro.
install_import_hook("recurro", f"{check.__module__}.{check.__name__}")

# Hypothesis draws the same cases each time, so that the gate gives one answer, and no
# time limit for a case, as machines are shared. Look for new ones by
# pytest --hypothesis-profile=default --hypothesis-seed=random.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.load_profile("gate")

# One thread per process, as tests run side by side; also in the processes they start.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RECURRO_COMPILE", "0")  # test_cpu names the backend


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a GPU")


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start every test from the same random numbers, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (for libraries that read the global state)
    torch.manual_seed(0)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Let values of the wrong type through, to meet the package's own errors."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def tiny_text() -> str:
    """About 6,000 characters that a small model learns in seconds."""
    lines = [
        "the sun is up and the sea is blue",
        "a small boat goes out to the sea",
        "the wind is cold and the day is new",
        "we row and sing, just you and me",
    ]
    return "\n".join(lines * 45) + "\n"
