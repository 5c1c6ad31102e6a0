"""What the commands on tagged words do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from recurro.data import TaggedSentences, read_tagged, tagged_lines
from recurro.errors import DataError
from recurro.tasks import SequenceTagger

__all__ = ["sentences", "tagged", "to_learn", "to_score"]

Pairs = tuple[list[list[str]], list[list[str]]]
"""The words and the tags of each sentence."""


def to_learn(model: SequenceTagger, files: Sequence[Path]) -> dict[str, Any]:
    """The arguments of ``fit``: what is learnt from, chosen on and tested on."""
    words, tags = _joined([_read(model, file) for file in files])
    known = {tag for sentence in tags for tag in sentence}
    data = model.settings.data
    more = {"valid": data.valid, "test": data.test}
    return {
        "X": words,
        "y": tags,
        **{
            name: _joined([_known(_read(model, Path(file)), file, known)])
            for name, file in more.items()
            if file is not None
        },
    }


def to_score(model: SequenceTagger, files: Sequence[Path]) -> Pairs:
    """The words and the tags of some files, all tags known to the model."""
    known = set(model.classes_.tolist())
    return _joined([_known(_read(model, file), file, known) for file in files])


def tagged(
    model: SequenceTagger, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """The words of each sentence with the tags that are told."""
    words = _read(model, file, tagged=False).words
    return [
        {"words": sentence, "tags": tags}
        for sentence, tags in zip(words, model.predict(words), strict=True)
    ]


def sentences(model: SequenceTagger, file: Path) -> list[str]:
    """The lines of a file with the tags that are told."""
    found = _read(model, file, tagged=False)
    return tagged_lines(found, model.predict(found.words))


def _read(model: SequenceTagger, file: Path, *, tagged: bool = True) -> TaggedSentences:
    data = model.settings.data
    return read_tagged(file, data.column, tagged=tagged, encoding=data.encoding)


def _joined(read: Sequence[TaggedSentences]) -> Pairs:
    words = [sentence for found in read for sentence in found.words]
    return words, [sentence for found in read for sentence in found.tags]


def _known(
    found: TaggedSentences, file: Path | str, known: Collection[str]
) -> TaggedSentences:
    """The same, where all tags are known."""
    for places, tags in zip(found.places, found.tags, strict=True):
        for place, tag in zip(places, tags, strict=True):
            if tag not in known:
                raise DataError(
                    f"read: line {place + 1} of '{file}' must have one of the "
                    f"{len(known)} tags seen in training, got {tag!r}. Train with it, "
                    "or leave the sentence out."
                )
    return found
