"""Which files a path, a folder or a pattern means, and writing a file all or not."""

from __future__ import annotations

import glob
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from recurro.errors import DataError

Paths: TypeAlias = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern such as ``books/*.txt``, or a list of such."""

BROKEN_ARRAYS = (
    *(OSError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged file of NumPy's arrays raises."""

_HEAD = 8192
"""Bytes at the start of a file in which a NUL means: no text (git's rule)."""


def find_files(paths: Paths) -> list[Path]:
    """List the files that a path, a folder or a pattern means, in a fixed order.

    Of a folder, every file in it and below it that looks like text is taken (names that
    start with a dot, and files with a NUL among their first 8192 bytes, are passed
    over). ``**`` in a pattern means any number of folders.

    Args:
        paths: A file, a folder, a pattern, or a list of such; a list keeps its order.

    Returns:
        The files; those of one folder or pattern are sorted by name.

    Raises:
        DataError: If there is no such file, or a folder or pattern has none.

    Example:
        >>> find_files("no-such-file.txt")
        Traceback (most recent call last):
        recurro.errors.DataError: read: no file 'no-such-file.txt'. Check the path.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    if not paths or "" in paths:
        raise DataError("read: needs the path of a file, got none. Name a file.")
    try:
        return [file for path in paths for file in _expand(Path(path))]
    except OSError as error:  # a name too long, a folder that may not be entered
        raise DataError(
            f"read: '{str(error.filename)[:80]}' cannot be used as a path: "
            f"{error.strerror}. Check the path."
        ) from error


def _expand(path: Path) -> list[Path]:
    """The files that one path means."""
    if path.is_file():
        return [path]
    if path.is_dir():
        if files := [file for file in _walk(path) if _looks_like_text(file)]:
            return files
        raise DataError(f"read: folder '{path}' holds no text file. Name another one.")
    if glob.has_magic(str(path)):
        # Not pathlib's glob: that one enters hidden folders.
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207
        if files := sorted(Path(name) for name in found if Path(name).is_file()):
            return files
        raise DataError(f"read: no file matches '{path}'. Check the pattern.")
    what = "not a regular file" if path.exists() else "no file"
    raise DataError(f"read: {what} '{path}'. Check the path.")


def _walk(folder: Path) -> list[Path]:
    """Every file below a folder whose path holds no hidden name, sorted."""
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(file for file in files if file.is_file())


def _looks_like_text(file: Path) -> bool:
    """Whether the start of a file holds no NUL; an unreadable file fails later."""
    try:
        with file.open("rb") as stream:
            return b"\0" not in stream.read(_HEAD)
    except OSError:
        return True


@contextmanager
def atomic_write(path: Path | str) -> Iterator[BinaryIO]:
    """Write a file so that it is there whole or not at all.

    The bytes go to ``<name>.part`` beside it, reach the disk, and only then take the
    name; if anything fails, the old file stays and the part is removed.

    Args:
        path: The file to write; its folder must be there.

    Raises:
        DataError: If the system refuses (a full disk, no permission).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder, "a.txt")) as file:
        ...         _ = file.write(b"whole")
        ...     Path(folder, "a.txt").read_text()
        'whole'
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(
            f"write: '{path}' cannot be written: {error.strerror or error}. Make room "
            "or choose another folder; the old file, if any, is untouched."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename inside a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
