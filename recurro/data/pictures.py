"""Pictures in files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from recurro.errors import DataError, MissingExtraError

__all__ = ["PICTURES", "fit_picture", "need_pillow", "read_picture"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm")
"""How the names of files end that are pictures."""


def read_picture(path: Path | str, *, side: int | None = None) -> np.ndarray:
    """Read a picture.

    Args:
        path: The file.
        side: Height and width wanted, in pixels: the picture is scaled, and cut at
            both ends of its longer side. ``None`` to take it as it is.

    Returns:
        Red, green and blue ``(height, width, 3)``, uint8.

    Raises:
        DataError: If it cannot be opened.
        MissingExtraError: If pillow is not installed.

    Example:
        >>> read_picture("no-such-file.png")
        Traceback (most recent call last):
        recurro.errors.DataError: pictures: 'no-such-file.png' must be a picture that \
opens, got [Errno 2] No such file or directory. Replace it, or leave it out.
    """
    need_pillow()
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        fault = (str(error).splitlines() or ["damage"])[0].replace(f": '{path}'", "")
        raise DataError(
            f"pictures: '{path}' must be a picture that opens, got {fault[:150]}. "
            "Replace it, or leave it out."
        ) from error
    array = np.asarray(picture)
    return array if side is None else fit_picture(array, side)


def fit_picture(picture: np.ndarray, side: int) -> np.ndarray:
    """Scale a picture, and cut it at both ends of its longer side, to a square.

    Args:
        picture: ``(height, width)`` or ``(height, width, 3)``, uint8.
        side: Height and width wanted, in pixels.

    Raises:
        MissingExtraError: If pillow is not installed.

    Example:
        >>> fit_picture(np.zeros((20, 10, 3), np.uint8), 8).shape
        (8, 8, 3)
    """
    if picture.shape[:2] == (side, side):
        return picture
    need_pillow()
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.fromarray(picture), (side, side)))


def need_pillow() -> None:
    """Refuse to go on without pillow.

    Raises:
        MissingExtraError: If it is not installed.
    """
    if find_spec("PIL") is None:
        raise MissingExtraError(
            "pictures: pillow must be installed for files of pictures, and is not. pip "
            "install 'recurro[images]'."
        )
