import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recurro.data import atomic_write, find_files
from recurro.errors import DataError


def write(path, data=b"text"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_folder_gives_its_text_files_sorted_and_no_others(tmp_path):
    second = write(tmp_path / "b.txt")
    first = write(tmp_path / "a" / "deep.md")
    empty = write(tmp_path / "c.py", b"")
    write(tmp_path / ".hidden.txt")
    write(tmp_path / ".git" / "config")
    write(tmp_path / "image.png", b"\x89PNG\0")
    assert find_files(tmp_path) == [first, second, empty]
    assert find_files(str(tmp_path)) == [first, second, empty]


def test_a_list_keeps_its_order_and_may_mix(tmp_path):
    a, b = write(tmp_path / "a.txt"), write(tmp_path / "x" / "b.txt")
    assert find_files([b.parent, a]) == [b, a]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*.py", ["a.py"]), ("**/*.py", ["a.py", "x/b.py"]), ("?/*", ["x/b.py"])],
)
def test_patterns(tmp_path, pattern, names):
    for name in ("a.py", "x/b.py", "x/.venv/c.py", "d.txt"):
        write(tmp_path / name)
    assert find_files(tmp_path / pattern) == [tmp_path / name for name in names]


def test_a_name_with_brackets_that_is_there_is_no_pattern(tmp_path):
    file = write(tmp_path / "notes[1].txt")
    assert find_files(file) == [file]


def test_a_file_named_by_hand_may_hold_nul(tmp_path):
    file = write(tmp_path / "a.txt", b"a\0b")
    assert find_files(file) == [file]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "no file '.*missing.txt'"),
        ("*.rs", r"no file matches '.*\*.rs'"),
        ("folder", "folder '.*folder' holds no text file"),
        ("pipe", "not a regular file '.*pipe'"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, name, message):
    write(tmp_path / "folder" / "image.png", b"\0")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=message):
        find_files(tmp_path / name)


@pytest.mark.parametrize("paths", [[], "", [""]])
def test_no_path_is_an_error_and_not_the_current_folder(paths):
    with pytest.raises(DataError, match="needs the path of a file"):
        find_files(paths)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = write(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(file) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
    with atomic_write(file) as stream:
        stream.write(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_our_error(tmp_path):
    file = write(tmp_path / "a", b"old")
    with (
        pytest.raises(DataError, match="No space left on device"),
        atomic_write(file),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"new")
    assert file.read_bytes() == b"old"


def test_a_missing_folder_is_our_error(tmp_path):
    with (
        pytest.raises(DataError, match="No such file or directory"),
        atomic_write(tmp_path / "no" / "a"),
    ):
        pass


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    file = write(tmp_path / "a", b"old")
    code = (
        "import sys, time\n"
        "from recurro.data.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as stream:\n"
        "    stream.write(b'new'); stream.flush()\n"
        "    print('written', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, file], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    assert file.read_bytes() == b"old"
    with atomic_write(file) as stream:  # what the dead one left is in nobody's way
        stream.write(b"newer")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert file.read_bytes() == b"newer"
