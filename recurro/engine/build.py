"""From the C text of a kernel to a loaded library: compile, cache on disk, load.

The compiler is the one named by ``CC``, else ``cc``, ``gcc`` or ``clang`` of the path,
else the one in the ``ziglang`` package; it gets ``FLAGS`` and, after them, the words
of ``RECURRO_CFLAGS`` as they stand when the first kernel is built. Libraries are kept
in ``recurro/kernels`` of the user's cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``),
or in ``kernels`` of ``$RECURRO_CACHE``.

A library runs with the user's rights, so nothing is loaded that somebody else could
have written: the folder and every file in it must be the user's own and closed to
others. A name is ``<key>-<digest>.so``: the key tells what it was made from, the digest
what is in it, so that a damaged file is known and built anew. Files come under their
final name by one rename, whole; processes that build the same text at once do not
disturb each other.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from recurro import __version__
from recurro.errors import BackendError

_X86 = platform.machine().lower() in ("x86_64", "amd64", "i686")

FLAGS = (
    "-O3",
    "-march=native" if _X86 else "-mcpu=native",
    "-std=gnu11",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
)
"""Flags of every build. Never ``-ffast-math``: as a flag of the compiler it breaks the
rounding inside exp, as one of the linker it changes the arithmetic of all threads."""

_GO_ON = 'Use backend="reference" to go on without it'


@cache
def build(text: str) -> ctypes.CDLL:
    """Compile and load a C text, or load what an earlier build of it left.

    In one process a text is built once. Two threads that ask for a new one at the same
    time may both compile it; the results are equal.

    Args:
        text: A whole C file.

    Returns:
        The library.

    Raises:
        BackendError: If there is no compiler, it refuses the text, or the cache folder
            is not safe to use.

    Example:
        >>> build("int twice(int x) { return 2 * x; }").twice(21)
        42
    """
    folder = cache_folder()
    key = _key(text)
    for path in sorted(folder.glob(f"{key}-*.so")):
        if library := _from_disk(path):
            return library
    path = _compile(text, folder, key)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendError(
            f"compile: a kernel must load, got {error}. Set RECURRO_CACHE to a folder "
            f"that may hold programs. {_GO_ON}."
        ) from error


def _from_disk(path: Path) -> ctypes.CDLL | None:
    """Load what an earlier build left; a file of no use is removed."""
    try:
        _check_own(path, folder=False)
        if path.stem.endswith(f"-{_digest(path)}"):
            return ctypes.CDLL(str(path))
    except OSError:
        pass  # gone already, or made on a machine with other libraries
    path.unlink(missing_ok=True)
    return None


@cache
def lanes() -> int:
    """How many float32 numbers fill a vector register of this CPU: 16, 8 or 4.

    Raises:
        BackendError: If there is no compiler to ask.

    Example:
        >>> lanes() in (4, 8, 16)
        True
    """
    macros = _macros(compiler(), flags())
    return 16 if "__AVX512F__" in macros else 8 if "__AVX2__" in macros else 4


def compiler() -> tuple[str, ...]:
    """The command of the C compiler.

    Raises:
        BackendError: If there is none.
    """
    if os.name != "posix":
        raise BackendError(
            "compile: the system must be Linux or macOS, got "
            f"{platform.system()}. {_GO_ON}."
        )
    if named := _words("CC"):
        if shutil.which(named[0]) is None:
            raise BackendError(
                f"compile: CC must name a C compiler, got {named[0]!r}. Unset it, or "
                "install that compiler."
            )
        return named
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return (path,)
    ziglang = find_spec("ziglang")
    if ziglang is not None and ziglang.submodule_search_locations:
        return (str(Path(ziglang.submodule_search_locations[0]) / "zig"), "cc")
    raise BackendError(
        "compile: there must be a C compiler, got none on the path. Install one, or "
        f"pip install 'recurro[compiler]'. {_GO_ON}."
    )


def flags() -> tuple[str, ...]:
    """The flags of a build: ``FLAGS``, then those of ``RECURRO_CFLAGS``.

    Raises:
        BackendError: If the variable does not split into words.

    Example:
        >>> flags()[: len(FLAGS)] == FLAGS
        True
    """
    return (*FLAGS, *_words("RECURRO_CFLAGS"))


def _words(variable: str) -> tuple[str, ...]:
    """The words of an environment variable, as a shell would split them."""
    text = os.environ.get(variable, "")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise BackendError(
            f"compile: {variable} must split into words, got {text!r} "
            f"({str(error).lower()}). Close its quotes."
        ) from error


# -- the cache folder ------------------------------------------------------------------


def cache_folder() -> Path:
    """The folder of compiled kernels, made if need be.

    Raises:
        BackendError: If it cannot be made, or somebody else could write in it.
    """
    if own := os.environ.get("RECURRO_CACHE"):
        folder = Path(own).absolute() / "kernels"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        folder = Path(base).absolute() / "recurro" / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"compile: the cache folder {folder} must be one that can be written, got "
            f"{error.strerror}. Set RECURRO_CACHE to a folder of your own."
        ) from error
    _check_own(folder, folder=True)
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise BackendError(
                f"compile: {parent}, which holds the cache folder, must be closed to "
                "others for writing, got one open to all. Close it (chmod o-w), or set "
                "RECURRO_CACHE to a folder of your own."
            )
    return folder


def _check_own(path: Path, *, folder: bool) -> None:
    """Refuse a link, another user's file or folder, and one that others may enter."""
    status = path.lstat()
    kind = "folder" if folder else "file"
    if not (stat.S_ISDIR if folder else stat.S_ISREG)(status.st_mode):
        found = "a link" if path.is_symlink() else "something else"
        raise BackendError(
            f"compile: {path} must be an ordinary {kind}, got {found}. Remove it, or "
            "set RECURRO_CACHE to a folder of your own."
        )
    if status.st_uid != os.geteuid():
        raise BackendError(
            f"compile: the {kind} {path} must belong to user {os.geteuid()}, got user "
            f"{status.st_uid}. Set RECURRO_CACHE to a folder of your own."
        )
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        raise BackendError(
            f"compile: the {kind} {path} must be closed to other users, got the rights "
            f"{mode:03o}. If all in it is your own, chmod go= it; else remove it."
        )


def _put(source: Path, target: Path) -> None:
    """Give a finished file its final name, over an older one if there is."""
    source.chmod(0o700)
    source.replace(target)


# -- what a library depends on ---------------------------------------------------------


def _key(text: str) -> str:
    """A name for all that a library is made from."""
    command = compiler()
    macros = _macros(command, flags())
    parts = (text, *command, *flags(), macros, _cpu(), __version__)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@cache
def _cpu() -> str:
    """The processor and its features."""
    words = [platform.machine()]
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():
                    break  # the first processor speaks for all
                if line.startswith(("model name", "flags", "Features", "CPU part")):
                    words.append(line.strip())
    except OSError:
        words.append(platform.processor())
    return "\n".join(words)


@cache
def _macros(command: tuple[str, ...], flags: tuple[str, ...]) -> str:
    """All that the compiler defines of itself: its version and the CPU's features.

    The answer is kept on disk by the compiler's path, size and time of change.
    """
    binary = Path(shutil.which(command[0]) or command[0]).resolve()
    status = binary.stat()
    asked = (*command, str(binary), status.st_size, status.st_mtime_ns, _cpu(), flags)
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    folder = cache_folder()
    path = folder / f"{name}.macros"
    if path.exists() or path.is_symlink():
        _check_own(path, folder=False)
        if "__VERSION__" in (text := path.read_text(encoding="utf-8")):
            return text
    done = _run([*command, *flags, "-dM", "-E", "-x", "c", "/dev/null"])
    if done.returncode or "__VERSION__" not in done.stdout:
        raise BackendError(
            f"compile: {shlex.join(command)} must be a C compiler like GCC or Clang, "
            f"got {_last(done.stderr)}. Set CC to another one. {_GO_ON}."
        )
    text = "\n".join(sorted(done.stdout.splitlines()))
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as work:
        written = Path(work) / "macros"
        written.write_text(text, encoding="utf-8")
        _put(written, path)
    return text


# -- compiling -------------------------------------------------------------------------


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _compile(text: str, folder: Path, key: str) -> Path:
    """Build the library under its final name; a refused text is kept beside it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as work:
        source, library = Path(work) / "kernel.c", Path(work) / "kernel.so"
        source.write_text(text, encoding="utf-8")
        done = _run([*compiler(), *flags(), "-o", str(library), str(source), "-lm"])
        if done.returncode:
            kept = folder / f"{key}.c"
            _put(source, kept)
            raise BackendError(_refusal(done.stderr, kept))
        path = folder / f"{key}-{_digest(library)}.so"
        _put(library, path)
    return path


def _last(messages: str) -> str:
    """The last line of what a program said."""
    return (messages.strip().splitlines() or ["no answer"])[-1].rstrip(".")


def _refusal(messages: str, kept: Path) -> str:
    """One sentence from all that the compiler said."""
    found = re.search(r"kernel\.c:(\d+):\d+: (?:fatal )?error: (.*)", messages)
    if found:
        line, message = found.groups()
        where = f"at line {line} of {kept}: {message.rstrip('.')}"
    else:
        where = f"in {kept}: {_last(messages)}"
    return f"compile: the C compiler refused cell kernel {where}. {_GO_ON}."
