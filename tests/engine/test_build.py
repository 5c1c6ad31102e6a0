"""Kernels are compiled once, kept, and never taken from somebody else."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from recurro.errors import BackendError

module = import_module("recurro.engine.build")

TEXT = "int twice(int x) { return 2 * x; }\n"


def forget():
    """As a new process would begin."""
    for function in (module.build, module.lanes, module._macros):
        function.cache_clear()


def use(monkeypatch, folder):
    """A new process that keeps its kernels in this folder."""
    monkeypatch.setenv("RECURRO_CACHE", str(folder))
    forget()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder."""
    tmp_path.chmod(0o700)
    use(monkeypatch, tmp_path / "home")
    yield tmp_path / "home" / "kernels"
    forget()


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The calls of the compiler; call it for their number."""
    log, script = tmp_path / "calls", tmp_path / "compiler"
    command = " ".join(module.compiler())
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {command} "$@"\n')
    script.chmod(0o700)
    monkeypatch.setenv("CC", str(script))
    forget()
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def libraries(folder):
    return sorted(folder.glob("*.so"))


def test_what_is_built_runs(home):
    assert module.build(TEXT).twice(21) == 42


def test_all_that_is_kept_is_closed_to_others(home):
    before = os.umask(0o002)
    try:
        module.build(TEXT)
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    kept = list(home.iterdir())
    assert len(kept) == 2  # the library, what the compiler is
    assert all(path.lstat().st_mode & 0o077 == 0 for path in kept)


def test_a_text_is_compiled_once(home, calls):
    first = module.build(TEXT)
    count = calls()
    assert module.build("".join([TEXT[:5], TEXT[5:]])) is first
    forget()
    assert module.build(TEXT).twice(4) == 8
    assert calls() == count
    assert module.build(TEXT + "\n").twice(4) == 8
    assert calls() == count + 1


def test_each_cause_of_the_code_is_in_the_key(home, monkeypatch, calls):
    module.build(TEXT)
    changes = {
        "FLAGS": (*module.FLAGS, "-g"),
        "__version__": "0.0.0",
        "_cpu": lambda: "another processor",
    }
    for number, (name, value) in enumerate(changes.items(), 2):
        with monkeypatch.context() as change:
            change.setattr(module, name, value)
            forget()
            assert module.build(TEXT).twice(1) == 2
        assert len(libraries(home)) == number


def test_a_changed_compiler_builds_anew(home, monkeypatch, calls, tmp_path):
    module.build(TEXT)
    script = tmp_path / "compiler"
    text = script.read_text().replace('"$@"\n', '"$@" -D__VERSION__=\'"9"\' -w\n')
    script.write_text(text)
    forget()
    module.build(TEXT)
    assert len(libraries(home)) == 2


def test_the_cache_is_found_by_its_variables(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.delenv("RECURRO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert module.cache_folder() == tmp_path / "xdg" / "recurro" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert module.cache_folder() == tmp_path / ".cache" / "recurro" / "kernels"
    monkeypatch.setenv("RECURRO_CACHE", str(tmp_path / "own"))
    assert module.cache_folder() == tmp_path / "own" / "kernels"


DAMAGE = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "flipped": lambda whole: whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:],
    "other": lambda whole: b"not a library",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_library_is_built_anew(home, tmp_path, monkeypatch, damage):
    module.build(TEXT)
    shutil.copytree(home.parent, tmp_path / "copy")
    (kept,) = libraries(tmp_path / "copy" / "kernels")
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGE[damage](whole))
    use(monkeypatch, tmp_path / "copy")
    assert module.build(TEXT).twice(21) == 42
    (kept,) = libraries(tmp_path / "copy" / "kernels")
    assert kept.read_bytes() == whole


def test_a_whole_copy_is_not_built_anew(home, tmp_path, monkeypatch, calls):
    module.build(TEXT)
    count = calls()
    shutil.copytree(home.parent, tmp_path / "copy")
    use(monkeypatch, tmp_path / "copy")
    assert module.build(TEXT).twice(21) == 42
    assert calls() == count


def test_a_library_that_does_not_load_is_built_anew(home, tmp_path, monkeypatch):
    """Its digest is right, but the machine has no use for it."""
    module.build(TEXT)
    shutil.copytree(home.parent, tmp_path / "copy")
    (kept,) = libraries(tmp_path / "copy" / "kernels")
    kept.write_bytes(b"for another machine")
    kept.rename(kept.with_stem(f"{kept.stem[:64]}-{module._digest(kept)}"))
    use(monkeypatch, tmp_path / "copy")
    assert module.build(TEXT).twice(21) == 42


def open_folder(folder):
    folder.chmod(0o770)


def linked_folder(folder):
    folder.rename(folder.with_name("real"))
    folder.symlink_to("real")


def file_as_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("")


def open_parent(folder):
    folder.parent.chmod(0o777)


def open_library(folder):
    libraries(folder)[0].chmod(0o720)


def linked_library(folder):
    (kept,) = libraries(folder)
    kept.symlink_to(kept.rename(kept.with_suffix(".real")))


def open_macros(folder):
    next(folder.glob("*.macros")).chmod(0o702)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (open_folder, r"folder .*kernels must be closed to other users, got .* 070"),
        (linked_folder, "kernels must be an ordinary folder, got a link"),
        (file_as_folder, "kernels must be one that can be written, got File exists"),
        (open_parent, "home, which holds the cache folder, must be closed to others"),
        (open_library, r"file .*\.so must be closed to other users, got .* 020"),
        (linked_library, r"\.so must be an ordinary file, got a link"),
        (open_macros, r"file .*\.macros must be closed to other users, got .* 002"),
    ],
)
def test_what_others_could_have_written_is_refused(home, spoil, message):
    module.build(TEXT)
    spoil(home)
    forget()
    with pytest.raises(BackendError, match=f"^compile: .*{message}"):
        module.build(TEXT)


def test_another_user_s_folder_is_refused(home, monkeypatch):
    module.build(TEXT)
    forget()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(BackendError, match=r"must belong to user 12345, got user \d+"):
        module.build(TEXT)


def test_a_refused_text_is_kept_and_its_line_named(home):
    text = "int a;\nint f(void) {\n  return nowhere;\n}\n"
    with pytest.raises(BackendError) as caught:
        module.build(text)
    found = re.fullmatch(
        r"compile: the C compiler refused cell kernel at line 3 of (.*\.c): .*nowhere.*"
        r'\. Use backend="reference" to go on without it\.',
        str(caught.value),
    )
    assert found
    (kept,) = home.glob("*.c")
    assert found[1] == str(kept)
    assert kept.read_text() == text
    assert not list(home.glob("build-*"))


def test_a_library_without_its_functions_is_refused(home):
    with pytest.raises(BackendError, match=r"a kernel must load, got .*nowhere"):
        module.build("int nowhere(void); int (*f)(void) = nowhere;")


@pytest.fixture
def bare_path(home, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)


def test_without_a_compiler_it_says_what_to_install(bare_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    message = (
        r"^compile: there must be a C compiler.* pip install 'recurro\[compiler\]'"
    )
    with pytest.raises(BackendError, match=message):
        module.build(TEXT)
    with pytest.raises(BackendError, match=message):
        module.lanes()


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed")
def test_the_compiler_in_ziglang_is_the_last_resort(bare_path):
    assert module.compiler()[0].endswith("zig")


@pytest.mark.slow  # the first use of this compiler builds its own libraries
@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed")
def test_the_compiler_in_ziglang_builds(bare_path):
    assert module.build(TEXT).twice(21) == 42


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("no-such-compiler -m64", "CC must name a C compiler, got 'no-such-compiler'"),
        ("true", "true must be a C compiler like GCC or Clang, got no answer"),
        ("cat", "cat must be a C compiler like GCC or Clang, got "),
    ],
)
def test_a_wrong_compiler_is_named(home, monkeypatch, named, message):
    monkeypatch.setenv("CC", named)
    with pytest.raises(BackendError, match=f"^compile: {message}"):
        module.build(TEXT)


def test_arguments_of_cc_are_passed_on(home, monkeypatch):
    monkeypatch.setenv("CC", " ".join([*module.compiler(), "-DTIMES=3"]))
    assert module.build("int f(int x) { return TIMES * x; }").f(5) == 15


def test_flags_of_ones_own_come_last_and_are_in_the_key(home, monkeypatch):
    assert module.flags() == module.FLAGS
    text = "int f(int x) { return TIMES * x; }"
    for number, times in enumerate((3, 4), 1):
        monkeypatch.setenv("RECURRO_CFLAGS", f"-DTIMES={times} '-DWORDS=a b'")
        forget()
        assert module.flags()[-2:] == (f"-DTIMES={times}", "-DWORDS=a b")
        assert module.build(text).f(5) == 5 * times
        assert len(libraries(home)) == number


def test_flags_change_the_lanes(home, monkeypatch):
    if platform.machine() != "x86_64":
        pytest.skip("the flag is of another processor")
    monkeypatch.setenv("RECURRO_CFLAGS", "-march=x86-64")
    forget()
    assert module.lanes() == 4


@pytest.mark.parametrize("variable", ["CC", "RECURRO_CFLAGS"])
def test_a_variable_that_is_no_list_of_words_is_named(home, monkeypatch, variable):
    monkeypatch.setenv(variable, "-D'x")
    message = f'^compile: {variable} must split into words, got "-D\'x" '
    with pytest.raises(BackendError, match=message):
        module.build(TEXT)


def test_threads_may_build_at_once(home):
    text = TEXT + "/* by threads */"
    with ThreadPoolExecutor(6) as pool:
        built = list(pool.map(lambda _: module.build.__wrapped__(text), range(6)))
    assert [library.twice(3) for library in built] == [6] * 6
    assert not list(home.glob("build-*"))


PROGRAM = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("build", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
print(module.build(sys.argv[2]).twice(21))
"""


def test_processes_may_build_at_once(home):
    command = [sys.executable, "-c", PROGRAM, module.__file__, TEXT]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    assert [process.communicate()[0] for process in started] == [b"42\n"] * 6
    forget()
    assert module.build(TEXT).twice(2) == 4
    assert not list(home.glob("build-*"))


def test_lanes_are_those_of_the_machine(home):
    wide = (
        "int bytes(void) {\n#if defined __AVX512F__\n  return 64;\n"
        "#elif defined __AVX2__\n  return 32;\n#else\n  return 16;\n#endif\n}\n"
    )
    assert module.lanes() * 4 == module.build(wide).bytes()


def test_from_disk_it_is_ready_at_once(home):
    module.build(TEXT)
    times = []
    for _ in range(5):
        forget()
        start = time.perf_counter()
        module.build(TEXT)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


def test_a_library_leaves_the_arithmetic_of_the_process_alone(home):
    module.build(TEXT + "double half(double x) { return x / 2; }")
    assert np.float64(1e-310) / 2 > 0
