"""Folders in which the place of a file tells the class of what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recurro.data.tables import TABLES
from recurro.errors import DataError

__all__ = ["FolderFiles", "files_of"]


@dataclass(frozen=True)
class FolderFiles:
    """The files of a folder, by what they are.

    Attributes:
        lines: Texts in the folder itself, each of a class, an item a line.
        texts: Texts in the folders in it, each an item.
        tables: Tables, wherever.
        others: What is neither.
    """

    lines: list[Path]
    texts: list[Path]
    tables: list[Path]
    others: list[Path]


def files_of(folder: Path) -> FolderFiles:
    """What is in a folder and in the folders in it, but for what is hidden.

    Args:
        folder: The folder.

    Raises:
        DataError: If its files are of several kinds, or there is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "French.txt").write_text("Dubois")
        ...     [file.name for file in files_of(Path(folder)).lines]
        ['French.txt']
    """
    files = [
        file
        for file in sorted([*folder.glob("[!.]*"), *folder.glob("[!.]*/[!.]*")])
        if file.is_file()
    ]
    lines = [i for i in files if i.suffix == ".txt" and i.parent == folder]
    texts = [i for i in files if i.suffix == ".txt" and i.parent != folder]
    tables = [i for i in files if i.suffix.lower() in TABLES]
    others = [i for i in files if i not in {*lines, *texts, *tables}]
    found = [i for i in (lines, texts, tables) if i]
    if len(found) != 1:
        what = " and ".join(f"'{i[0].relative_to(folder)}'" for i in found) or "none"
        raise DataError(
            f"read: folder '{folder}' must hold files of one kind: <Class>.txt with an "
            "item a line, or <Class>/<name> with a text (.txt) or the steps of a "
            f"series ({', '.join(TABLES)}), got {what}. Put other files elsewhere."
        )
    return FolderFiles(lines, texts, tables, others)
