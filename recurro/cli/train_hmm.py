"""``recurro train hmm``: a hidden Markov model of texts, tables or arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurro.cli.options import Json, Out, Overwrite, Quiet, Threads
from recurro.cli.running import free_folder, interruptible, name_of, use_threads
from recurro.cli.train_ngram import Encoding, Lines, Tokens
from recurro.cli.train_sequence import Features, IdColumn, TimeColumn

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="Texts; tables with a row for each step (.csv, .tsv, .jsonl, .parquet); "
        "or arrays (.npy; .npz with X and lengths).",
        show_default=False,
    ),
]
States = Annotated[
    int, typer.Option("--states", "-s", metavar="N", min=1, help="Hidden states.")
]
Emission = Annotated[
    str | None,
    typer.Option(
        "--emission",
        metavar="NAME",
        help="categorical, gaussian, full (gaussian with full covariances) or poisson. "
        "[dim]\\[default: categorical of texts and of whole numbers in one column, "
        "else gaussian][/dim]",
        show_default=False,
    ),
]
Starts = Annotated[
    int,
    typer.Option("--starts", metavar="N", min=1, help="Starts; the likeliest is kept."),
]
Iterations = Annotated[
    int,
    typer.Option(
        "--iterations", metavar="N", min=1, help="Iterations of each at most."
    ),
]
Tolerance = Annotated[
    float,
    typer.Option(
        "--tol", metavar="X", help="A start ends when it gains less, in nats."
    ),
]
Smoothing = Annotated[
    float,
    typer.Option(
        "--smoothing",
        metavar="X",
        min=0,
        help="Of symbols: added to the count of each, so that none is impossible.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the starts.")
]


def train_hmm(
    files: Files,
    states: States = 4,
    emission: Emission = None,
    starts: Starts = 3,
    iterations: Iterations = 100,
    tol: Tolerance = 0.01,
    smoothing: Smoothing = 0.01,
    seed: Seed = 0,
    tokens: Tokens = "char",
    lines: Lines = False,
    encoding: Encoding = "utf-8",
    id: IdColumn = None,
    time: TimeColumn = None,
    features: Features = None,
    out: Out = None,
    overwrite: Overwrite = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a hidden Markov model by Baum-Welch.

    A tenth is held out and scored: the end of a sequence, or some of several. Beside it
    stands the same model with one state, which has no memory.
    """
    use_threads(threads)
    from recurro.cli.hmm import fresh_model, watched
    from recurro.cli.show import print_json, print_rows, say, say_dim
    from recurro.tasks.hmm import HMMData, HMMRun, kind_of

    run = out or free_folder(f"{name_of(files)}-hmm")
    kind = kind_of(files)
    data = HMMData(
        kind=kind,
        tokens=tokens,
        lines=lines,
        encoding=encoding,
        id=id,
        time=time,
        features=tuple(features.split(",")) if features else (),
    )
    model = fresh_model(
        *(emission, kind, files),
        n_states=states,
        n_init=starts,
        n_iter=iterations,
        tol=tol,
        emissionprob_prior=1 + smoothing,
        seed=seed,
    )
    with interruptible(run), watched(starts, iterations, quiet=quiet) as watch:
        trained = HMMRun.train(
            model, files, data, run, overwrite=overwrite, watch=watch
        )
    monitor = trained.model.monitor_
    if json:
        figures = {k: v for row in trained.rows[-1:] for k, v in row.items()}
        figures.pop("name", None)
        print_json(
            {
                "run": str(run),
                **figures,
                "iterations": monitor.iter,
                "converged": monitor.converged,
                "history": monitor.history,
                "baselines": trained.rows,
            }
        )
        return
    if trained.rows:
        say("held out:")
        print_rows(trained.rows)
    how = "converged" if monitor.converged else "not converged: raise --iterations"
    say(f"\nlog-likelihood {monitor.history[-1]:,.2f} after {monitor.iter} ({how})")
    say(f"run  {run}")
    say_dim(f"Try next: recurro predict {run} FILE")
