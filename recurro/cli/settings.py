"""Settings of a run, gathered: preset < file < environment < --set < flags."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from recurro.cli.words import cell_named
from recurro.errors import ConfigError, RecurroError, SettingError
from recurro.tasks.config import SECTIONS, CorpusSettings, LanguageSettings
from recurro.tasks.layers import from_assignments, from_environment, from_file, merge
from recurro.tasks.presets import PRESETS
from recurro.train import Settings

__all__ = ["Given", "flags_named", "in_flags", "preset_of"]

Sections: TypeAlias = Mapping[str, type[Settings]]
"""The sections of ``config.yaml`` by name; no two have a setting of the same name."""

_IN_PYTHON = re.compile(r"(?<=[\s(])(\w+)=(\.\.\.|'[^']*'|[\w.]*\w)")
"""A setting with a value as Python has it, such as ``held_out=0``."""

_TOP = ("recurro", "task", "separate", "ngrams")
"""Keys of a settings file that stand in no section."""


@dataclass(frozen=True)
class Given:
    """What a person gave, by the place where it was given.

    Attributes:
        flags: Settings by name; the strongest.
        preset: A name of ``PRESETS``; without one, what suits the symbols.
        file: A YAML file, such as the ``config.yaml`` of another run.
        assignments: Words ``section.key=value``.
        sections: The sections that there are.
    """

    flags: Mapping[str, Any]
    preset: str | None = None
    file: Path | None = None
    assignments: Sequence[str] = ()
    sections: Sections = field(default_factory=lambda: SECTIONS)

    def settings(self) -> LanguageSettings:
        """The settings that all this asks for.

        Raises:
            ConfigError: If a key is unknown, naming the nearest, or a value is wrong.
        """
        over = self.tree()
        with self.named():
            return LanguageSettings(**merge(_preset(self.preset, over), over))

    def tree(self) -> dict[str, Any]:
        """What all places but the preset ask for, as plain values.

        Raises:
            ConfigError: If a key is unknown, naming the nearest, or a value is wrong.
        """
        _check_variables(os.environ, self.sections)
        with self.named():
            return merge(*(_whole(*layer, self.sections) for layer in self._layers()))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let an error name a setting as the person did who gave it."""
        try:
            yield
        except SettingError as error:
            for layer, spelled in reversed(self._layers()):
                if place := _place(layer, error, self.sections):
                    raise ConfigError(f"{spelled(place)}: {error.fault}") from None
            raise

    def _layers(self) -> list[tuple[dict[str, Any], Callable[[str], str]]]:
        """Each layer, the strongest last, and how a person spells its keys."""
        file = from_file(self.file) if self.file else {}
        return [
            (file, lambda place: f"{self.file}: '{place}'"),
            (from_environment(os.environ, self.sections), _variable),
            (from_assignments(self.assignments), lambda place: f"--set {place}"),
            (_by_section(self.flags, self.sections), _flag),
        ]


@contextmanager
def in_flags(options: Collection[str], sections: Sections) -> Iterator[None]:
    """Let an error write settings as a person does: ``--held-out 0``, ``--set ...``.

    Args:
        options: The names of the options that there are; none where a run has been
            trained.
        sections: The sections of the settings.
    """
    owners = _owners(sections)

    def spelled(found: re.Match[str]) -> str:
        key, value = found[1], found[2].strip("'")
        if key not in owners:
            return found[0]
        if key in options:
            return _flag(key) if value == "True" else f"{_flag(key)} {value}"
        when = "" if options else " in training"
        return f"--set {owners[key]}.{key}={value}{when}"

    try:
        yield
    except RecurroError as error:
        error.args = (_IN_PYTHON.sub(spelled, str(error)),)
        raise


@contextmanager
def flags_named() -> Iterator[None]:
    """Let an error name the flag of a setting, where all settings are flags."""
    try:
        yield
    except SettingError as error:
        raise ConfigError(f"{_flag(error.key)}: {error.fault}") from None


def _owners(sections: Sections) -> dict[str, str]:
    """The section of each setting."""
    return {key: name for name, kind in sections.items() for key in kind.model_fields}


def _whole(
    layer: dict[str, Any], spelled: Callable[[str], str], sections: Sections
) -> dict[str, Any]:
    """A layer of settings whose sections are sections, and its cell a class."""
    for section in sections:
        if not isinstance(layer.get(section, {}), Mapping):
            raise ConfigError(
                f"{spelled(section)}: must be a section of settings, got "
                f"{layer[section]!r}. Write for instance train.epochs=3, or 'train: "
                "{epochs: 3}' in a file."
            )
    return cell_named(layer)


def _place(
    layer: Mapping[str, Any], error: SettingError, sections: Sections
) -> str | None:
    """Where a layer holds the setting that is wrong, such as ``train.epochs``."""
    for section, kind in sections.items():
        if error.owner in {parent.__name__ for parent in kind.__mro__}:
            values = layer.get(section)
            held = isinstance(values, Mapping) and error.key in values
            return f"{section}.{error.key}" if held else None
    return error.key if error.key in layer else None


def _flag(place: str) -> str:
    return f"--{place.rpartition('.')[2].replace('_', '-')}"


def _variable(place: str) -> str:
    return f"RECURRO_{place.replace('.', '_').upper()}"


def _check_variables(environment: Mapping[str, str], known_in: Sections) -> None:
    """Refuse variables that are nearly settings and would pass unnoticed."""
    known = {
        _variable(f"{section}.{key}"): key for key, section in _owners(known_in).items()
    }
    short = {_variable(key): name for name, key in known.items()}
    sections = tuple(_variable(f"{section}.") for section in known_in)
    for variable in environment:
        if not variable.startswith("RECURRO_") or variable.startswith(sections):
            continue
        near = get_close_matches(variable, known, n=1, cutoff=0.9)
        if meant := short.get(variable) or next(iter(near), None):
            raise ConfigError(f"{variable}: is no setting. Did you mean {meant}?")


def _by_section(flags: Mapping[str, Any], sections: Sections) -> dict[str, Any]:
    owners = _owners(sections)
    layer: dict[str, Any] = {}
    for key, value in flags.items():
        if key in _TOP:
            layer[key] = value
        else:
            layer.setdefault(owners[key], {})[key] = value
    if "by_class" in flags:
        layer["task"] = "by-class"
    return layer


def _preset(name: str | None, over: Mapping[str, Any]) -> dict[str, Any]:
    if name is None:
        data = over.get("data")
        name = _suitable(data if isinstance(data, dict) else {})
    return preset_of(name, PRESETS)


def preset_of(
    name: str | None, presets: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The preset of a name, or none.

    Raises:
        ConfigError: If there is no such preset; the nearest is named.
    """
    if name is None:
        return {}
    if name not in presets:
        close = get_close_matches(name, presets, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(
            f"--preset: must be one of {', '.join(presets)}, got {name!r}.{hint}"
        )
    return presets[name]


def _suitable(data: Mapping[str, Any]) -> str:
    """The preset for the kind of text, where none is named."""
    if data.get("lines") or data.get("by_class"):
        named = {key: data[key] for key in ("files", "syntax") if key in data}
        molecules = CorpusSettings(lines=True, **named).grammar == "smiles"
        return "molecules" if molecules else "names"
    tokens = str(data.get("tokens", "char"))
    return "word" if tokens.startswith(("word", "bpe")) else "char"
