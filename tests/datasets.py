"""Where the real data sets of the tests are; a test without its data is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def dataset(name: str) -> Path:
    """The path of a file or folder such as ``tinyshakespeare/input.txt``.

    Looked for in the folder that the environment variable ``RECURRO_DATA`` names, or,
    where it is not set, in ``../shared/data`` beside the repository. Skips the test
    that asks if there is no such file.
    """
    folder = os.environ.get("RECURRO_DATA")
    root = Path(folder) if folder else REPOSITORY.parent / "shared" / "data"
    path = root / name
    if not path.exists():
        pytest.skip(f"needs the data set {name} (set RECURRO_DATA to its folder)")
    return path
