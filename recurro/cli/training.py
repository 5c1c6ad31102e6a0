"""What every command that trains a task shares: its options, and what it does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_type_hints

from recurro.cli.options import (
    NETWORK,
    RUN,
    TRAINING,
    Json,
    Out,
    Overwrite,
    Quiet,
    Threads,
)
from recurro.cli.running import free_folder, interruptible, name_of, use_threads
from recurro.cli.train_lm import (
    BatchSize,
    CellName,
    Clip,
    Config,
    Device,
    Dropout,
    Epochs,
    HiddenSize,
    LearningRate,
    MaxSeconds,
    NumLayers,
    Optimizer,
    Patience,
    Precision,
    Schedule,
    Seed,
    Set,
)

__all__ = ["trains"]

Flags: TypeAlias = dict[str, Any]
"""Settings by name, as flags gave them; what was not given is not there."""

_SETTINGS: dict[str, Any] = {
    "cell": CellName,
    "hidden_size": HiddenSize,
    "num_layers": NumLayers,
    "dropout": Dropout,
    "epochs": Epochs,
    "max_seconds": MaxSeconds,
    "batch_size": BatchSize,
    "optimizer": Optimizer,
    "learning_rate": LearningRate,
    "schedule": Schedule,
    "clip": Clip,
    "patience": Patience,
    "seed": Seed,
    "precision": Precision,
    "device": Device,
}
_RUN: dict[str, Any] = {
    "config": Config,
    "set_": Set,
    "out": Out,
    "overwrite": Overwrite,
    "threads": Threads,
    "json": Json,
    "quiet": Quiet,
}
_SWITCHES = ("overwrite", "json", "quiet")
_LAST = (NETWORK, TRAINING, RUN)
"""The panels of the help that all commands have, below those of their own."""
_LAYERS = "[dim]Settings: --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]"


def trains(
    task: str,
    flags: Callable[[Flags, Path], Flags] | None = None,
    files: Callable[[Flags, Path | None], list[Path]] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command that trains a task of its own options and its help.

    Args:
        task: The word of the task.
        flags: What is made of the flags, given the data too, if anything.
        files: What is read, where flags may name it instead of ``data``; it takes
            those flags away.

    Returns:
        A decorator of a function that has the argument ``data`` (a path, or several;
        or a path or ``None``; none where data are drawn), options whose default is
        ``None``, and a docstring, and does nothing. An option ``preset`` names one of
        the task's presets.
    """

    def command(described: Callable[..., None]) -> Callable[..., None]:
        def train(**given: Any) -> None:  # noqa: ANN401 (options)
            _train(task, given, flags, files)

        own = get_type_hints(described, include_extras=True)
        del own["return"]
        options = {**_SETTINGS, **own, **_RUN}
        parameters = [_parameter(name, kind) for name, kind in options.items()]
        parameters.sort(key=_place)
        train.__name__ = described.__name__
        train.__doc__ = f"{inspect.getdoc(described)}\n\n{_LAYERS}"
        vars(train)["__signature__"] = inspect.Signature(parameters)
        return train

    return command


def _parameter(name: str, kind: Any) -> inspect.Parameter:  # noqa: ANN401 (a type)
    absent = False if name in _SWITCHES else None
    needed = name == "data" and type(None) not in get_args(get_args(kind)[0])
    default = inspect.Parameter.empty if needed else absent
    only = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, only, default=default, annotation=kind)


def _place(parameter: inspect.Parameter) -> int:
    """Where the panel of an option stands in the help: a task's own come first."""
    panel = get_args(parameter.annotation)[1].rich_help_panel
    return _LAST.index(panel) if panel in _LAST else -1


def _train(
    task: str,
    given: Mapping[str, Any],
    mend: Callable[[Flags, Path], Flags] | None,
    named: Callable[[Flags, Path | None], list[Path]] | None,
) -> None:
    """Train a model of a task as the options say, and tell the outcome."""
    use_threads(given["threads"])
    from recurro.cli.sequences import TASKS, finish, train_run
    from recurro.cli.settings import Given, in_flags, preset_of
    from recurro.tasks.layers import merge
    from recurro.tasks.presets import TASK_PRESETS
    from recurro.tasks.sequence_config import sections_of

    data = given.get("data", ())
    flags = {
        key: value
        for key, value in given.items()
        if key not in ("data", *_RUN) and value is not None
    }
    files = named(flags, data) if named else [data] if isinstance(data, Path) else data
    preset = preset_of(flags.pop("preset", None), TASK_PRESETS.get(task, {}))
    flags = mend(flags, data) if mend else flags
    sections = sections_of(TASKS[task].model.kind)
    asked = Given(flags, None, given["config"], given["set_"] or (), sections)
    run = given["out"] or free_folder(name_of(files) if files else task)
    with interruptible(run), in_flags(given, sections), asked.named():
        model = train_run(
            {**merge(preset, asked.tree()), "task": task},
            files,
            run,
            overwrite=given["overwrite"],
            quiet=given["quiet"],
        )
        finish(model, run, as_json=given["json"])
