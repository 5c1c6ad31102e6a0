"""Tagged sentences in files: CoNLL-U, and columns with one word a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from recurro.data.files import atomic_write
from recurro.data.text import raw_lines, read_text
from recurro.errors import ArgumentError, DataError

__all__ = [
    "TaggedSentences",
    "read_conll",
    "read_conllu",
    "read_tagged",
    "tagged_lines",
    "write_tags",
]

Field: TypeAlias = Literal["upos", "xpos", "deprel"]
"""A field of CoNLL-U that can be a tag."""

_FIELDS: dict[Field, int] = {"upos": 3, "xpos": 4, "deprel": 7}
_WIDTH = 10
_WORD, _RANGE, _EMPTY = (
    re.compile(pattern)
    for pattern in (r"[1-9]\d*", r"([1-9]\d*)-([1-9]\d*)", r"\d+\.[1-9]\d*")
)


@dataclass(frozen=True, eq=False)
class TaggedSentences:
    """The words and tags of a file, and the file itself to write others into.

    Attributes:
        words: The words of each sentence.
        tags: The tag of each; no sentences if the file was read without tags.
        lines: The lines of the file as they are.
        places: For each sentence, the line of each word (from 0).
        column: The column of the tags; one beyond the last if there is none yet.
        separator: What stands between columns; ``None`` for any white space.
    """

    words: list[list[str]]
    tags: list[list[str]]
    lines: list[str]
    places: list[list[int]]
    column: int
    separator: str | None

    def __len__(self) -> int:
        return len(self.words)


def read_conllu(
    path: Path | str,
    *,
    field: Field = "upos",
    tagged: bool = True,
    encoding: str = "utf-8",
) -> TaggedSentences:
    r"""Read a CoNLL-U file.

    The words are the syntactic ones: of ``3-4 don't``, ``3 do``, ``4 n't`` the last two
    count. The lines of multiword tokens and of empty nodes (``8.1``) are no words; like
    comments they stay as they are when tags are written.

    Args:
        path: The file.
        field: The field to be taken as the tag.
        tagged: Whether words must have a tag, and ``tags`` is filled. ``False`` for a
            file that is to be tagged; what it has in the field is not read.
        encoding: The encoding of the file.

    Raises:
        DataError: If the file has no word, or a line is not CoNLL-U: it has not ten
            columns parted by tabs, an id is out of order, a form is empty, or a tag is
            missing; the message names the line.
        ArgumentError: If ``field`` is none of these.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.conllu")
        ...     rows = ["1-2\tdon't\t_\t_", "1\tdo\t_\tAUX", "2\tn't\t_\tPART"]
        ...     _ = file.write_text("".join(row + "\t_" * 6 + "\n" for row in rows))
        ...     sentences = read_conllu(file)
        >>> sentences.words, sentences.tags
        ([['do', "n't"]], [['AUX', 'PART']])

    References:
        Universal Dependencies, CoNLL-U format version 2,
        https://universaldependencies.org/format.html.
    """
    if field not in _FIELDS:
        raise ArgumentError(
            f"read_conllu: field must be one of {', '.join(_FIELDS)}, got {field!r}."
        )
    lines, column = _lines(path, encoding), _FIELDS[field]
    rows: list[_Row] = []
    last = 0
    for place, line in enumerate(lines):
        if not line.strip():
            last = 0
        elif not line.startswith("#"):
            fields = line.split("\t")
            if len(fields) != _WIDTH:
                raise _bad(
                    path, place, f"must have {_WIDTH} columns parted by tabs", line
                )
            if _check_id(fields[0], last, path, place):
                last = int(fields[0])
                tag = fields[column]
                if not fields[1].strip():
                    raise _bad(path, place, "must have a form", line)
                if tagged and tag in {"", "_"}:
                    what = f"must have a tag in the field {field}"
                    raise _bad(path, place, what, line)
                rows.append(_Row(place, fields[1], tag))
    return _sentences(path, lines, rows, tagged, column, "\t")


def _check_id(text: str, last: int, path: Path | str, place: int) -> bool:
    """Whether this is the id of a word, which must be the next after ``last``."""
    if _WORD.fullmatch(text):
        if int(text) != last + 1:
            raise _bad(path, place, f"must be word {last + 1} of its sentence", text)
        return True
    if joined := _RANGE.fullmatch(text):
        first, final = map(int, joined.groups())
        if first != last + 1 or final < first:
            what = f"must join words from {last + 1} on"
            raise _bad(path, place, what, text)
    elif not _EMPTY.fullmatch(text):
        raise _bad(path, place, "must start with an id such as 1, 1-2 or 1.1", text)
    return False


def read_conll(
    path: Path | str,
    *,
    word_column: int = 0,
    tag_column: int | None = 1,
    encoding: str = "utf-8",
) -> TaggedSentences:
    r"""Read a file with one word a line and its tag in another column.

    Columns are parted by tabs if the file has any in its rows, else by white space;
    lines without text, also those of tabs alone, part the sentences. A line that starts
    with ``# `` and has not the columns of the others is a comment, and
    ``-DOCSTART-`` starts a document; both are no words and stay when tags are written.

    Args:
        path: The file.
        word_column: The column of the words, from 0.
        tag_column: The column of the tags, from 0; negative ones count from the end.
            ``None`` for a file that is to be tagged: tags are then written as one
            column more.
        encoding: The encoding of the file.

    Raises:
        DataError: If the file has no word, or a row has other columns than the first,
            no such column, or nothing in it; the message names the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.conll")
        ...     _ = file.write_text("Ann\tB-person\nsang\tO\n\nNo\tO\n")
        ...     sentences = read_conll(file)
        >>> sentences.words, sentences.tags
        ([['Ann', 'sang'], ['No']], [['B-person', 'O'], ['O']])
    """
    lines = _lines(path, encoding)
    full = [line for line in lines if line.strip()]
    full = [line for line in full if not line.startswith("# ")]
    separator = "\t" if any("\t" in line for line in full) else None
    width = len(full[0].split(separator)) if full else 1
    tags_at = width if tag_column is None else tag_column % width
    wanted = [word_column, *([] if tag_column is None else [tag_column])]
    rows = []
    for place, line in enumerate(lines):
        fields = line.split(separator)
        if not line.strip() or fields[0] == "-DOCSTART-":
            continue
        if len(fields) != width:
            if line.startswith("# "):
                continue
            raise _bad(
                path,
                place,
                f"must have as many columns as the first row, {width}",
                line,
            )
        if not all(-width <= column < width for column in wanted):
            raise _bad(path, place, f"must have {_named(wanted, width)}", line)
        if not all(fields[column].strip() for column in wanted):
            what = f"must not be empty in {_named(wanted, width)}"
            raise _bad(path, place, what, line)
        tag = "" if tag_column is None else fields[tag_column]
        rows.append(_Row(place, fields[word_column], tag))
    return _sentences(path, lines, rows, tag_column is not None, tags_at, separator)


def _named(columns: Sequence[int], width: int) -> str:
    """Columns as a person counts them, from 1."""
    counted = [column % width if column < 0 else column for column in columns]
    return "the columns " + " and ".join(str(column + 1) for column in counted)


def read_tagged(
    path: Path | str,
    column: str | None = None,
    *,
    tagged: bool = True,
    encoding: str = "utf-8",
) -> TaggedSentences:
    r"""Read a file of tagged words: CoNLL-U by its suffix ``.conllu``, or columns.

    Args:
        path: The file.
        column: Of CoNLL-U the field of the tags, upos if ``None``; else the number of
            their column, from 1, or ``last``. ``None`` will do where there are two.
        tagged: Whether words must have a tag. ``False`` for a file that is to be
            tagged: fields of CoNLL-U are then replaced, and other files get a column
            more.
        encoding: The encoding of the file.

    Raises:
        DataError: If the file cannot be read; the message names the line.
        ArgumentError: If there is no such column, or it must be said.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.tsv")
        ...     _ = file.write_text("Ann\tNNP\tB-person\nsang\tVBD\tO\n")
        ...     read_tagged(file, "last").tags
        [['B-person', 'O']]
    """
    if Path(path).suffix == ".conllu":
        fields: dict[str, Field] = {field: field for field in _FIELDS}
        field = fields.get("upos" if column is None else column.lower())
        if field is None:
            raise ArgumentError(
                f"read: column must be {', '.join(_FIELDS)} for '{path}', got "
                f"{column!r}."
            )
        return read_conllu(path, field=field, tagged=tagged, encoding=encoding)
    if not tagged:
        return read_conll(path, tag_column=None, encoding=encoding)
    if column == "last":
        return read_conll(path, tag_column=-1, encoding=encoding)
    if column is not None and not (column.isdecimal() and int(column) > 1):
        raise ArgumentError(
            f"read: column must be a number from 2 on, or 'last', for '{path}', got "
            f"{column!r}. Name a .conllu file to read fields by name."
        )
    tag_column = 1 if column is None else int(column) - 1
    found = read_conll(path, tag_column=tag_column, encoding=encoding)
    width = len(found.lines[found.places[0][0]].split(found.separator))
    if column is None and width > 2:
        raise ArgumentError(
            f"read: column must say which of the {width} columns of '{path}' has the "
            "tags, got none. Say 2, or last."
        )
    return found


class _Row(NamedTuple):
    """A line with a word."""

    place: int
    word: str
    tag: str


def _lines(path: Path | str, encoding: str) -> list[str]:
    if Path(path).is_dir():
        raise DataError(
            f"read: '{path}' must be a file of tagged words, got a folder. Name a file."
        )
    return list(raw_lines(read_text(path, encoding=encoding)))


def _sentences(
    path: Path | str,
    lines: list[str],
    rows: list[_Row],
    tagged: bool,
    column: int,
    separator: str | None,
) -> TaggedSentences:
    """The rows, parted where a line is blank."""
    if not rows:
        raise DataError(f"read: '{path}' must hold a word, got none. Name another.")
    blanks_before = list(accumulate(not line.strip() for line in lines))
    by_sentence = groupby(rows, key=lambda row: blanks_before[row.place])
    groups = [list(group) for _, group in by_sentence]
    return TaggedSentences(
        words=[[row.word for row in group] for group in groups],
        tags=[[row.tag for row in group] for group in groups] if tagged else [],
        lines=lines,
        places=[[row.place for row in group] for group in groups],
        column=column,
        separator=separator,
    )


def write_tags(
    path: Path | str, sentences: TaggedSentences, tags: Sequence[Sequence[str]]
) -> None:
    r"""Write a file as it was read, with other tags.

    Everything else stays: comments, other columns, blank lines, the lines that are no
    words. Only the white space between columns that no tabs part becomes single blanks.
    The file is UTF-8.

    Args:
        path: The file to write.
        sentences: What `read_conllu` or `read_conll` gave.
        tags: The tags of each sentence.

    Raises:
        DataError: If the tags do not fit the sentences, one is empty or holds white
            space, or the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.conll")
        ...     _ = file.write_text("Ann\tO\nsang\tO\n")
        ...     write_tags(file, read_conll(file), [["B-person", "O"]])
        ...     file.read_text()
        'Ann\tB-person\nsang\tO\n'
    """
    lines = tagged_lines(sentences, tags)
    with atomic_write(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def tagged_lines(
    sentences: TaggedSentences, tags: Sequence[Sequence[str]]
) -> list[str]:
    """The lines that `write_tags` writes.

    Raises:
        DataError: If the tags do not fit the sentences, one is empty or holds white
            space.
    """
    if [*map(len, tags)] != [*map(len, sentences.words)]:
        raise DataError(
            f"write_tags: there must be a tag for each word of {len(sentences)} "
            f"sentences, got those of {len(tags)}. Predict the words of the same file."
        )
    lines, separator = list(sentences.lines), sentences.separator
    for places, new in zip(sentences.places, tags, strict=True):
        for place, tag in zip(places, new, strict=True):
            if not tag or tag.split() != [tag]:
                raise DataError(
                    f"write_tags: a tag must be one word, got {tag!r} for line "
                    f"{place + 1}. Name the tag otherwise."
                )
            fields = lines[place].split(separator)
            fields[sentences.column : sentences.column + 1] = [tag]
            lines[place] = (separator or " ").join(fields)
    return lines


def _bad(path: Path | str, place: int, must: str, got: str) -> DataError:
    return DataError(
        f"read: line {place + 1} of '{path}' {must}, got {got[:60]!r}. Mend the line."
    )
