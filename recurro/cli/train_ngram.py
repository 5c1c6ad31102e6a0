"""``recurro train ngram``: a model that counts, alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import TEXT, Json, Out, Overwrite, Quiet
from recurro.cli.running import free_folder, interruptible, name_of
from recurro.cli.train_lm import Alphabet, DropControl, StripAccents

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Text files, folders, or patterns such as 'src/**/*.py'.",
        show_default=False,
    ),
]
Valid = Annotated[
    list[Path] | None,
    typer.Option(
        "--valid",
        metavar="FILE",
        help="Text to score; may be repeated.",
        rich_help_panel=TEXT,
    ),
]
Order = Annotated[
    int, typer.Option("--order", "-n", metavar="N", min=1, help="The longest n.")
]
Tokens = Annotated[
    str,
    typer.Option(
        "--tokens",
        metavar="KIND",
        rich_help_panel=TEXT,
        help="word, char, byte, or bpe:N (N at least 257).",
    ),
]
Lines = Annotated[
    bool,
    typer.Option(
        "--lines",
        metavar=" ",
        rich_help_panel=TEXT,
        help="Each line is an item of its own.",
    ),
]
HeldOut = Annotated[
    float,
    typer.Option(
        "--held-out",
        metavar="SHARE",
        rich_help_panel=TEXT,
        help="Share of the text, from its end, that is scored and not learnt.",
    ),
]
MinCount = Annotated[
    int,
    typer.Option(
        "--min-count",
        metavar="N",
        min=1,
        rich_help_panel=TEXT,
        help="Symbols seen less often count as unknown.",
    ),
]
Lower = Annotated[
    bool,
    typer.Option(
        "--lower", metavar=" ", rich_help_panel=TEXT, help="Turn to lower case."
    ),
]
Encoding = Annotated[
    str,
    typer.Option(
        "--encoding",
        metavar="NAME",
        rich_help_panel=TEXT,
        help="Encoding of the files.",
    ),
]
Arpa = Annotated[
    Path | None,
    typer.Option(
        "--arpa",
        metavar="FILE",
        help="Also write an ARPA file, which other programs read.",
    ),
]


def train_ngram(
    files: Files,
    valid: Valid = None,
    order: Order = 5,
    tokens: Tokens = "word",
    lines: Lines = False,
    held_out: HeldOut = 0.05,
    min_count: MinCount = 1,
    lower: Lower = False,
    strip_accents: StripAccents = None,
    drop_control: DropControl = None,
    alphabet: Alphabet = None,
    encoding: Encoding = "utf-8",
    arpa: Arpa = None,
    out: Out = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train Kneser-Ney n-grams on a text and score the part that is held out.

    perplexity counts unknown words as <unk>; perplexity known leaves them out; oov is
    how many there are among the tokens.
    """
    from recurro.cli.settings import flags_named
    from recurro.cli.show import print_figures, print_json, say, watch
    from recurro.tasks import NGramLanguageModel

    run = out or free_folder(f"{name_of(files)}-ngram")
    model = NGramLanguageModel(
        order,
        tokens=tokens,
        lines=lines,
        held_out=held_out,
        min_count=min_count,
        lower=lower,
        strip_accents=bool(strip_accents),
        drop_control=bool(drop_control),
        alphabet=alphabet,
        encoding=encoding,
        out=run,
        overwrite=overwrite,
    )
    with interruptible(run), flags_named(), watch(quiet=quiet) as watcher:
        model.fit(files, valid or None, reading=watcher.reading)
        if arpa is not None:
            model.to_arpa(arpa)
    if json:
        print_json({"run": str(run), **model.figures_})
        return
    print_figures(model.figures_)
    say(f"\nrun  {run}")
