"""``recurro resume``: go on with a run that was stopped."""

from __future__ import annotations

import warnings

from recurro.cli.options import Json, Quiet, RunFolder, Threads
from recurro.cli.running import interruptible, use_threads


def resume(
    run: RunFolder, threads: Threads = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Go on with a run that was stopped or killed, as if it had never been.

    With as many threads on the same machine, the weights end up equal bit for bit.
    """
    use_threads(threads)
    from recurro.cli import language, sequences
    from recurro.tasks.estimator import NetworkEstimator
    from recurro.tasks.runs import task_of

    finished = (run / "baselines.json").exists()  # the last thing that a run writes
    task = task_of(run)
    with interruptible(run):
        if task in sequences.TASKS:
            model = sequences.resume_run(task, run, quiet=quiet)
        else:
            model = language.resume_run(run, quiet=quiet)
        if finished:
            note = f"{run}: was finished already; nothing was left to train."
            warnings.warn(note, stacklevel=2)
        if isinstance(model, NetworkEstimator):
            sequences.finish(model, run, as_json=json)
        else:
            language.finish(model, run, as_json=json)
