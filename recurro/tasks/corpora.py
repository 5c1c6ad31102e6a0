"""From what a person gives (a text, files, items) to the corpora of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from recurro.data import (
    Corpus,
    LabelledItems,
    TextFilter,
    Tokenizer,
    atomic_write,
    build_corpus,
    count_text,
    cut_text,
    is_test,
    read_lines,
    read_text,
    split_lines,
    tail_start,
)
from recurro.data.files import BROKEN_ARRAYS
from recurro.data.text import Progress
from recurro.errors import ArgumentError, DataError
from recurro.tasks.config import DataSettings
from recurro.tasks.language_task import Part

__all__ = [
    "Corpora",
    "Text",
    "blocks_of",
    "build_corpora",
    "corpus_of",
    "labelled_corpora",
    "lines_of",
    "open_corpora",
    "open_labelled",
    "paths_of",
    "text_filter",
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


def text_filter(settings: DataSettings) -> TextFilter:
    """What is done to each character before anything else sees it."""
    return TextFilter(
        settings.lower, settings.strip_accents, settings.drop_control, settings.alphabet
    )


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
    chosen = text_filter(settings)
    given = None if chosen == TextFilter() else chosen
    if isinstance(text, Path):
        text = [text]
    if isinstance(text, str):
        return _blocks_of_text(text, settings.lines, chosen)
    paths = [item for item in text if isinstance(item, Path)]
    if paths and len(paths) == len(text):
        read = read_lines if settings.lines else read_text
        encoding = settings.encoding
        return lambda: read(
            paths, encoding=encoding, text_filter=given, progress=progress
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

    The vocabulary is that of the training part alone. A character that only the other
    part has is no error where nothing is said of unknown ones: it counts as U+FFFD, and
    a warning names it.

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
    tokenizer = _tokenizer(train, held, settings)
    paths = (None, None) if folder is None else _paths(folder)
    corpora = Corpora(
        tokenizer,
        build_corpus(train(), tokenizer, paths[0]),
        build_corpus(held(), tokenizer, paths[1]),
    )
    if held is train:  # said last, so that an error stands alone
        warnings.warn(
            "The text is too short to hold a part of it out: choices are made on the "
            "text that is trained on.",
            stacklevel=2,
        )
    return corpora


def _tokenizer(train: Blocks, held: Blocks, settings: DataSettings) -> Tokenizer:
    """The vocabulary of a training part, open to what another part has besides."""
    tokenizer = Tokenizer.fit(
        train(),
        settings.tokens,
        lines=settings.lines,
        min_count=settings.min_count,
        max_size=settings.max_size,
        unknown=settings.unknown,
    )
    if settings.unknown is not None or tokenizer.unknown != "error":
        return tokenizer
    strange = tuple(dict.fromkeys(chain.from_iterable(map(tokenizer.missing, held()))))
    if not strange:
        return tokenizer
    shown = ", ".join(map(repr, strange[:5])) + (", ..." if strange[5:] else "")
    many = f"{len(strange)} symbols" if strange[1:] else "1 symbol"
    warnings.warn(
        f"The part held out has {many} that the training part lacks, {shown}: counted "
        "as unknown (U+FFFD), which is never written.",
        stacklevel=3,
    )
    return Tokenizer.fit(
        train(), settings.tokens, lines=settings.lines, unknown="replace"
    )


def labelled_corpora(
    data: LabelledItems, settings: DataSettings, folder: Path | None = None
) -> tuple[Tokenizer, Part, Part]:
    """Learn the vocabulary of items with classes; their parts for training and choices.

    A character model takes an unknown symbol for U+FFFD unless told otherwise, so that
    one strange letter is no reason not to name a class.

    Args:
        data: Items with their classes.
        settings: How they are filtered and cut.
        folder: Where ids and labels go; ``None`` keeps them in memory.
    """
    held = np.fromiter(map(is_test, data.items), bool, len(data.items))
    if not held.any():
        held = np.fromiter((is_test(i + "\n") for i in data.items), bool, len(held))
    for label in np.unique(data.labels[held]):  # each class must have some to train on
        of_class = data.labels == label
        held[of_class] &= not held[of_class].all()
    if not held.any():
        warnings.warn(
            "There are too few items to hold some out: choices are made on those that "
            "are trained on.",
            stacklevel=2,
        )
        train = valid = data
    else:
        train, valid = data.select(~held), data.select(held)
    unknown = settings.unknown or ("replace" if settings.tokens == "char" else None)
    tokenizer = Tokenizer.fit(
        train.items,
        settings.tokens,
        lines=True,
        min_count=settings.min_count,
        max_size=settings.max_size,
        unknown=unknown,
    )
    parts = []
    for name, items in (("train", train), ("valid", valid)):
        path = None if folder is None else folder / f"{name}.ids"
        corpus = build_corpus(items.items, tokenizer, path)
        if folder is not None:
            with atomic_write(folder / f"{name}.npy") as file:
                np.save(file, items.labels, allow_pickle=False)
        parts.append(Part(corpus, True, items.labels))
    return tokenizer, parts[0], parts[1]


def open_labelled(folder: Path, tokenizer: Tokenizer) -> tuple[Part, Part]:
    """The parts that ``labelled_corpora`` left in a folder.

    Raises:
        DataError: If a file is missing, was changed or belongs to another vocabulary.
    """
    parts = []
    for name in ("train", "valid"):
        corpus = Corpus.open(folder / f"{name}.ids", tokenizer)
        path = folder / f"{name}.npy"
        try:
            labels = np.load(path, allow_pickle=False)
        except BROKEN_ARRAYS as error:
            raise DataError(
                f"'{path}' must hold the classes of the items, got: {error}. Train "
                "anew in another folder."
            ) from None
        parts.append(Part(corpus, True, labels))
    return parts[0], parts[1]


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


def lines_of(text: Text, settings: DataSettings) -> list[str]:
    r"""The lines of a text that are not blank, filtered and stripped.

    Example:
        >>> lines_of("Ann \n\nBob\n", DataSettings())
        ['Ann', 'Bob']
    """
    return list(split_lines(_whole_lines(text, settings)))


def _whole_lines(text: Text, settings: DataSettings) -> Iterator[str]:
    blocks = blocks_of(text, settings)()
    return (item + "\n" for item in blocks) if settings.lines else blocks


def hold_out(everything: Blocks, settings: DataSettings) -> tuple[Blocks, Blocks]:
    """Split a text into a training part and one held out for choices.

    Of a running text the end is held out, in whole lines for words. Of lines, those
    that the hash of every split calls test; where there are none, as in the training
    part of such a split, those whose hash with a newline does. Of a text too short for
    that, both parts are the whole.
    """
    if not settings.lines:
        rules = [_tail(everything, settings)]
    else:
        rules = [_by_hash(everything, end) for end in ("", "\n")]
    for train, held in rules:
        if len("".join(islice(held(), 2))) > 1 and any(train()):
            return train, held
    return everything, everything


def _by_hash(everything: Blocks, end: str) -> tuple[Blocks, Blocks]:
    return (
        lambda: (item for item in everything() if not is_test(item + end)),
        lambda: (item for item in everything() if is_test(item + end)),
    )


def _tail(everything: Blocks, settings: DataSettings) -> tuple[Blocks, Blocks]:
    lines = settings.tokens == "word"  # never in the middle of a word
    count = count_text(everything(), lines=lines)
    start = tail_start(count, settings.held_out)
    return (
        lambda: cut_text(everything(), 0, start, lines=lines),
        lambda: cut_text(everything(), start, lines=lines),
    )


def _paths(folder: Path) -> tuple[Path, Path]:
    return folder / "train.ids", folder / "valid.ids"
