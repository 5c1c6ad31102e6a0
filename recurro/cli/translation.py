"""What the commands on tasks of sequences need of translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurro.data import TextPairs, atomic_write, read_pairs
from recurro.report.attention import attention_svg
from recurro.tasks import Translator
from recurro.tasks.sequence_runs import read_examples
from recurro.tasks.translation_figures import translation_signature

__all__ = ["draw", "lines", "signature", "to_learn", "to_score", "translated"]

PICTURE = "attention.svg"

DRAWN = 4
"""Texts whose attention is drawn."""


def to_learn(model: Translator, files: Sequence[Path]) -> dict[str, Any]:
    """The arguments of ``fit``: what is learnt from, chosen on and tested on."""
    found, data = _read(model, files), model.settings.data
    more = {"valid": data.valid, "test": data.test}
    return {
        "X": found.sources,
        "y": found.targets,
        **{
            name: to_score(model, [Path(file) for file in named])
            for name, named in more.items()
            if named
        },
    }


def to_score(
    model: Translator, files: Sequence[Path]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sources and targets."""
    found = _read(model, files)
    return found.sources, found.targets


def translated(
    model: Translator, file: Path, interval: float | None
) -> list[dict[str, Any]]:
    """Each text with all that the search kept, the best first."""
    sources = _read(model, [file], targets=False).sources
    return [
        {
            "source": source,
            "text": found[0].text,
            "candidates": [
                {"text": each.text, "log_prob": each.log_prob, "score": each.score}
                for each in found
            ],
        }
        for source, found in zip(sources, model.candidates(sources), strict=True)
    ]


def lines(model: Translator, file: Path) -> list[str]:
    """What is written of each text of a file."""
    return model.predict(_read(model, [file], targets=False).sources)


def signature(model: Translator) -> str:
    """How BLEU was reckoned."""
    return translation_signature(lower=model.settings.data.lower)


def draw(model: Translator, files: Sequence[Path] = ()) -> None:
    """Draw where attention looked, into the run folder, if there is any.

    Args:
        model: A trained translator with a run, which holds what it has learnt from.
        files: What that was read from, which may be gone.
    """
    if model.settings.model.attention == "none" or model.run_ is None:
        return
    sources: Any = read_examples(model.run_).items[:DRAWN]
    with atomic_write(model.run_.path / PICTURE) as file:
        file.write(attention_svg(model.attention_of(sources)).encode())


def _read(
    model: Translator, files: Sequence[Path], *, targets: bool = True
) -> TextPairs:
    encoding = model.settings.data.encoding
    return read_pairs(files, encoding=encoding, targets=targets)
