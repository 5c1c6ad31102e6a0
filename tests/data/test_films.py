"""Films in files of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.data.films import read_films, write_films
from recurro.errors import DataError

FILMS = [np.arange(12.0).reshape(3, 2, 2), np.ones((1, 2, 2))]


def test_films_come_back(tmp_path):
    file = tmp_path / "films.npz"
    write_films(file, FILMS, [["a", "b", "a"], ["b"]])
    films, labels = read_films(file)
    assert labels == [["a", "b", "a"], ["b"]]
    for film, wanted in zip(films, FILMS, strict=True):
        np.testing.assert_array_equal(film, wanted)
        assert film.dtype == np.float32
    write_films(file, FILMS)
    assert read_films(file, labelled=False)[1] is None
    with pytest.raises(DataError, match="must have the array 'labels'"):
        read_films(file)


@pytest.mark.parametrize(
    ("arrays", "error"),
    [
        ({"frames": np.ones((3, 2))}, "must have the array 'lengths'"),
        ({"frames": np.ones((3, 2)), "lengths": [2]}, "add up to the 3 frames, got 2"),
        ({"frames": np.ones((3, 2)), "lengths": [1.5, 1.5]}, "must be whole numbers"),
        ({"frames": np.array(["a"]), "lengths": [1]}, "must be numbers, got <U1"),
        ({"frames": np.array([None]), "lengths": [1]}, "without pickles"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, arrays, error):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=error):
        read_films(tmp_path / "x.npz", labelled=False)


def test_no_file_of_arrays(tmp_path):
    (tmp_path / "x.npz").write_text("no zip")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04torn")
    for name in ("x.npz", "torn.npz", "none.npz"):
        with pytest.raises(DataError, match=f"{name}' must be a file of arrays"):
            read_films(tmp_path / name)
