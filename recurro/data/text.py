"""Text from files, block by block: decoded, filtered, never whole in memory."""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from recurro.data.files import Paths, find_files
from recurro.errors import ArgumentError, DataError

Progress: TypeAlias = Callable[[int, int], object]
"""Called as ``progress(done_bytes, total_bytes)`` while files are read."""

BLOCK_SIZE = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True)
class TextFilter:
    """What is done to each character of a text before anything else sees it.

    Every character is judged on its own, so that the result does not depend on where a
    block of text ends. The newline always stays. Rare symbols are the tokenizer's
    business (``Tokenizer.fit(min_count=...)``).

    Attributes:
        lower: Turn letters into lower case.
        strip_accents: Take off accents and other marks (é becomes e).
        drop_control: Drop control characters (Unicode category Cc) but the tab.
        keep: The only characters to keep, or ``None`` for all; judged last.

    Example:
        >>> TextFilter(lower=True, strip_accents=True, keep="abcde ")("Éclair, déjà")
        'eca dea'
    """

    lower: bool = False
    strip_accents: bool = False
    drop_control: bool = False
    keep: str | None = None

    def __call__(self, text: str) -> str:
        """The filtered text."""
        return text.translate(_FilterTable(self))

    def apply(self, blocks: Iterable[str]) -> Iterator[str]:
        """Filter block by block; blocks of which nothing stays are left out."""
        table = _FilterTable(self)
        return filter(None, (block.translate(table) for block in blocks))

    def image(self, character: str) -> str:
        """What one character becomes: none, one or more characters."""
        if character == "\n":
            return character
        if self.drop_control and character != "\t":
            character = "" if unicodedata.category(character) == "Cc" else character
        if self.strip_accents:
            parts = unicodedata.normalize("NFD", character)
            plain = "".join(c for c in parts if unicodedata.category(c) != "Mn")
            character = unicodedata.normalize("NFC", plain)
        if self.lower:
            character = character.lower()
        if self.keep is not None:
            character = "".join(c for c in character if c in self.keep)
        return character


class _FilterTable(dict[int, str]):
    """The filter as ``str.translate`` wants it, filled as characters turn up."""

    def __init__(self, text_filter: TextFilter) -> None:
        self.filter = text_filter

    def __missing__(self, code: int) -> str:
        self[code] = image = self.filter.image(chr(code))
        return image


def read_text(
    paths: Paths,
    *,
    encoding: str = "utf-8",
    text_filter: TextFilter | None = None,
    progress: Progress | None = None,
) -> Iterator[str]:
    r"""Read running text block by block.

    A byte-order mark is taken off and every line end becomes ``\n``. Where a file does
    not end its last line and another file follows, the line is ended between them.

    Args:
        paths: A file, a folder, a pattern such as ``src/**/*.py``, or a list of such.
        encoding: The encoding of the files, by Python's names.
        text_filter: What to do to each character.
        progress: Called as ``progress(done_bytes, total_bytes)`` after each block.

    Returns:
        An iterator over pieces of text, each at most about a million characters. The
        files are looked for at the call, and read as the pieces are taken.

    Raises:
        DataError: If a file is missing, cannot be read or decoded (the message names
            the byte), or if there is no text at all.

    Example:
        >>> text = "".join(read_text(__file__))
        >>> text.startswith('\"\"\"Text from files')
        True
    """
    files = find_files(paths)
    check_encoding(encoding)
    blocks = _decoded(files, encoding, progress)
    if text_filter is not None:
        blocks = text_filter.apply(blocks)
    return _not_empty(blocks, files, text_filter)


def read_lines(
    paths: Paths,
    *,
    encoding: str = "utf-8",
    text_filter: TextFilter | None = None,
    progress: Progress | None = None,
) -> Iterator[str]:
    """Read items that stand one on a line: stripped, blank lines left out.

    Arguments and errors are those of `read_text`.
    """
    return split_lines(
        read_text(paths, encoding=encoding, text_filter=text_filter, progress=progress)
    )


def split_lines(blocks: Iterable[str]) -> Iterator[str]:
    r"""Split a text that comes in blocks into stripped lines; blank ones are left out.

    Example:
        >>> list(split_lines(["Ann\nBo", "b\n\n Cy"]))
        ['Ann', 'Bob', 'Cy']
    """
    return filter(None, map(str.strip, raw_lines(blocks)))


def raw_lines(blocks: Iterable[str]) -> Iterator[str]:
    r"""Split a text that comes in blocks into lines as they are, blank ones too.

    Example:
        >>> list(raw_lines(["Ann\nBo", "b\n\n Cy"]))
        ['Ann', 'Bob', '', ' Cy']
    """
    pending: list[str] = []
    for block in blocks:
        head, *lines = block.split("\n")
        pending.append(head)
        if lines:
            yield "".join(pending)
            pending = [lines.pop()]
            yield from lines
    if last := "".join(pending):
        yield last


def join_items(items: Iterable[str]) -> Iterator[str]:
    r"""Join items into blocks of text, each item with its newline.

    Raises:
        DataError: If an item is blank, or holds a newline itself.

    Example:
        >>> list(join_items(["Ann", "Bob"]))
        ['Ann\nBob\n']
    """
    items = iter(items)
    while group := list(islice(items, 4096)):
        for item in group:
            if "\n" in item or not item or item.isspace():
                raise DataError(
                    f"lines: an item must be text on one line, got {item[:40]!r}. "
                    "Leave out blank items and take out newlines."
                )
        yield "\n".join(group) + "\n"


def recut(blocks: Iterable[str]) -> Iterator[str]:
    """Cut a text that comes in blocks anew, so that no word is cut.

    Each piece ends right before white space. Only a stretch of more than a million
    characters without any white space is cut where a block ends.

    Example:
        >>> list(recut(["to be or n", "ot to be"]))
        ['to be or', ' not to', ' be']
    """
    rest = ""
    for block in blocks:
        text = rest + block
        head = text.rsplit(None, 1)
        cut = len(head[0]) if len(head) == 2 else 0
        if cut == 0 and len(text) > BLOCK_SIZE:
            cut = len(text)
        if cut:
            yield text[:cut]
        rest = text[cut:]
    if rest:
        yield rest


def count_text(blocks: Iterable[str], *, lines: bool = False) -> int:
    """Count the characters of a text, or its lines that are not blank.

    Example:
        >>> count_text(["to be", " or"]), count_text(["to be", " or"], lines=True)
        (8, 1)
    """
    return sum(1 for _ in split_lines(blocks)) if lines else sum(map(len, blocks))


def cut_text(
    blocks: Iterable[str], start: int, stop: int | None = None, *, lines: bool = False
) -> Iterator[str]:
    r"""Cut the part from ``start`` to before ``stop`` out of a text.

    Args:
        blocks: The text, in blocks.
        start: The first character, or line, counted from 0.
        stop: The end, or ``None`` for all the rest.
        lines: Count lines that are not blank (they come out stripped, each with its
            line end) and not characters.

    Example:
        >>> list(cut_text(["to be", " or not"], 3, 8))
        ['be', ' or']
        >>> list(cut_text(["to\nbe\n", "or\nnot"], 1, 3, lines=True))
        ['be\n', 'or\n']
    """
    if lines:
        for line in islice(split_lines(blocks), start, stop):
            yield line + "\n"
        return
    position = 0
    for block in blocks:
        if stop is not None and position >= stop:
            return
        end = None if stop is None else stop - position
        if piece := block[max(0, start - position) : end]:
            yield piece
        position += len(block)


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know or that is not one of text."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    except (LookupError, ValueError) as error:
        raise ArgumentError(
            f"read: encoding must be a text encoding that Python knows, got "
            f"{encoding!r}. Use for instance utf-8, latin-1 or utf-16."
        ) from error


def _not_empty(
    blocks: Iterator[str], files: list[Path], text_filter: TextFilter | None
) -> Iterator[str]:
    """Pass the blocks on; none at all is an error."""
    empty = True
    for block in blocks:
        empty = False
        yield block
    if empty:
        names = f"'{files[0]}'" if len(files) == 1 else f"all {len(files)} files"
        reason = "is empty" if len(files) == 1 else "are empty"
        if text_filter is not None:
            reason += f" after {text_filter}"
        raise DataError(f"read: {names} {reason}. Give a file with text in it.")


def _decoded(
    files: list[Path], encoding: str, progress: Progress | None
) -> Iterator[str]:
    """The text of all files, one after the other."""
    sizes = [file.stat().st_size for file in files]
    total = sum(sizes)
    before = 0
    open_line = False
    for file, size in zip(files, sizes, strict=True):
        if open_line and size:
            yield "\n"
        for text, position in _decode_file(file, encoding):
            if text:
                open_line = not text.endswith("\n")
                yield text
            if progress is not None:
                progress(min(before + position, total), total)
        before += size


def _decode_file(file: Path, encoding: str) -> Iterator[tuple[str, int]]:
    """The text of one file in blocks, each with the bytes read so far."""
    if codecs.lookup(encoding).name == "utf-8-sig":
        encoding = "utf-8"  # the mark is taken off below, whatever the encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    position = 0
    for data in _read_bytes(file, encoding):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as error:
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            offset = position - pending + start
            raise _undecodable(file, encoding, offset, error) from error
        if position == 0:
            text = text.removeprefix("\ufeff")
        position += len(data)
        yield newlines.decode(text, final=not data), position


def _read_bytes(file: Path, encoding: str) -> Iterator[bytes]:
    """The bytes of a file in blocks, and an empty block at its end."""
    try:
        with file.open("rb") as stream:
            while data := stream.read(BLOCK_SIZE):
                yield data
    except OSError as error:
        raise DataError(
            f"read: '{file}' cannot be read: {error.strerror or error}."
        ) from error
    yield b""


def _undecodable(
    file: Path, encoding: str, offset: int, error: UnicodeError
) -> DataError:
    """What to say of bytes that are no text in the encoding."""
    hint = "latin-1, cp1252 or utf-16"
    with file.open("rb") as stream:
        mark = stream.read(2)
        stream.seek(offset)
        found = stream.read(1)
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if mark in marks and not codecs.lookup(encoding).name.startswith("utf-16"):
        hint = "utf-16, as its first two bytes say"
    what = f"0x{found.hex()}" if found else "the end of the file"
    return DataError(
        f"read: '{file}' must be {encoding} text, got {what} at byte {offset} "
        f"({getattr(error, 'reason', error)}). Name its encoding with --encoding "
        f"(perhaps {hint})."
    )
