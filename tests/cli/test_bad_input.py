"""Each bad input gets one line that says what is wrong; nothing is lost."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.command import complaint, recurro

QUICK = ("--hidden-size", 8, "--num-layers", 1, "--epochs", 1, "-q")

BAD_FILES = {
    "empty.txt": (b"", "read: 'empty.txt' is empty. Give a file with text in it."),
    "one.txt": (
        b"a",
        "must hold at least two different symbols to learn from, got only",
    ),
    "same.txt": (b"aaaaaaaa", "at least two different symbols to learn from, got only"),
    "bytes.txt": (
        b"abc\xffdef",
        "read: 'bytes.txt' must be utf-8 text, got 0xff at byte 3 (invalid start "
        "byte). Name its encoding with --encoding",
    ),
    "missing.txt": (None, "read: no file 'missing.txt'. Check the path."),
    "*.md": (None, "read: no file matches '*.md'. Check the pattern."),
}


def snapshot(folder) -> dict:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", [("train", "lm"), ("train", "ngram")], ids=" ".join)
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_texts(folder, verb, name):
    content, expected = BAD_FILES[name]
    if content is not None:
        (folder / name).write_bytes(content)
    flags = QUICK if verb[1] == "lm" else ("-q", "--tokens", "char")
    assert expected in complaint(*verb, name, *flags)
    assert {path.name for path in folder.rglob("*")} <= {"sea.txt", name}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_validation_texts(folder, name):
    content, _ = BAD_FILES[name]
    if content is not None:
        (folder / name).write_bytes(content)
    if name == "same.txt":  # nothing is wrong with scoring it
        recurro("train", "lm", "sea.txt", "--valid", name, *QUICK)
        return
    complaint("train", "lm", "sea.txt", "--valid", name, *QUICK)


@pytest.mark.parametrize("verb", ["evaluate", "predict"])
@pytest.mark.parametrize("name", ["empty.txt", "one.txt", "bytes.txt", "missing.txt"])
def test_bad_texts_for_a_run(folder, run, verb, name):
    content, _ = BAD_FILES[name]
    if content is not None:
        (folder / name).write_bytes(content)
    complaint(verb, run, name)


def test_symbols_outside_the_vocabulary(folder, run):
    (folder / "strange.txt").write_text("the sea ist schön\n")
    assert "got 'ö'" in complaint("evaluate", run, "strange.txt")
    assert "got 'ö'" in complaint("predict", run, "strange.txt")


@pytest.fixture
def copy(folder, run):
    shutil.copytree(run, folder / "copy")
    return folder / "copy"


def change(path, place: int = -30) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["config.yaml", "vocabulary.json", "model.safetensors"]
)
def test_a_run_that_was_tampered_with(copy, name):
    change(copy / name)
    assert name in complaint("generate", copy, "-n", 5)


@pytest.mark.parametrize(
    "name",
    ["state/checkpoint.safetensors", "state/train.ids", "state/valid.ids"],
)
def test_a_state_that_was_tampered_with(copy, name):
    change(copy / name)
    before = snapshot(copy)
    assert name.split("/")[1] in complaint("resume", copy)
    assert {k: v for k, v in snapshot(copy).items() if k.name != ".lock"} == {
        k: v for k, v in before.items() if k.name != ".lock"
    }


def test_a_run_from_a_newer_version(copy):
    seal = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**seal, "format": 99}))
    for verb in (["generate"], ["resume"]):
        assert "Upgrade recurro to the version that wrote it." in complaint(*verb, copy)


@pytest.mark.parametrize("name", ["config.yaml", "vocabulary.json", "run.json"])
def test_a_run_that_is_half_there(copy, name):
    (copy / name).unlink()
    assert "copy" in complaint("generate", copy)
    assert "copy" in complaint("resume", copy)


def test_a_run_without_weights_or_checkpoint(copy):
    (copy / "model.safetensors").unlink()
    before = snapshot(copy)
    for verb in ("generate", "resume"):  # its best weights are nowhere else
        assert complaint(verb, copy) == (
            f"{copy}/model.safetensors: must hold the weights that the run wrote, got "
            "no such file. Put it back from a copy, or train anew in another folder."
        )
    assert {**snapshot(copy), copy / ".lock": b""} == {**before, copy / ".lock": b""}
    shutil.rmtree(copy / "state")
    assert "must hold what the run learns from to be resumed" in complaint(
        "resume", copy
    )


def test_no_run_at_all(folder):
    (folder / "docs").mkdir()
    for place in ("nowhere", "docs", "sea.txt"):
        for verb in (["generate"], ["resume"], ["evaluate"], ["predict"]):
            files = ["sea.txt"] if verb[0] in ("evaluate", "predict") else []
            assert "must be a run folder" in complaint(*verb, place, *files)


def test_a_place_that_cannot_be_written(folder):
    (folder / "file").write_text("")
    line = complaint("train", "lm", "sea.txt", *QUICK, "-o", "file/run")
    assert "file/run: must be writable" in line
    line = complaint("train", "ngram", "sea.txt", "-q", "-o", "file/run")
    assert "file/run: must be writable" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "ham\tSee you\nspam\n",
            "line 2 of 'rows.tsv' must be a class, a tab and a text",
        ),
        ("ham\tSee you\nham\tOk\n", "at least two classes"),
        ("", "is empty"),
    ],
)
def test_bad_classes(folder, content, expected):
    (folder / "rows.tsv").write_text(content)
    assert expected in complaint("train", "lm", "--by-class", "rows.tsv", *QUICK)
