"""From what a person gives (a text, files, items) to the corpora of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from recurro.data import (
    Corpus,
    TextFilter,
    Tokenizer,
    build_corpus,
    count_text,
    cut_text,
    is_test,
    read_lines,
    read_text,
    split_lines,
    tail_start,
)
from recurro.data.text import Progress
from recurro.errors import ArgumentError
from recurro.tasks.config import DataSettings

__all__ = [
    "Corpora",
    "Text",
    "blocks_of",
    "build_corpora",
    "corpus_of",
    "open_corpora",
    "paths_of",
]

Text: TypeAlias = str | Path | Sequence[str] | Sequence[Path]
"""A text itself, a file (folder, pattern) or several as ``Path``, or items."""

Blocks: TypeAlias = Callable[[], Iterator[str]]
"""A text that can be read again and again, block by block (items one by one)."""


@dataclass(frozen=True)
class Corpora:
    """What a language model learns from and what it chooses on.

    Attributes:
        tokenizer: The vocabulary, learnt from the training part.
        train: The training part.
        valid: The part held out for choices.
    """

    tokenizer: Tokenizer
    train: Corpus
    valid: Corpus


def blocks_of(
    text: Text, settings: DataSettings, progress: Progress | None = None
) -> Blocks:
    r"""How to read a text: what it is, filtered as the settings say.

    Args:
        text: A text itself, paths as ``Path`` objects, or items.
        settings: Encoding, filters, and whether lines are items.
        progress: Called with the bytes read and their total, for files.

    Raises:
        ArgumentError: If a text is the name of a file, or items are given for running
            text.

    Example:
        >>> list(blocks_of("Ann\nBob", DataSettings(lines=True, lower=True))())
        ['ann', 'bob']
    """
    chosen = TextFilter(
        settings.lower, settings.strip_accents, settings.drop_control, settings.alphabet
    )
    text_filter = None if chosen == TextFilter() else chosen
    if isinstance(text, Path):
        text = [text]
    if isinstance(text, str):
        return _blocks_of_text(text, settings.lines, chosen)
    paths = [item for item in text if isinstance(item, Path)]
    if paths and len(paths) == len(text):
        read = read_lines if settings.lines else read_text
        encoding = settings.encoding
        return lambda: read(
            paths, encoding=encoding, text_filter=text_filter, progress=progress
        )
    items = [item for item in text if isinstance(item, str)]
    if len(items) != len(text) or not settings.lines:
        raise ArgumentError(
            "text: must be a text, Path objects or, with lines=True, a list of items, "
            f"got {type(text).__name__} of {type(next(iter(text), None)).__name__}. "
            "Join pieces of running text to one string."
        )
    return lambda: filter(None, (chosen(item).strip() for item in items))


def _blocks_of_text(text: str, lines: bool, chosen: TextFilter) -> Blocks:
    if "\n" not in text and len(text) < 256 and Path(text).is_file():
        raise ArgumentError(
            f"text: must be the text itself, got {text!r}, the name of a file. Pass "
            f"Path({text!r}) to read the file."
        )
    if lines:
        return lambda: split_lines(chosen.apply([text]))
    return lambda: chosen.apply([text])


def paths_of(text: Text | None) -> tuple[str, ...]:
    """The names of the files that a text is read from; none of a text itself.

    Example:
        >>> paths_of(Path("a.txt")), paths_of("to be or not to be")
        (('a.txt',), ())
    """
    given = [text] if text is None or isinstance(text, str | Path) else text
    return tuple(str(item) for item in given if isinstance(item, Path))


def build_corpora(
    text: Text,
    valid: Text | None,
    settings: DataSettings,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Corpora:
    """Learn the vocabulary and turn training and validation text into token ids.

    The alphabet of a character model whose vocabulary is not cut is that of both parts,
    so that a letter that happens to come late is no error; any other vocabulary is
    learnt from the training part alone.

    Args:
        text: What to train on.
        valid: What to choose on; ``None`` holds out the last ``held_out`` of a running
            text, or the lines whose hash says so.
        settings: How texts are read and cut.
        folder: Where the ids go, memory-mapped; ``None`` keeps them in memory.
        progress: Called with the bytes read and their total, for files.

    Raises:
        DataError: If a text cannot be read or is too short to be split.
    """
    everything = blocks_of(text, settings, progress)
    if valid is not None:
        train, held = everything, blocks_of(valid, settings, progress)
    else:
        train, held = hold_out(everything, settings)
    shared = settings.tokens == "char" and not (
        settings.min_count > 1 or settings.max_size or settings.unknown
    )
    tokenizer = Tokenizer.fit(
        _both(train, held) if shared else train(),
        settings.tokens,
        lines=settings.lines,
        min_count=settings.min_count,
        max_size=settings.max_size,
        unknown=settings.unknown,
    )
    paths = (None, None) if folder is None else _paths(folder)
    return Corpora(
        tokenizer,
        build_corpus(train(), tokenizer, paths[0]),
        build_corpus(held(), tokenizer, paths[1]),
    )


def open_corpora(folder: Path, tokenizer: Tokenizer) -> Corpora:
    """The corpora that ``build_corpora`` left in a folder.

    Raises:
        DataError: If a file is missing, was changed or belongs to another vocabulary.
    """
    train, valid = (Corpus.open(path, tokenizer) for path in _paths(folder))
    return Corpora(tokenizer, train, valid)


def corpus_of(text: Text, tokenizer: Tokenizer, settings: DataSettings) -> Corpus:
    """A text as token ids, in memory.

    Raises:
        DataError: If it cannot be read or has fewer than two tokens.
        VocabularyError: If a symbol is not in the vocabulary.
    """
    return build_corpus(blocks_of(text, settings)(), tokenizer)


def hold_out(everything: Blocks, settings: DataSettings) -> tuple[Blocks, Blocks]:
    """Split a text into a training part and one held out for choices.

    Of a text too short for that, both parts are the whole, and a warning says so.
    """
    parts = _split(everything, settings)
    held = "".join(islice(parts[1](), 2))
    if len(held) > 1:
        return parts
    warnings.warn(
        "The text is too short to hold a part of it out: choices are made on the text "
        "that is trained on.",
        stacklevel=2,
    )
    return everything, everything


def _split(everything: Blocks, settings: DataSettings) -> tuple[Blocks, Blocks]:
    """The two parts, of which either may be empty."""
    if settings.lines:
        return (
            lambda: (item for item in everything() if not is_test(item)),
            lambda: (item for item in everything() if is_test(item)),
        )
    lines = settings.tokens == "word"  # never in the middle of a word
    count = count_text(everything(), lines=lines)
    start = tail_start(count, settings.held_out)
    return (
        lambda: cut_text(everything(), 0, start, lines=lines),
        lambda: cut_text(everything(), start, lines=lines),
    )


def _both(first: Blocks, second: Blocks) -> Iterator[str]:
    yield from first()
    yield from second()


def _paths(folder: Path) -> tuple[Path, Path]:
    return folder / "train.ids", folder / "valid.ids"
