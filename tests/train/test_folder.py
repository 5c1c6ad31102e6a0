from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors.torch import load_file

from recurro.errors import RunError
from recurro.train import RunFolder, TrainSettings, train
from recurro.train.folder import write_atomic
from tests.train.toy import ToyTask


@pytest.fixture
def trained(tmp_path):
    """The folder of a finished run."""
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config({"task": "toy"})
    folder.write_json("tokens.json", ["a", "b"], sealed=True)
    train(ToyTask(length=200), TrainSettings(epochs=1, k1=10, k2=10), folder)
    return folder


def snapshot(path):
    return {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}


def test_what_lies_in_it(trained):
    names = {str(p.relative_to(trained.path)) for p in snapshot(trained.path)}
    assert names == {
        ".lock",
        "config.yaml",
        "env.json",
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
        "state/checkpoint.safetensors",
        "tokens.json",
    }
    opened = RunFolder.open(trained.path)
    assert opened.read_config() == {"task": "toy"}
    assert opened.read_json("tokens.json") == ["a", "b"]
    assert opened.read_json("env.json")["torch"] == torch.__version__
    kinds = [line["kind"] for line in opened.read_metrics()]
    assert kinds == ["validation"]
    assert sorted(opened.read_weights()) == sorted(ToyTask().network.state_dict())


def test_pickle_is_never_called(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("pickle")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    settings = TrainSettings(epochs=1, k1=10, k2=10)
    folder = RunFolder.create(tmp_path / "run")
    train(ToyTask(length=200), settings, folder)
    train(ToyTask(length=200), settings, RunFolder.open(folder.path), resume=True)
    for path in snapshot(folder.path):
        if path.suffix == ".safetensors":
            assert load_file(path)


def test_another_run_is_not_written_into(trained):
    before = snapshot(trained.path)
    with pytest.raises(RunError, match=r"got the folder of another run\. Resume that"):
        RunFolder.create(trained.path)
    assert snapshot(trained.path) == before


def test_unless_asked(trained):
    (trained.path / "notes.txt").write_text("mine")
    RunFolder.create(trained.path, overwrite=True)
    assert sorted(p.name for p in snapshot(trained.path)) == [
        ".lock",
        "env.json",
        "notes.txt",
        "run.json",
    ]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_never_written_into(tmp_path, overwrite):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"with 'thesis\.tex' in it\. Name"):
        RunFolder.create(tmp_path, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="must be a folder for the run, got a file"):
        RunFolder.create(tmp_path / "run")


def test_whether_a_place_is_free_is_seen_without_touching_it(tmp_path, trained):
    RunFolder.check_free(tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()
    (tmp_path / "file").write_text("")
    before = snapshot(trained.path)
    RunFolder.check_free(trained.path, overwrite=True)
    for path in (trained.path, tmp_path / "file", tmp_path):
        with pytest.raises(RunError):
            RunFolder.check_free(path)
    assert snapshot(trained.path) == before


def test_a_run_killed_at_its_first_write_leaves_a_free_place(tmp_path):
    (tmp_path / ".run.json.77.tmp").write_text("{")
    RunFolder.check_free(tmp_path)
    RunFolder.create(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["env.json", "run.json"]


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_what_is_no_run_cannot_be_opened(tmp_path, path):
    with pytest.raises(RunError, match=r"must be a run folder, got one without run\."):
        RunFolder.open(tmp_path / path)


@pytest.mark.parametrize("name", ["config.yaml", "tokens.json"])
def test_a_changed_sealed_file_is_named(trained, name):
    path = trained.path / name
    path.write_text(path.read_text() + " ")
    with pytest.raises(RunError, match=f"{name}: must be as the run wrote it"):
        RunFolder.open(trained.path)


def test_a_missing_sealed_file_is_named(trained):
    (trained.path / "tokens.json").unlink()
    with pytest.raises(RunError, match=r"tokens\.json: must be readable, got 'no such"):
        RunFolder.open(trained.path)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1}', '{"files": {"../x": ""}}']
)
def test_a_damaged_list_of_files_is_named(trained, content):
    (trained.path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json: must"):
        RunFolder.open(trained.path)


def test_a_newer_version_says_upgrade(trained):
    manifest = json.loads((trained.path / "run.json").read_text())
    (trained.path / "run.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(RunError, match=r"got 2\. Upgrade recurro"):
        RunFolder.open(trained.path)


def test_changed_weights_are_seen(trained):
    path = trained.path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"model\.safetensors: must be as recurro wrote"):
        RunFolder.open(trained.path).read_weights()


def test_a_run_stopped_before_its_first_weights_says_resume(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(RunError, match=r"before its first weights\. Go on with it"):
        folder.read_weights()


def test_weights_that_went_away_are_not_promised_by_resuming(trained):
    (trained.path / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"got no such file\. Put it back from a copy"):
        trained.read_weights()


def test_a_run_stopped_while_set_up_says_train_anew(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(RunError, match=r"while it was set up\. Train it anew"):
        train(ToyTask(), TrainSettings(), folder, resume=True)


def test_metrics_cut_short_are_seen(trained):
    (trained.path / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match=r"metrics\.jsonl: must hold the \d+ bytes"):
        trained.load()


def test_lines_after_the_checkpoint_and_drafts_are_dropped(trained):
    before = (trained.path / "metrics.jsonl").read_bytes()
    trained.log({"kind": "train", "loss": float("nan")})
    (trained.path / "state" / ".checkpoint.safetensors.77.tmp").write_bytes(b"half")
    assert trained.read_metrics()[-1] == {"kind": "train", "loss": None}
    trained.load()
    assert len(trained.read_metrics()) == 2  # reading a state changes nothing yet
    trained.rewind()
    assert (trained.path / "metrics.jsonl").read_bytes() == before
    assert not list(trained.path.rglob("*.tmp"))


def test_a_line_cut_short_by_a_kill_is_not_read(trained):
    lines = trained.read_metrics()
    with (trained.path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tra')
    assert trained.read_metrics() == lines


def test_strange_lines_are_seen(trained):
    metrics = trained.path / "metrics.jsonl"
    whole = metrics.read_bytes()
    trained.load()
    for strange in (b"junk", b"junk\n", b'{"kind": "train"}\n[1]\n', b"\0\0\n"):
        metrics.write_bytes(whole + strange)
        with pytest.warns(UserWarning, match="no measurements of this run and are cut"):
            trained.rewind()
        assert metrics.read_bytes() == whole
    metrics.write_bytes(b"junk\n" + whole)
    with pytest.raises(RunError, match=r"metrics\.jsonl: line 1 must be a measurement"):
        trained.read_metrics()


def test_a_run_in_training_cannot_be_trained_or_overwritten(trained):
    with trained.held():
        for attempt in (
            lambda: train(ToyTask(), TrainSettings(), trained, resume=True),
            lambda: RunFolder.create(trained.path, overwrite=True),
        ):
            with pytest.raises(RunError, match="another process is training"):
                attempt()


def test_an_atomic_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"a" * 100)
    write_atomic(path, b"b")
    assert path.read_bytes() == b"b"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    """The kernel refuses to write beyond a size limit, as a full disk would."""
    path = tmp_path / "file"
    write_atomic(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RunError, match=r"file too large.*unharmed: free"):
            write_atomic(path, b"n" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def can_mount():
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_mount(), reason="this system mounts nothing for users")
def test_a_full_disk_stops_the_run_in_one_line_and_loses_nothing(tmp_path):
    script = """
        import os, pathlib, torch
        from recurro.errors import RunError
        from recurro.train import RunFolder, TrainSettings, train
        from tests.train.toy import ToyTask

        torch.set_num_threads(1)
        settings = TrainSettings(epochs=2, k1=10, k2=10, checkpoint_steps=1)
        folder = RunFolder.create("DISK/run")
        task = ToyTask(length=200)
        train(task, settings, folder)
        checkpoint = pathlib.Path("DISK/run/state/checkpoint.safetensors")
        before = checkpoint.read_bytes()
        room = os.statvfs("DISK")
        filler = b"x" * (room.f_bavail * room.f_frsize - 8192)
        pathlib.Path("DISK/filler").write_bytes(filler)
        longer = settings.model_copy(update={"epochs": 4})
        try:
            train(ToyTask(length=200), longer, folder, resume=True)
        except RunError as error:
            print(error)
        assert checkpoint.read_bytes() == before
        os.unlink("DISK/filler")
        history = train(ToyTask(length=200), longer, folder, resume=True)
        print(history.epochs, len(list(pathlib.Path("DISK/run").rglob("*.tmp"))))
    """
    text = textwrap.dedent(script).replace("DISK", str(tmp_path))
    inside = f'mount -t tmpfs -o size=1m none {tmp_path} && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside, sys.executable, text],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    message, rest = done.stdout.splitlines()
    assert "got 'no space left on device'" in message
    assert message.endswith("then resume the run.")
    assert rest == "4 0"
