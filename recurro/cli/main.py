"""The command ``recurro``: its verbs, and how it ends when something is wrong."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import cleandoc
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from recurro import __version__
from recurro.cli.demo import demo
from recurro.cli.evaluate import evaluate
from recurro.cli.generate import generate
from recurro.cli.inspect import inspect
from recurro.cli.options import UsageError
from recurro.cli.predict import predict
from recurro.cli.resume import resume
from recurro.errors import RecurroError

__all__ = ["build", "main"]

_ORDER = (
    "demo",
    "train",
    "resume",
    "evaluate",
    "predict",
    "generate",
    "inspect",
    "bench",
    "lm",
    "ngram",
    "hmm",
    "classify",
    "regress",
    "tag",
    "label",
    "detect",
    "music",
    "strokes",
    "transcribe",
    "translate",
    "caption",
    "forecast",
    "read",
    "paint",
    "execute",
    "esn",
    "training",
)
_HELP = {"help_option_names": ["-h", "--help"]}
_STOPPED = 130
_WRONG = 2
_CLOSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class Command(TyperCommand):
    """A command whose help names no Python types."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (typer's own)
        """Write the help; the name of an argument says what it is."""
        for parameter in self.params:
            if parameter.param_type_name == "argument":
                vars(parameter)["display_type_rich"] = _no_type
        super().format_help(ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 (typer's own)
        """The option --help."""
        return _without_type(super().get_help_option(ctx))


def _no_type(ctx: object) -> None:
    """Show nothing."""


def _without_type(option: Any) -> Any:  # noqa: ANN401 (typer's own)
    if option is not None:
        option.metavar = " "
    return option


class Verbs(TyperGroup):
    """A group of commands that says what is wrong in one line.

    Errors of ours, of the way a command was written, and of a disk that is full or
    closed to us end with exit code 2; an interrupt ends with 130; any other error is a
    mistake of the program and keeps its traceback.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (typer's own context)
        """Without arguments, show the help."""
        return super().parse_args(ctx, args or ["--help"])

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 (typer's own)
        """The option --help."""
        return _without_type(super().get_help_option(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 (typer's own context)
        """The commands in the order in which a person needs them."""
        place = {name: number for number, name in enumerate(_ORDER)}
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: place.get(name, len(place)))

    def main(  # pyright: ignore[reportIncompatibleMethodOverride] (named alike)
        self,
        args: Sequence[str] | None = None,
        **settings: Any,  # noqa: ANN401 (as in typer)
    ) -> NoReturn:
        """Run a command line and leave with its exit code."""
        settings["standalone_mode"] = False
        try:
            with _our_warnings():
                code = super().main(args, **settings)
        except UsageError as error:
            code = _complain(_usage(error))
        except RecurroError as error:
            code = _complain(str(error))
        except OSError as error:
            if error.errno not in _CLOSED:
                raise
            reason = (error.strerror or "it cannot be used").lower()
            code = _complain(
                f"{error.filename or 'the disk'}: {reason}. Make room, or name another "
                "place."
            )
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (typer's own)
        """Run what was asked for; Ctrl-C and a reader that goes away end it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("stopped.")
            raise typer.Exit(_STOPPED) from None
        except BrokenPipeError:  # as in `recurro generate RUN | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


@contextmanager
def _our_warnings() -> Iterator[None]:
    """Show each warning that is meant for users once, as one line, and no others."""
    shown: set[str] = set()

    def note(message: Warning | str, *rest: object, **more: object) -> None:
        if str(message) not in shown:
            _complain(f"note: {message}")
        shown.add(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield


def _usage(error: Any) -> str:  # noqa: ANN401 (typer keeps the class to itself)
    """What is wrong with a command line, and where to read how it goes."""
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:].replace("Input should", "it must")
    near = re.compile(r"\.? \(?(?:Did you mean|Possible options:) (.*?)\??\)?$")
    message = near.sub(r" (did you mean \1?)", message)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "recurro"
    return f"{message}. See '{path} --help'."


def _complain(message: str) -> int:
    """One line on the error stream; the exit code that goes with it."""
    line = " ".join(message.split())
    print(f"recurro: {line}", file=sys.stderr)  # noqa: T201 (the command line's voice)
    return _WRONG


def _group(name: str | None, text: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        cls=Verbs,
        help=text,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings=_HELP,
    )


def _add(group: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Add a command; its help is its docstring, a line for each paragraph and item."""
    paragraphs = cleandoc(command.__doc__ or "").split("\n\n")
    text = "\n\n".join(map(_unwrapped, paragraphs))
    group.command(name, cls=Command, help=text)(command)


def _unwrapped(paragraph: str) -> str:
    """A paragraph on one line, or a list with a line for each item."""
    items = re.split(r"\n(?=- )", paragraph)
    return "\n".join(" ".join(item.split()) for item in items)


def _tell_version(asked: bool) -> bool:
    if asked:
        print(f"recurro {__version__}")  # noqa: T201 (the output)
        raise typer.Exit
    return asked


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar=" ",
            callback=_tell_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Train, judge and use recurrent sequence models."""


def _trainers() -> dict[str, Callable[..., None]]:
    """What trains, by the word of its task."""
    from recurro.cli.train_caption import train_caption
    from recurro.cli.train_detect import train_detect
    from recurro.cli.train_esn import train_esn
    from recurro.cli.train_execute import train_execute
    from recurro.cli.train_forecast import train_forecast
    from recurro.cli.train_hmm import train_hmm
    from recurro.cli.train_label import train_label
    from recurro.cli.train_lm import train_lm
    from recurro.cli.train_music import train_music
    from recurro.cli.train_ngram import train_ngram
    from recurro.cli.train_pictures import train_paint, train_read
    from recurro.cli.train_sequence import train_classify, train_regress
    from recurro.cli.train_speech import train_transcribe
    from recurro.cli.train_strokes import train_strokes
    from recurro.cli.train_tag import train_tag
    from recurro.cli.train_translate import train_translate

    return {
        "lm": train_lm,
        "ngram": train_ngram,
        "hmm": train_hmm,
        "classify": train_classify,
        "regress": train_regress,
        "tag": train_tag,
        "caption": train_caption,
        "label": train_label,
        "detect": train_detect,
        "music": train_music,
        "strokes": train_strokes,
        "transcribe": train_transcribe,
        "translate": train_translate,
        "forecast": train_forecast,
        "read": train_read,
        "paint": train_paint,
        "execute": train_execute,
        "esn": train_esn,
    }


def _benches() -> dict[str, Callable[..., None]]:
    """What measures."""
    from recurro.cli.bench_engine import bench_engine
    from recurro.cli.bench_esn import bench_esn
    from recurro.cli.bench_hmm import bench_hmm
    from recurro.cli.bench_jacobian import bench_jacobian
    from recurro.cli.bench_memory import bench_memory, bench_optimizers
    from recurro.cli.bench_ngram import bench_ngram
    from recurro.cli.bench_stream import bench_stream
    from recurro.cli.bench_tasks import bench_tasks
    from recurro.cli.bench_training import bench_training

    return {
        "engine": bench_engine,
        "stream": bench_stream,
        "tasks": bench_tasks,
        "training": bench_training,
        "ngram": bench_ngram,
        "hmm": bench_hmm,
        "esn": bench_esn,
        "memory": bench_memory,
        "optimizers": bench_optimizers,
        "jacobian": bench_jacobian,
    }


def build(words: Sequence[str] | None = None) -> typer.Typer:
    """Build the command line.

    Args:
        words: What was asked; the commands of a group that is not among them are left
            out, for they take time to import. ``None`` for all.
    """
    app = _group("recurro", "Train, judge and use recurrent sequence models.")
    app.callback(
        cls=Verbs,
        help="Train, judge and use recurrent sequence models.",
        epilog="New here? Start with: [bold]recurro demo[/bold]",
        context_settings=_HELP,
    )(_root)
    for verb in (demo, resume, evaluate, predict, generate, inspect):
        _add(app, verb.__name__, verb)
    for name, text, commands in (
        ("train", "Train a model; its run folder holds all there is to it.", _trainers),
        ("bench", "Measure speed and quality on this machine.", _benches),
    ):
        group = _group(name, text)
        app.add_typer(group)
        if words is None or name in words:
            for word, command in commands().items():
                _add(group, word, command)
    return app


def main() -> NoReturn:
    """Run the command line of this process."""
    build(sys.argv[1:])()
    raise AssertionError("the command line leaves by itself")
