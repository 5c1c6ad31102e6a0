from __future__ import annotations

import errno
import resource
import subprocess
import sys
import warnings

import pytest

from recurro import __version__
from recurro.cli import main
from recurro.cli.sequences import TASKS
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


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_each_task_has_a_line_in_the_help_of_a_verb(verb):
    lines = [line.strip() for line in recurro(verb, "--help").out.splitlines()]
    told = {
        task
        for line in lines
        if line.startswith("- ")
        for task in line[2:].split(":")[0].split(", ")
    }
    assert told == {"lm", "ngram", "lm by class", "esn", "hmm", *TASKS}


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
            "invalid value for '--epochs': it must be a valid integer, unable to "
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


CTRL_C = """
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)

class CtrlC:
    def find_spec(self, name, *rest):
        if name == sys.argv[1]:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
from recurro.__main__ import main
sys.argv[:2] = ["recurro"]
main()
"""


@pytest.mark.parametrize("name", ["recurro.cli.main", "numpy", "torch"])
def test_ctrl_c_amid_the_imports_is_quiet(name, folder):
    words = ["-c", CTRL_C.replace("sys.argv[1]", repr(name)), "", "train", "lm"]
    found = subprocess.run(
        [sys.executable, *words, "sea.txt"], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (130, "")
    assert found.stderr == "recurro: stopped.\n"
    assert [path.name for path in folder.iterdir()] == ["sea.txt"]


def test_warnings_are_one_line(capsys):
    with main._our_warnings():
        warnings.showwarning(
            UserWarning("the batch\nshrinks"), UserWarning, "file.py", 3
        )
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
        begun = _cpu_seconds_of_children()
        found = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        seconds.append(_cpu_seconds_of_children() - begun)
    assert found.stdout.splitlines()[-1] == "[]"
    assert min(seconds) < 0.3


def _cpu_seconds_of_children() -> float:
    """Of the processor, so that what else runs on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
