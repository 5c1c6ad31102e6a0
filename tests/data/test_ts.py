from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurro.data import read_ts
from recurro.errors import DataError
from tests.datasets import dataset

HEAD = "# a comment\n@classLabel true run walk\n@data\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "series.ts"
    file.write_text(text)
    return file


def test_real_file() -> None:
    vowels = read_ts(dataset("japanese-vowels/JapaneseVowels_TEST.ts"))
    lengths = [len(item) for item in vowels.items]
    assert (len(lengths), min(lengths), max(lengths)) == (370, 7, 29)
    assert {item.shape[1] for item in vowels.items} == {12}
    assert vowels.labels is not None
    assert sorted(set(vowels.labels.tolist())) == list("123456789")


def test_numbers_as_targets_and_missing_values(tmp_path: Path) -> None:
    file = written(tmp_path, "@targetLabel true\n@data\n\n1,?,3:NaN,5,6:2.5\n")
    series = read_ts(file)
    assert series.labels is not None
    assert series.labels.tolist() == [2.5]
    np.testing.assert_array_equal(series.items[0], [[1, np.nan], [np.nan, 5], [3, 6]])


def test_without_labels(tmp_path: Path) -> None:
    assert read_ts(written(tmp_path, "@classLabel false\n@data\n1,2\n")).labels is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2:run\n", "must have a line @data"),
        (HEAD, "must hold a series after @data"),
        (HEAD + "1,2:fly\n", "line 4: the class .* got 'fly'"),
        (HEAD + "1,2:1:run\n", "line 4: all channels .* got 2, 1"),
        (HEAD + "1,2:run\n1:2:run\n", "line 5: must have 1 channels"),
        (HEAD + "1,x:run\n", "line 4, channel 0 must be a number, got 'x'"),
        (HEAD + "run\n", "line 4: all channels .* got none"),
        ("@timeStamps true\n@data\n", "without time stamps"),
        ("@targetLabel true\n@data\n1,2:run\n", "line 3: the target must be a number"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_ts(written(tmp_path, text))
