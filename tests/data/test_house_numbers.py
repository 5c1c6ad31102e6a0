from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from recurro.data import digit_parts, draw_house_numbers
from recurro.errors import ArgumentError


def test_no_digit_is_of_both_parts() -> None:
    parts = {
        part: {image.tobytes() for image in images}
        for part, (images, _) in digit_parts().items()
    }
    assert not parts["train"] & parts["test"]
    assert sum(len(images) for images, _ in digit_parts().values()) == len(
        load_digits().images
    )
    assert set(digit_parts()["test"][1]) == set(range(10))


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, again, other = (draw_house_numbers(20, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.images, again.images)
    assert first.numbers == again.numbers != other.numbers


def test_digits_stand_on_the_canvas_in_order() -> None:
    """Each digit is found again by its pixels, the first left of the second."""
    images, classes = digit_parts()["test"]
    drawn = draw_house_numbers(4, "test", length=2, shape=(12, 30), seed=1)
    for canvas, number in zip(drawn.images, drawn.numbers, strict=True):
        found = []
        for digit in number:
            spots = [
                (column, digit)
                for image in images[classes == int(digit)]
                for row in range(5)
                for column in range(23)
                if np.allclose(
                    np.minimum(canvas[row : row + 8, column : column + 8], image),
                    image,
                )
                and np.abs(
                    canvas[row : row + 8, column + 1 : column + 7] - image[:, 1:7]
                ).max()
                == 0
            ]
            assert spots, number
            found.append(min(spots)[0] if not found else max(spots)[0])
        assert found[0] < found[1]


def test_lengths_are_all_drawn_and_the_canvas_is_as_asked() -> None:
    drawn = draw_house_numbers(60, length=(1, 4), shape=(20, 50))
    assert {len(number) for number in drawn.numbers} == {1, 2, 3, 4}
    assert drawn.images.shape == (60, 20, 50)
    assert drawn.images.dtype == np.float32
    assert 0 == drawn.images.min() < drawn.images.max() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"length": 0},
        {"length": (3, 2)},
        {"shape": (9, 24)},
        {"shape": (16, 17)},
    ],
)
def test_what_cannot_be_drawn(wrong) -> None:
    with pytest.raises(ArgumentError, match="house numbers"):
        draw_house_numbers(**{"count": 1, **wrong})
