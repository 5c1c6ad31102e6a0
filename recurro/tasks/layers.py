"""Settings from several places, laid upon each other: the later layer wins.

A layer is a tree of plain values, ``{"train": {"epochs": 3}}``. Files, environment
variables and ``a.b=c`` assignments are read into that one form, so that which wins is
decided by one function, :func:`merge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from recurro.errors import ConfigError

__all__ = ["Layer", "from_assignments", "from_environment", "from_file", "merge"]

Layer = dict[str, Any]


def merge(*layers: Mapping[str, Any]) -> Layer:
    """Lay settings upon each other; in each branch the last word counts.

    A branch that gives another ``name`` (another cell) hides the branch below it whole,
    as the other's settings would mean nothing to it.

    Args:
        layers: Trees of settings, the weakest first.

    Example:
        >>> merge({"train": {"epochs": 3, "seed": 0}}, {"train": {"epochs": 5}})
        {'train': {'epochs': 5, 'seed': 0}}
    """
    merged: Layer = {}
    for layer in reversed(layers):  # from the top, so that what is hidden stays hidden
        merged = _lay(layer, merged)
    return merged


def _lay(below: Mapping[str, Any], above: Mapping[str, Any]) -> Layer:
    """Two layers as one."""
    names = (below.get("name"), above.get("name"))
    if None not in names and names[0] != names[1]:
        return dict(above)
    laid = {**below, **above}
    for key, value in below.items():
        upper = above.get(key, {})
        if isinstance(value, Mapping) and isinstance(upper, Mapping):
            laid[key] = _lay(value, upper)
    return laid


def from_file(path: Path) -> Layer:
    """The settings of a YAML file.

    Args:
        path: The file.

    Raises:
        ConfigError: If it is missing, is not YAML or holds no tree of settings.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: a settings file must exist, got none. Check the path."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{path}: must be YAML, got: {why}. Correct it.") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path}: must hold sections such as 'train:', got {type(tree).__name__}."
            " Write one setting per line under its section."
        )
    return tree


def from_assignments(assignments: Iterable[str]) -> Layer:
    """The settings of ``section.key=value`` words; a value is read as YAML.

    Args:
        assignments: Words such as ``train.epochs=3``.

    Raises:
        ConfigError: If a word has not that form.

    Example:
        >>> from_assignments(["train.epochs=3", "model.cell.name=GRU"])
        {'train': {'epochs': 3}, 'model': {'cell': {'name': 'GRU'}}}
    """
    layer: Layer = {}
    for word in assignments:
        path, sign, text = word.partition("=")
        if not (sign and all(path.split("."))):
            raise ConfigError(
                f"--set: must be section.key=value, got {word!r}. Write it like "
                "--set train.epochs=3."
            )
        layer = merge(layer, _branch(path.split("."), _value(text, path)))
    return layer


def from_environment(environment: Mapping[str, str], sections: Iterable[str]) -> Layer:
    """The settings of variables such as ``RECURRO_TRAIN_EPOCHS``.

    Args:
        environment: The variables of the process.
        sections: The names of the sections; other variables are left alone.

    Example:
        >>> from_environment({"RECURRO_TRAIN_EPOCHS": "3", "HOME": "/"}, ["train"])
        {'train': {'epochs': 3}}
    """
    layer: Layer = {}
    names = list(sections)
    for variable, text in sorted(environment.items()):
        for section in names:
            prefix = f"RECURRO_{section.upper()}_"
            if variable.startswith(prefix):
                key = variable.removeprefix(prefix).lower()
                layer = merge(layer, _branch([section, key], _value(text, variable)))
    return layer


def _branch(path: list[str], value: object) -> Layer:
    for part in reversed(path):
        value = {part: value}
    return value  # pyright: ignore[reportReturnType] (a path has at least one part)


def _value(text: str, where: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"{where}: must be a plain value, got {text!r}. Put it in quotes."
        ) from None
