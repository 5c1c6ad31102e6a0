"""The run folder: everything that a training run leaves on disk, free of pickle.

::

    RUN/
        run.json            format version; files written; checksums of the sealed
        config.yaml         what was asked for (sealed)
        *.json              vocabulary or scaler, written by the task (sealed)
        model.safetensors   the weights: the best so far, or the last
        metrics.jsonl       one line per measurement
        env.json            versions and machine
        state/              checkpoint.safetensors, for exact resume

Each file is written beside its place, synced and renamed, so that at any moment a
reader finds either the old one or the new one, whole. Under ``torchrun`` only rank 0
writes; on the other ranks, which must see the same folder, every write does nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

import recurro
from recurro.errors import RunError
from recurro.train.checkpoint import (
    FORMAT,
    Tree,
    pack,
    pack_weights,
    unpack,
    unpack_weights,
)
from recurro.train.devices import current_shard

try:
    import fcntl
except ImportError:  # no such locks outside POSIX
    fcntl = None

__all__ = ["RunFolder", "write_atomic"]


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that after a crash either the old or the new one is there.

    Args:
        path: The file; its folder must exist.
        data: All that it shall hold.

    Raises:
        RunError: If the disk is full or cannot be written. The old file is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise _unwritable(path, error) from None


def _sync_folder(path: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor need it be
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(path: Path, error: OSError) -> RunError:
    reason = (error.strerror or str(error)).lower()
    return RunError(
        f"{path}: must be writable, got '{reason}'. What was there before is unharmed: "
        "free some space or mend the folder, then resume the run."
    )


class RunFolder:
    """A training run on disk; made by ``create`` or ``open``.

    Attributes:
        path: The folder.
        writes: Whether this process is the one that writes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "run"
        >>> folder = RunFolder.create(path)
        >>> folder.write_config({"task": "lm"})
        >>> RunFolder.open(path).read_config()
        {'task': 'lm'}
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        """Name the folder; nothing is read or written yet."""
        self.path = path
        self.writes = writes
        self._metrics_length = 0

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Make a folder for a new run.

        Args:
            path: Where; an empty folder may be there already.
            overwrite: Whether a run that is there may be deleted.

        Raises:
            RunError: If the folder holds another run and ``overwrite`` is not set, if
                it holds files that are no run's, or if it cannot be written.
        """
        folder = cls(Path(path), writes=current_shard().rank == 0)
        if folder.writes:
            folder._clear(overwrite)
            folder._write("run.json", _json({"format": FORMAT, "files": {}}))
            folder.write_json("env.json", _environment())
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open the folder of a run and check its sealed files.

        Raises:
            RunError: If there is no run, if it was written by a newer version, if a
                file is missing, or if one was changed since it was written.
        """
        folder = cls(Path(path), writes=current_shard().rank == 0)
        for name, digest in folder._manifest()["files"].items():
            if digest and hashlib.sha256(folder._read(name)).hexdigest() != digest:
                raise RunError(
                    f"{folder.path / name}: must be as the run wrote it, got a changed "
                    "file. Put it back from a copy, or train anew in another folder."
                )
        return folder

    @classmethod
    def check_free(cls, path: str | Path, *, overwrite: bool = False) -> None:
        """Refuse a place where ``create`` would fail; nothing is touched.

        Raises:
            RunError: If there is a file, a folder with files that are no run's, or
                another run and ``overwrite`` is not set.
        """
        folder = cls(Path(path), writes=current_shard().rank == 0)
        if folder.writes:
            folder._check_free(overwrite)

    @property
    def trained(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self._state / "checkpoint.safetensors").exists()

    # Files of the task.

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write ``config.yaml``, once, and seal it."""
        text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        self.write_text("config.yaml", text, sealed=True)

    def read_config(self) -> dict[str, Any]:
        """The contents of ``config.yaml``.

        Raises:
            RunError: If it is missing or not YAML.
        """
        try:
            return yaml.safe_load(self._read("config.yaml"))
        except yaml.YAMLError as error:
            raise RunError(
                f"{self.path / 'config.yaml'}: must be YAML, got {str(error)!r}. Put "
                "it back from a copy."
            ) from None

    def write_json(self, name: str, value: Tree, *, sealed: bool = False) -> None:
        """Write a value as JSON; a sealed file is written once and checked by open."""
        self.write_text(name, _json(value).decode(), sealed=sealed)

    def read_json(self, name: str) -> Tree:
        """The contents of a JSON file.

        Raises:
            RunError: If it is missing or not JSON.
        """
        try:
            return json.loads(self._read(name))
        except ValueError:
            raise RunError(
                f"{self.path / name}: must be JSON, got something else. Put it back "
                "from a copy."
            ) from None

    def write_text(self, name: str, text: str, *, sealed: bool = False) -> None:
        """Write a text file; a sealed one is written once and checked by open."""
        if not self.writes:
            return
        data = text.encode()
        manifest = self._manifest()
        assert not manifest["files"].get(name), f"{name} is sealed"
        self._write(name, data)
        manifest["files"][name] = hashlib.sha256(data).hexdigest() if sealed else None
        self._write("run.json", _json(manifest))

    # Files of the training loop.

    def write_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Replace ``model.safetensors`` by these weights."""
        if self.writes:
            self._write("model.safetensors", pack_weights(weights))
            manifest = self._manifest()
            if "model.safetensors" not in manifest["files"]:
                manifest["files"]["model.safetensors"] = None
                self._write("run.json", _json(manifest))

    def read_weights(self) -> dict[str, Tensor]:
        """The weights of ``model.safetensors``, on the CPU.

        Raises:
            RunError: If there are none yet, or if the file was damaged or changed.
        """
        path = self.path / "model.safetensors"
        gone = not path.exists()
        if gone and "model.safetensors" in self._manifest()["files"]:
            raise RunError(
                f"{path}: must hold the weights that the run wrote, got no such file. "
                "Put it back from a copy, or train anew in another folder."
            )
        if gone:
            raise RunError(
                f"{self.path}: must hold model.safetensors, got a run that was stopped "
                "before its first weights. Go on with it: recurro resume "
                f"{self.path}."
            )
        return unpack_weights(self._read("model.safetensors"), str(path))

    def save(self, state: Tree) -> None:
        """Replace the checkpoint by this state, as a whole."""
        if self.writes:
            metrics = self.path / "metrics.jsonl"
            with self._guard(metrics), metrics.open("ab") as file:
                os.fsync(file.fileno())
                length = file.tell()
            self._state.mkdir(exist_ok=True)
            data = pack({"metrics": length, "state": state})
            self._write("state/checkpoint.safetensors", data)

    def load(self) -> Tree:
        """The state of the checkpoint.

        Raises:
            RunError: If there is no checkpoint, or if it was damaged or changed.
        """
        path = self._state / "checkpoint.safetensors"
        if not self.trained:
            raise RunError(
                f"{self.path}: must hold a checkpoint, got a run that was stopped "
                "while it was set up. Train it anew with --overwrite (in Python, "
                "overwrite=True)."
            )
        saved = unpack(self._read("state/checkpoint.safetensors"), str(path))
        self._metrics_length = saved["metrics"]
        metrics = self.path / "metrics.jsonl"
        if not metrics.exists() or metrics.stat().st_size < self._metrics_length:
            raise RunError(
                f"{metrics}: must hold the {self._metrics_length} bytes that the "
                "checkpoint counted, got a shorter file. Put it back from a copy."
            )
        return saved["state"]

    def rewind(self) -> None:
        """After ``load``: cut off what was written since that checkpoint."""
        if self.writes:
            metrics = self.path / "metrics.jsonl"
            self._warn_of_strange_lines(metrics)
            with self._guard(metrics):
                os.truncate(metrics, self._metrics_length)
                drafts = [*self.path.glob(".*.tmp"), *self._state.glob(".*.tmp")]
                for draft in drafts:
                    draft.unlink()

    def log(self, record: Mapping[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``; a number that is not finite becomes null."""
        if self.writes:
            finite = {
                key: None if isinstance(v, float) and not math.isfinite(v) else v
                for key, v in record.items()
            }
            path = self.path / "metrics.jsonl"
            with self._guard(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(finite) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``; one cut short by a kill is left out.

        Raises:
            RunError: If a line is no measurement.
        """
        *lines, _ = self._read("metrics.jsonl").split(b"\n")
        records = [_measurement(line) for line in lines]
        if None in records:
            raise RunError(
                f"{self.path / 'metrics.jsonl'}: line {records.index(None) + 1} must "
                "be a measurement, got something else. Take the line out, or put the "
                "file back from a copy."
            )
        return [record for record in records if record is not None]

    def _warn_of_strange_lines(self, metrics: Path) -> None:
        """Say so if what rewinding cuts off was not written by the run."""
        tail = self._read("metrics.jsonl")[self._metrics_length :]
        *lines, cut = tail.split(b"\n")  # a kill may have cut the last one short
        if (cut and cut[:1] != b"{") or None in map(_measurement, lines):
            warnings.warn(
                f"{metrics}: lines after the last checkpoint are no measurements of "
                "this run and are cut off.",
                stacklevel=2,
            )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training in this folder meanwhile.

        Raises:
            RunError: If another process holds it.
        """
        if not self.writes or fcntl is None:
            yield
            return
        path = self.path / ".lock"
        with self._guard(path):
            file = path.open("w")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{self.path}: must be free, got a run that another process is "
                    "training right now. Wait for it, or name another folder."
                ) from None
            yield

    @property
    def _state(self) -> Path:
        return self.path / "state"

    @contextlib.contextmanager
    def _guard(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unwritable(path, error) from None

    def _write(self, name: str, data: bytes) -> None:
        write_atomic(self.path / name, data)

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            return path.read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(
                f"{path}: must be readable, got '{reason}'. Put it back from a copy, "
                "or train anew in another folder."
            ) from None

    def _manifest(self) -> dict[str, Any]:
        if not (self.path / "run.json").exists():
            raise RunError(
                f"{self.path}: must be a run folder, got one without run.json. Name "
                "the folder that training printed."
            )
        manifest = self.read_json("run.json")
        manifest = manifest if isinstance(manifest, dict) else {}
        if manifest.get("format", FORMAT) != FORMAT:
            raise RunError(
                f"{self.path}: must be of format {FORMAT}, got "
                f"{manifest.get('format')}. Upgrade recurro to the version that wrote "
                "it."
            )
        files = manifest.get("files")
        if not isinstance(files, dict) or any(Path(f).name != f for f in files):
            raise RunError(
                f"{self.path / 'run.json'}: must list the run's files, got something "
                "else. Put it back from a copy."
            )
        return manifest

    def _clear(self, overwrite: bool) -> None:
        self.check_free(self.path, overwrite=overwrite)
        with self._guard(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for draft in self._drafts_of_manifest():
                draft.unlink()
        if (self.path / "run.json").exists():
            with self.held():
                self._delete_run()

    def _drafts_of_manifest(self) -> list[Path]:
        """What a run leaves that was killed at once."""
        return [*self.path.glob(".run.json.*.tmp")]

    def _check_free(self, overwrite: bool) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunError(
                f"{self.path}: must be a folder for the run, got a file of that name. "
                "Name another folder."
            )
        with self._guard(self.path):
            drafts = self._drafts_of_manifest()
            there = sorted(
                item.name for item in self.path.iterdir() if item not in drafts
            )
        if not there:
            return
        if not (self.path / "run.json").exists():
            raise RunError(
                f"{self.path}: must be new or empty, got a folder with '{there[0]}' in "
                "it. Name another folder."
            )
        if not overwrite:
            raise RunError(
                f"{self.path}: must be new or empty, got the folder of another run. "
                "Resume that run, name another folder, or replace it with --overwrite "
                "(in Python, overwrite=True)."
            )

    def _delete_run(self) -> None:
        """Delete what the run wrote, but for run.json; what else lies there stays."""
        names = {"model.safetensors", "metrics.jsonl"}
        with contextlib.suppress(RunError):  # a damaged list must not stand in the way
            names |= set(self._manifest()["files"])
        with self._guard(self.path):
            for name in names:
                (self.path / name).unlink(missing_ok=True)
            for draft in self.path.glob(".*.tmp"):
                draft.unlink()
            if self._state.exists():
                shutil.rmtree(self._state)


def _json(value: Tree) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _measurement(line: bytes) -> dict[str, Any] | None:
    """A line of metrics, or ``None`` if it is anything else."""
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and "kind" in record:
            return record
    return None


def _environment() -> dict[str, Any]:
    """What a person needs to know to see the same figures again."""
    return {
        "recurro": recurro.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
