"""``recurro train classify`` and ``regress``: one answer per sequence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import (
    NETWORK,
    TABLE,
    TEXT,
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
    EmbeddingSize,
    Encoding,
    Epochs,
    HiddenSize,
    LearningRate,
    Lower,
    MaxSeconds,
    MinCount,
    NumLayers,
    Optimizer,
    Patience,
    Precision,
    Schedule,
    Seed,
    Set,
)

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A table (.csv, .tsv, .jsonl, .parquet), lines of label and text, a .ts "
        "file, or a folder of CLASS.txt files or CLASS/FILE.",
        show_default=False,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Texts of a table; several, with commas between, are joined. [dim]"
        "\\[default: text][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="What is said of each. [dim]\\[default: label][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="COLUMN",
        help="Which series a row is a step of.",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="When a step was; must rise within a series.",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        metavar="COLUMNS",
        help="What was measured, with commas between. [dim]\\[default: the other "
        "columns][/dim]",
        show_default=False,
        rich_help_panel=TABLE,
    ),
]
Test = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="FILE",
        help="Test on this at the end; 'hash' for a tenth of DATA by its hash.",
        show_default=False,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="KIND",
        help="Of texts: word, char, byte, or bpe:N. [dim]\\[default: word][/dim]",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="STEPS",
        help="Of series: cut each into windows of so many steps.",
        show_default=False,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        "--stride",
        metavar="STEPS",
        help="Of windows: steps from one to the next. [dim]\\[default: 1][/dim]",
        show_default=False,
    ),
]
Subwords = Annotated[
    bool | None,
    typer.Option(
        "--subwords",
        metavar=" ",
        help="Read words by their pieces too.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
Evidence = Annotated[
    bool | None,
    typer.Option(
        "--evidence",
        metavar=" ",
        help="Count words or characters, pairs and pieces by class, too.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="KIND",
        help="balanced: each class weighs the same in training.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        "--pooling",
        metavar="WAYS",
        help="last, max, mean, attention, or several with commas between.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
ClassHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="softmax, or ordinal for classes with an order.",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]
NumberHead = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="normal, plain (squared error), log-normal (amounts), poisson (counts).",
        show_default=False,
        rich_help_panel=NETWORK,
    ),
]


def train_classify(
    data: Data,
    test: Test = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    encoding: Encoding = None,
    tokens: Tokens = None,
    lower: Lower = None,
    min_count: MinCount = None,
    subwords: Subwords = None,
    evidence: Evidence = None,
    window: Window = None,
    stride: Stride = None,
    cell: CellName = None,
    hidden_size: HiddenSize = None,
    num_layers: NumLayers = None,
    embedding_size: EmbeddingSize = None,
    pooling: Pooling = None,
    head: ClassHead = None,
    class_weight: ClassWeight = None,
    dropout: Dropout = None,
    epochs: Epochs = None,
    max_seconds: MaxSeconds = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    clip: Clip = None,
    patience: Patience = None,
    seed: Seed = None,
    precision: Precision = None,
    device: Device = None,
    config: Config = None,
    set_: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier of texts or of series of numbers.

    A tenth of the data is held out to choose the best epoch on; the network and its
    baselines (largest class, a linear model on statistics or words) are scored on it,
    and on what --test names.

    [dim]Settings: --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]
    """
    train_task("classify", dict(locals()))


def train_regress(
    data: Data,
    test: Test = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    encoding: Encoding = None,
    tokens: Tokens = None,
    lower: Lower = None,
    min_count: MinCount = None,
    subwords: Subwords = None,
    window: Window = None,
    stride: Stride = None,
    cell: CellName = None,
    hidden_size: HiddenSize = None,
    num_layers: NumLayers = None,
    embedding_size: EmbeddingSize = None,
    pooling: Pooling = None,
    head: NumberHead = None,
    dropout: Dropout = None,
    epochs: Epochs = None,
    max_seconds: MaxSeconds = None,
    batch_size: BatchSize = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    clip: Clip = None,
    patience: Patience = None,
    seed: Seed = None,
    precision: Precision = None,
    device: Device = None,
    config: Config = None,
    set_: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model of the number that goes with a text or a series.

    A tenth of the data is held out to choose the best epoch on; the network and its
    baselines (the mean, ridge on statistics or words) are scored on it, and on what
    --test names.

    [dim]Settings: --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]
    """
    train_task("regress", dict(locals()))


_OURS = (*("data", "config", "set_", "out", "overwrite", "threads", "json", "quiet"),)
"""Options that are no settings of the model."""


def train_task(task: str, given: Mapping[str, Any]) -> None:
    """Train a model of a task as the options say, and tell the outcome.

    Args:
        task: Its word.
        given: The options by name: ``data``, a path or several, those of every run, and
            settings, which are ``None`` where they were not given.
    """
    use_threads(given["threads"])
    from recurro.cli.sequences import TASKS, finish, train_run
    from recurro.cli.settings import Given
    from recurro.tasks.sequence_config import sections_of

    flags = {
        key: value
        for key, value in given.items()
        if key not in _OURS and value is not None
    }
    sections = sections_of(TASKS[task].model.kind)
    asked = Given(flags, None, given["config"], given["set_"] or (), sections)
    files = [given["data"]] if isinstance(given["data"], Path) else given["data"]
    run = given["out"] or free_folder(name_of(files))
    with interruptible(run), asked.named():
        model = train_run(
            {**asked.tree(), "task": task},
            files,
            run,
            overwrite=given["overwrite"],
            quiet=given["quiet"],
        )
        finish(model, run, as_json=given["json"])
