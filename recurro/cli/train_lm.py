"""``recurro train lm``: a language model from a text file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from recurro.cli.options import (
    NETWORK,
    RUN,
    TEXT,
    TRAINING,
    Json,
    Out,
    Overwrite,
    Quiet,
    Threads,
)
from recurro.cli.running import free_folder, interruptible, name_of, use_threads
from recurro.errors import ConfigError


def _option(panel: str, *names: str, help: str, metavar: str = " ") -> Any:  # noqa: ANN401 (as in typer)
    return typer.Option(
        *names, help=help, metavar=metavar, show_default=False, rich_help_panel=panel
    )


Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Text files, folders, or patterns such as 'src/**/*.py'.",
        show_default=False,
    ),
]
Valid = Annotated[
    list[Path] | None,
    _option(
        TEXT,
        "--valid",
        metavar="FILE",
        help="Text to choose the best epoch on; may be repeated. [dim]\\[default: the "
        "last 5 %, or a tenth of the lines][/dim]",
    ),
]
Tokens = Annotated[
    str | None,
    _option(
        TEXT,
        "--tokens",
        metavar="KIND",
        help="char, byte, word, or bpe:N (byte pairs, N of at least 257). "
        "[dim]\\[default: char][/dim]",
    ),
]
Lines = Annotated[
    bool | None,
    _option(TEXT, "--lines", help="Each line is an item: a name, a title, a molecule."),
]
Syntax = Annotated[
    str | None,
    _option(
        TEXT,
        "--syntax",
        metavar="NAME",
        help="What the lines that it writes are checked against: smiles, none. "
        "[dim]\\[default: smiles for *.smi files][/dim]",
    ),
]
ByClass = Annotated[
    Path | None,
    _option(
        TEXT,
        "--by-class",
        metavar="PATH",
        help="Learn P(text | class) from a folder of CLASS.txt files, or a TSV file of "
        "label and text. Replaces FILE.",
    ),
]
Separate = Annotated[
    bool | None,
    _option(TEXT, "--separate", help="With --by-class: a network for each class."),
]
Lower = Annotated[bool | None, _option(TEXT, "--lower", help="Turn to lower case.")]
StripAccents = Annotated[
    bool | None, _option(TEXT, "--strip-accents", help="Take accents off.")
]
DropControl = Annotated[
    bool | None, _option(TEXT, "--drop-control", help="Drop control characters.")
]
Alphabet = Annotated[
    str | None,
    _option(TEXT, "--alphabet", metavar="CHARS", help="Keep these characters only."),
]
MinCount = Annotated[
    int | None,
    _option(
        TEXT,
        "--min-count",
        metavar="N",
        help="Symbols seen less often count as unknown.",
    ),
]
Encoding = Annotated[
    str | None,
    _option(
        TEXT,
        "--encoding",
        metavar="NAME",
        help="Encoding of the files. [dim]\\[default: utf-8][/dim]",
    ),
]
CellName = Annotated[
    str | None,
    _option(NETWORK, "--cell", metavar="NAME", help="lstm, gru, elman, min-gru, ..."),
]
HiddenSize = Annotated[
    int | None, _option(NETWORK, "--hidden-size", metavar="N", help="Units of a layer.")
]
NumLayers = Annotated[
    int | None,
    _option(NETWORK, "--num-layers", metavar="N", help="Layers upon each other."),
]
EmbeddingSize = Annotated[
    int | None,
    _option(NETWORK, "--embedding-size", metavar="N", help="Width of the embedding."),
]
Tied = Annotated[
    bool | None,
    _option(NETWORK, "--tied/--untied", help="Share embedding and output weights."),
]
Dropout = Annotated[
    float | None,
    _option(NETWORK, "--dropout", metavar="P", help="Probability of dropping a unit."),
]
Vectors = Annotated[
    Path | None,
    _option(
        NETWORK,
        "--vectors",
        metavar="FILE",
        help="Word vectors to start from, in word2vec's text format.",
    ),
]
Epochs = Annotated[
    int | None,
    _option(TRAINING, "--epochs", metavar="N", help="Passes over what is learnt from."),
]
MaxSeconds = Annotated[
    float | None,
    _option(TRAINING, "--max-seconds", metavar="S", help="Stop after this time."),
]
BatchSize = Annotated[
    int | None,
    _option(TRAINING, "--batch-size", metavar="N", help="Sequences side by side."),
]
Bptt = Annotated[
    int | None,
    _option(
        TRAINING,
        "--bptt",
        metavar="N",
        help="Steps of a chunk, through which gradients flow.",
    ),
]
Tbptt = Annotated[
    str | None,
    _option(
        TRAINING,
        "--tbptt",
        metavar="K1,K2",
        help="Update every K1 steps, with gradients through K2.",
    ),
]
Optimizer = Annotated[
    str | None,
    _option(
        TRAINING,
        "--optimizer",
        metavar="NAME",
        help="sgd, adam, adamw, rmsprop, rprop, asgd.",
    ),
]
LearningRate = Annotated[
    float | None,
    _option(TRAINING, "--learning-rate", metavar="X", help="Rate of the optimiser."),
]
Schedule = Annotated[
    str | None,
    _option(TRAINING, "--schedule", metavar="NAME", help="constant, cosine, plateau."),
]
Clip = Annotated[
    str | None,
    _option(
        TRAINING,
        "--clip",
        metavar="X",
        help="Largest norm of the gradient, auto, or none.",
    ),
]
Patience = Annotated[
    int | None,
    _option(
        TRAINING,
        "--patience",
        metavar="N",
        help="Stop after N validations without improvement.",
    ),
]
Seed = Annotated[
    int | None, _option(TRAINING, "--seed", metavar="N", help="Seed of the weights.")
]
Precision = Annotated[
    str | None, _option(TRAINING, "--precision", metavar="32|bf16", help="Of products.")
]
Device = Annotated[
    str | None,
    _option(TRAINING, "--device", metavar="NAME", help="auto, cpu, cuda, cuda:1."),
]
Preset = Annotated[
    str | None,
    _option(
        RUN,
        "--preset",
        metavar="NAME",
        help="Settings to start from: char-small, char, char-large, word, names, "
        "molecules. [dim]\\[default: by the tokens][/dim]",
    ),
]
Config = Annotated[
    Path | None,
    _option(
        RUN,
        "--config",
        metavar="FILE",
        help="Settings file, such as the config.yaml of another run.",
    ),
]
Set = Annotated[
    list[str] | None,
    _option(
        RUN,
        "--set",
        metavar="KEY=VALUE",
        help="Any setting of config.yaml, such as model.zoneout=0.1; may be repeated.",
    ),
]


def train_lm(
    files: Files = None,
    valid: Valid = None,
    tokens: Tokens = None,
    lines: Lines = None,
    syntax: Syntax = None,
    by_class: ByClass = None,
    separate: Separate = None,
    lower: Lower = None,
    strip_accents: StripAccents = None,
    drop_control: DropControl = None,
    alphabet: Alphabet = None,
    min_count: MinCount = None,
    encoding: Encoding = None,
    cell: CellName = None,
    hidden_size: HiddenSize = None,
    num_layers: NumLayers = None,
    embedding_size: EmbeddingSize = None,
    tied: Tied = None,
    dropout: Dropout = None,
    vectors: Vectors = None,
    epochs: Epochs = None,
    max_seconds: MaxSeconds = None,
    batch_size: BatchSize = None,
    bptt: Bptt = None,
    tbptt: Tbptt = None,
    optimizer: Optimizer = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    clip: Clip = None,
    patience: Patience = None,
    seed: Seed = None,
    precision: Precision = None,
    device: Device = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a language model on a text: P(next symbol | symbols before).

    The run folder holds the model, its vocabulary, its settings, its measurements and
    all that is needed to go on after a stop. Baselines (uniform, unigram, Kneser-Ney
    n-gram) are trained on the same text and printed beside it.

    [dim]Settings: preset < --config < RECURRO_TRAIN_EPOCHS=3 < --set < flags.[/dim]
    """
    given = dict(locals())
    use_threads(threads)
    from recurro.cli.language import finish, train_run
    from recurro.cli.settings import Given, in_flags

    asked = Given(_flags(given), preset, config, set_ or ())
    settings = asked.settings()
    if bool(settings.data.files) == bool(settings.data.by_class):
        what = "both" if settings.data.files else "none"
        raise ConfigError(
            f"train lm: a text must be named by FILE or by --by-class PATH, got {what}."
            " Give one of them."
        )
    read = settings.data.files or (str(settings.data.by_class),)
    run = out or free_folder(name_of(read))
    with interruptible(run), in_flags(given, asked.sections), asked.named():
        model = train_run(settings, run, overwrite=overwrite, quiet=quiet)
        finish(model, run, as_json=json)


_OURS = ("preset", "config", "set_", "out", "overwrite", "threads", "json", "quiet")
"""Options that are no settings of the model."""


def _flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the options that were given, by their names."""
    flags = {
        key: value
        for key, value in given.items()
        if value not in (None, [], ()) and key not in _OURS
    }
    for key in ("files", "valid"):
        if key in flags:
            flags[key] = [str(path) for path in flags[key]]
    for key in ("by_class", "vectors"):
        if key in flags:
            flags[key] = str(flags[key])
    if "tbptt" in flags:
        if "bptt" in flags:
            raise ConfigError(
                "train lm: --bptt and --tbptt say the same thing, got both. Give one."
            )
        flags["bptt"] = _two(flags.pop("tbptt"))
    return flags


def _two(steps: str) -> str:
    """Two numbers of steps, of which one divides the other."""
    from recurro.tasks.config import steps_of

    try:
        pair = len(steps_of(steps)) == 2
    except ValueError:
        pair = False
    if not pair:
        raise ConfigError(
            "--tbptt: must be two numbers of steps, K1,K2, of which one divides the "
            f"other, got {steps!r}. Write for instance 20,60."
        )
    return steps
