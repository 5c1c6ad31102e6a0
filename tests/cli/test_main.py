from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from recurro import __version__
from recurro.cli import main
from recurro.errors import DataError
from tests.cli.command import complaint, process, recurro

VERBS = ["demo", "train", "resume", "evaluate", "predict", "generate", "bench"]


def test_help_lists_the_verbs_in_order():
    found = recurro("--help").out
    places = [found.index(f" {verb} ") for verb in VERBS]
    assert places == sorted(places)
    assert recurro().out == recurro("-h").out == found


@pytest.mark.parametrize(
    "words",
    [
        *([verb] for verb in VERBS),
        ["train", "lm"],
        ["train", "ngram"],
        ["bench", "engine"],
        ["bench", "stream"],
        ["bench", "training"],
        ["bench", "ngram"],
    ],
    ids=" ".join,
)
def test_each_command_tells_what_it_does(words):
    found = recurro(*words, "--help").out
    assert f"Usage: recurro {' '.join(words)}" in found
    assert "\x1b" not in found  # no colours where there is no terminal


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["evalute"],
            "no such command 'evalute' (did you mean 'evaluate'?). See 'recurro "
            "--help'.",
        ),
        (["--bogus"], "no such option: --bogus. See 'recurro --help'."),
        (
            ["train", "lm", "--epohcs", "3"],
            "no such option: --epohcs (did you mean --epochs?). See 'recurro train lm "
            "--help'.",
        ),
        (
            ["train", "lm", "--epochs", "many"],
            "invalid value for '--epochs': input should be a valid integer, unable to "
            "parse string as an integer. See 'recurro train lm --help'.",
        ),
        (["evaluate"], "missing argument 'RUN'. See 'recurro evaluate --help'."),
    ],
)
def test_a_command_line_that_is_wrong_gets_one_line(words, expected):
    assert complaint(*words).lower() == expected.lower()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("read: no\nfile."), 2, "recurro: read: no file."),
        (KeyboardInterrupt(), 130, "recurro: stopped."),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/a"),
            2,
            "recurro: runs/a: no space left on device. Make room, or name another "
            "place.",
        ),
    ],
)
def test_errors_of_ours_are_one_line(error, code, line, monkeypatch, run):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("recurro.cli.language.task_of", fail)
    outcome = recurro("evaluate", run, "a.txt", code=code)
    assert outcome.err.splitlines() == [line]
    assert outcome.out == ""


@pytest.mark.parametrize("error", [RuntimeError("ours"), OSError(errno.EIO, "broken")])
def test_mistakes_of_the_program_keep_their_traceback(error, monkeypatch, run):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("recurro.cli.language.task_of", fail)
    with pytest.raises(type(error)):
        recurro("evaluate", run, "a.txt")


def test_version():
    assert recurro("--version").out == f"recurro {__version__}\n"


def test_a_reader_that_goes_away_is_no_error(run):
    with process("generate", run, "-n", 2000, "--stream") as writer:
        assert writer.stdout.read(1)
        writer.stdout.close()
        assert writer.stderr.read() == ""
    assert writer.returncode == 0


def test_warnings_are_one_line(capsys):
    main._note(UserWarning("the batch\nshrinks"), UserWarning, "file.py", 3)
    assert capsys.readouterr().err == "recurro: note: the batch shrinks\n"


def test_help_is_quick_and_needs_no_torch():
    code = (
        "import sys\n"
        "sys.argv = ['recurro', '--help']\n"
        "from recurro.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print([m for m in ('torch', 'numpy', 'sklearn') if m in sys.modules])\n"
    )
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        found = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - begun)
    assert found.stdout.splitlines()[-1] == "[]"
    limit = 0.3 if os.getloadavg()[0] < 2 * (os.cpu_count() or 1) else 1.0
    assert min(seconds) < limit
