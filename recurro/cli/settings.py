"""Settings of a run, gathered: preset < file < environment < --set < flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from recurro.cli.words import cell_named
from recurro.errors import ConfigError
from recurro.tasks.config import SECTIONS, LanguageSettings
from recurro.tasks.layers import from_assignments, from_environment, from_file, merge
from recurro.tasks.presets import PRESETS

__all__ = ["gather"]

_OWNER = {key: name for name, kind in SECTIONS.items() for key in kind.model_fields}
"""The section of each setting; no two have a setting of the same name."""

_TOP = ("recurro", "task", "separate", "ngrams")
"""Keys of a settings file that stand in no section."""


def gather(
    flags: Mapping[str, Any],
    *,
    preset: str | None = None,
    file: Path | None = None,
    assignments: Sequence[str] = (),
) -> LanguageSettings:
    """The settings that a command line asks for.

    Args:
        flags: Settings by name, as given; the strongest.
        preset: A name of ``PRESETS``; without one, what suits the symbols.
        file: A YAML file, such as the ``config.yaml`` of another run.
        assignments: Words ``section.key=value``.

    Raises:
        ConfigError: If a key is unknown, naming the nearest, or a value is wrong.
    """
    over = (
        cell_named(from_file(file)) if file else {},
        cell_named(from_environment(os.environ, SECTIONS)),
        cell_named(from_assignments(assignments)),
        cell_named(_by_section(flags)),
    )
    return LanguageSettings(**merge(_preset(preset, merge(*over)), *over))


def _by_section(flags: Mapping[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = {}
    for key, value in flags.items():
        if key in _TOP:
            layer[key] = value
        else:
            layer.setdefault(_OWNER[key], {})[key] = value
    if "by_class" in flags:
        layer["task"] = "by-class"
    return layer


def _preset(name: str | None, over: Mapping[str, Any]) -> dict[str, Any]:
    if name is None:
        data = over.get("data")
        name = _suitable(data if isinstance(data, dict) else {})
    if name not in PRESETS:
        close = get_close_matches(name, PRESETS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(
            f"--preset: must be one of {', '.join(PRESETS)}, got {name!r}.{hint}"
        )
    return PRESETS[name]


def _suitable(data: Mapping[str, Any]) -> str:
    """The preset for the kind of text, where none is named."""
    if data.get("lines") or data.get("by_class"):
        return "names"
    tokens = str(data.get("tokens", "char"))
    return "word" if tokens.startswith(("word", "bpe")) else "char"
